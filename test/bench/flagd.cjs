// Evaluations a second of flagd-core in this process: node flagd.cjs DOCUMENT IDS, where IDS has lines of an id, a tab
// and the database's own answer, t or f.  Prints the rate and how many answers are the same.

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { FlagdCore } = createRequire(path.join(__dirname, '../clients/package.json'))('@openfeature/flagd-core');

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, quiet);
core.setConfigurations(fs.readFileSync(process.argv[2], 'utf8'));
const rows = fs.readFileSync(process.argv[3], 'utf8').trimEnd().split('\n').map((line) => line.split('\t'));

const evaluate = () => {
	let same = 0;
	for (const [targetingKey, answer] of rows)
		if (core.resolveBooleanEvaluation('chat_v11', false, { targetingKey }, quiet).value === (answer === 't'))
			same++;
	return same;
};
evaluate(); // until the compiler has seen it
const began = process.hrtime.bigint();
const same = evaluate();
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(Math.round(rows.length / seconds), same);
