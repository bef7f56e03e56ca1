'use strict';
// flagd-core in process, given the document as the database makes it.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { FlagdCore, MemoryStorage } = require('@openfeature/flagd-core');
const { Database, stages, percents } = require('./lib/database');
const { asciiIds, wideIds } = require('./lib/ids');

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const ids = asciiIds(100000);
let database;
before(async () => {
	database = await Database.create('flagd');
});
after(() => database.end());

// With the schema of flag definitions in force: a document that does not meet it is an error.
async function client(options) {
	const storage = new MemoryStorage(quiet, options);
	storage.setConfigurations(await database.value('select chat_v11.flagd_config()::text'), true);
	return new FlagdCore(storage, quiet);
}

// How many of the ids it answers otherwise than expected, whichever default its caller has.
function mismatches(flagd, keys, expected) {
	let count = 0;
	for (const byDefault of [true, false])
		keys.forEach((targetingKey, i) => {
			const answer = flagd.resolveBooleanEvaluation('chat_v11', byDefault, { targetingKey });
			if (answer.value !== expected[i] || answer.errorCode) ++count;
		});
	return count;
}

// null and '' are nobody's, at every stage; a caller may also leave the key out.
async function nobodyIsOff(flagd) {
	assert.deepEqual(await database.enabled([null, '']), [false, false]);
	for (const byDefault of [true, false])
		for (const context of [{}, { targetingKey: '' }, { targetingKey: null }, { targetingKey: undefined }]) {
			const answer = flagd.resolveBooleanEvaluation('chat_v11', byDefault, context);
			assert.equal(answer.value, false, JSON.stringify([byDefault, context]));
			assert.equal(answer.errorCode, undefined);
			assert.equal(answer.variant, 'off');
		}
}

let insiders = new Set();
for (const stage of stages) {
	test(`${stage}: no mismatch in ${ids.length} ids`, async () => {
		await database.enter(stage);
		const expected = await database.enabled(ids);
		assert.ok(Math.abs(Database.share(expected) * 100 - percents[stage]) < 0.7, 'share');
		assert.equal(mismatches(await client(), ids, expected), 0);
		const now = new Set(ids.filter((_, i) => expected[i]));
		assert.ok([...insiders].every((id) => now.has(id)), 'whoever was in stays in');
		insiders = now;
	});

	test(`${stage}: off without a key`, async () => nobodyIsOff(await client()));

	test(`${stage}: a number counts as its digits`, async () => {
		const flagd = await client();
		const numbers = Array.from({ length: 2000 }, (_, i) => (i + 1) * 7);
		assert.equal(mismatches(flagd, numbers, await database.enabled(numbers.map(String))), 0);
		assert.equal(flagd.resolveBooleanEvaluation('chat_v11', true, { targetingKey: 0 }).value, false);
	});

	test(`${stage}: as well without generated code`, async () => {
		const some = ids.slice(0, 5000);
		const interpreted = await client({ disableDynamicCodeGeneration: true });
		assert.equal(mismatches(interpreted, some, await database.enabled(some)), 0);
		await nobodyIsOff(interpreted);
	});

	test(`${stage}: ids beyond ASCII, through targeting_key()`, async () => {
		const keys = await database.targetingKeys(wideIds(10000));
		assert.equal(mismatches(await client(), keys, await database.enabled(keys)), 0);
	});

	test(`${stage}: metadata come with each answer`, async () => {
		const flagd = await client();
		const version = Number(await database.value('select version from chat_v11.rollout_state'));
		const metadata = { stage, killed: false, revision: version, bucketing: 'flagd-v2' };
		const answer = flagd.resolveBooleanEvaluation('chat_v11', false, { targetingKey: 'alice' });
		assert.deepEqual(answer.flagMetadata, metadata);
		assert.deepEqual(flagd.getFlagSetMetadata(), metadata);
		assert.equal(answer.reason, 'TARGETING_MATCH');
	});

	test(`${stage}, then killed: off for ${ids.length} ids`, async () => {
		await database.kill();
		const expected = await database.enabled(ids);
		assert.ok(expected.every((each) => !each));
		const flagd = await client();
		assert.equal(mismatches(flagd, ids, expected), 0);
		await nobodyIsOff(flagd);
		const answer = flagd.resolveBooleanEvaluation('chat_v11', true, { targetingKey: 'alice' });
		assert.equal(answer.reason, 'STATIC');
		assert.equal(answer.flagMetadata.killed, true);
	});
}

test('a client that runs takes the next document over', async () => {
	await database.enter('full');
	const flagd = await client();
	const ask = () => flagd.resolveBooleanEvaluation('chat_v11', true, { targetingKey: 'alice' }).value;
	assert.equal(ask(), true);
	await database.kill();
	const changed = flagd.setConfigurations(await database.value('select chat_v11.flagd_config()::text'));
	assert.deepEqual(changed, ['chat_v11']);
	assert.equal(ask(), false);
});

test('raw ids beyond ASCII do differ: they are hashed as UTF-16 there', async () => {
	await database.enter('canary_50');
	const wide = wideIds(10000);
	assert.ok(mismatches(await client(), wide, await database.enabled(wide)) > 5000);
});

for (const bucketing of ['unleash', 'fnv1a'])
	test(`a release bucketed by ${bucketing} differs, and says so`, async () => {
		await database.enter('canary_50', bucketing);
		const flagd = await client();
		const some = ids.slice(0, 10000);
		assert.ok(mismatches(flagd, some, await database.enabled(some)) > 5000);
		const { flagMetadata } = flagd.resolveBooleanEvaluation('chat_v11', false, { targetingKey: 'alice' });
		assert.equal(flagMetadata.bucketing, bucketing);
		assert.match(flagMetadata.warning, new RegExp(`bucketed by ${bucketing}, this client by flagd-v2`));
		// Not of a kill, nor for nobody, nor where everybody is in.
		await nobodyIsOff(flagd);
		await database.enter('full', bucketing);
		assert.equal(mismatches(await client(), some, await database.enabled(some)), 0);
		await database.kill();
		assert.equal(mismatches(await client(), some, some.map(() => false)), 0);
	});
