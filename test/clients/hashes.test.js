'use strict';
// The hashes that the clients are made of, directly: their packages' own vectors, and bucket() from their own hash.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const MurmurHash3 = require('imurmurhash');
const murmurHash3js = require('murmurhash3js');
const { Database } = require('./lib/database');
const { asciiIds, wideIds, targetingKey } = require('./lib/ids');

let database;
before(async () => {
	database = await Database.create('hashes');
});
after(() => database.end());

const flagdBucket = (key) => Number((BigInt(new MurmurHash3('chat_v11' + key).result()) * 10000n) >> 32n);
const buckets = (ids) =>
	database.value(
		'select array_agg(chat_v11.bucket(id) order by n) from unnest($1::text[]) with ordinality i(id, n)', [ids]);

test('both packages meet the vectors that murmurhash3js publishes', () => {
	const source = fs.readFileSync(require.resolve('murmurhash3js/test/test-server.js'), 'utf8');
	const vectors = [...source.matchAll(/x86\.hash32\("([^"]*)"(?:, (\d+))?\)\s*\.should\.be\.equal\((\d+)\)/g)];
	assert.ok(vectors.length >= 12, `${vectors.length} vectors`);
	for (const [, key, seed, hash] of vectors) {
		assert.equal(murmurHash3js.x86.hash32(key, Number(seed ?? 0)), Number(hash), key);
		assert.equal(new MurmurHash3(key, Number(seed ?? 0)).result(), Number(hash), key);
	}
});

test('bucket() is what the hash of imurmurhash makes, for 100,000 ids in ASCII', async () => {
	const ids = asciiIds(100000);
	assert.deepEqual(await buckets(ids), ids.map(flagdBucket));
	assert.equal(await database.value("select chat_v11.bucket('')"), flagdBucket(''));
});

test('and of murmurhash3js', async () => {
	const ids = asciiIds(20000);
	const theirs = ids.map((id) => Number((BigInt(murmurHash3js.x86.hash32('chat_v11' + id)) * 10000n) >> 32n));
	assert.deepEqual(await buckets(ids), theirs);
});

test('both hash UTF-16, so that ids beyond ASCII agree through targeting_key() alone', async () => {
	const ids = wideIds(20000);
	const keys = await database.targetingKeys(ids);
	assert.deepEqual(await buckets(keys), keys.map(flagdBucket));
	const raw = await buckets(ids);
	const others = ids.filter((id, i) => flagdBucket(id) !== raw[i]).length;
	assert.ok(others > ids.length * 0.9, `${others} differ`);
});

test('targeting_key() is one line of JavaScript', async () => {
	const ids = [...wideIds(20000), ...asciiIds(2000)];
	assert.deepEqual(await database.targetingKeys(ids), ids.map(targetingKey));
});
