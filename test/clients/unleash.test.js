'use strict';
// unleash-client, polling a server whose answer at /client/features is what the database makes of it.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const { performance } = require('node:perf_hooks');
const { Unleash, InMemStorageProvider } = require('unleash-client');
const featureSchema = require('@unleash/client-specification/schema/feature-schema');
const { Database, stages, percents } = require('./lib/database');
const { asciiIds, wideIds } = require('./lib/ids');
const { serve } = require('./lib/http');

const refreshInterval = 50; // ms
const ids = asciiIds(25000);
const event = (unleash, name) => once(unleash, name, { signal: AbortSignal.timeout(20000) });

// An Unleash server as far as the client needs one.  `features()` gives the document.
class Server {
	static async start(features) {
		const server = new Server();
		server.answers = []; // of /client/features: when asked, when answered, and with what
		server.registered = [];
		Object.assign(
			server,
			await serve(async (request, body) => {
				if (request.method === 'POST') {
					if (request.url === '/client/register') server.registered.push(JSON.parse(body));
					return { status: 202 };
				}
				if (request.url !== '/client/features') return { status: 404 };
				const asked = performance.now();
				const document = await features();
				const etag = `"${createHash('sha256').update(document).digest('hex')}"`;
				const status = request.headers['if-none-match'] === etag ? 304 : 200;
				server.answers.push({ asked, answered: performance.now(), status, document });
				return { status, headers: { etag }, body: status === 200 ? document : '' };
			}),
		);
		return server;
	}

	// A client that has its first document.
	async client() {
		const unleash = new Unleash({
			url: this.url,
			appName: 'chat',
			refreshInterval,
			metricsInterval: 100000,
			storageProvider: new InMemStorageProvider(), // else it goes on with what an earlier run left in a file
			skipInstanceCountWarning: true,
		});
		unleash.on('error', (error) => this.errors.push(error));
		await event(unleash, 'synchronized');
		return unleash;
	}

	errors = [];
}

let database;
let server;
before(async () => {
	database = await Database.create('unleash', { bucketing: 'unleash' });
	server = await Server.start(() => database.value('select chat_v11.unleash_features()::text'));
});
after(async () => {
	await server.close();
	await database.end();
});

async function withClient(run) {
	const unleash = await server.client();
	try {
		await run(unleash);
	} finally {
		unleash.destroy();
	}
	assert.deepEqual(server.errors, []);
}

// How many of the ids it answers otherwise than expected, whichever fallback its caller has.
function mismatches(unleash, keys, expected) {
	let count = 0;
	for (const fallback of [true, false])
		keys.forEach((userId, i) => {
			if (unleash.isEnabled('chat_v11', { userId }, fallback) !== expected[i]) ++count;
		});
	return count;
}

function nobodyIsOff(unleash) {
	for (const fallback of [true, false])
		for (const context of [{}, { userId: '' }, { userId: null }, { userId: undefined }, { sessionId: 'alice' }])
			assert.equal(unleash.isEnabled('chat_v11', context, fallback), false, JSON.stringify(context));
}

for (const stage of stages) {
	test(`${stage}: no mismatch in ${ids.length} ids`, async () => {
		await database.enter(stage);
		const expected = await database.enabled(ids);
		assert.ok(Math.abs(Database.share(expected) * 100 - percents[stage]) < 1.5, 'share');
		await withClient((unleash) => {
			assert.equal(mismatches(unleash, ids, expected), 0);
			nobodyIsOff(unleash);
		});
	});

	test(`${stage}: ids beyond ASCII, through targeting_key()`, async () => {
		const keys = await database.targetingKeys(wideIds(5000));
		const expected = await database.enabled(keys);
		await withClient((unleash) => assert.equal(mismatches(unleash, keys, expected), 0));
	});

	test(`${stage}: a feature of Unleash's own schema, with a strategy, whether killed or not`, async () => {
		const metadata = { stage, killed: false, bucketing: 'unleash' };
		for (const kill of [false, true]) {
			if (kill) await database.kill();
			const document = await database.value('select chat_v11.unleash_features()');
			assert.equal(document.features.length, 1);
			assert.equal(featureSchema.validate(document.features[0]).error, undefined);
			assert.equal(document.features[0].enabled, !kill);
			assert.equal(document.features[0].strategies.length, 1);
			const { revision, ...rest } = document.metadata;
			assert.equal(String(revision), await database.value('select version from chat_v11.rollout_state'));
			assert.deepEqual(rest, kill ? { ...metadata, stage: 'canary_1', killed: true } : metadata);
		}
	});

	test(`${stage}, then killed: off for ${ids.length} ids`, async () => {
		await database.enter(stage);
		await withClient(async (unleash) => {
			await Promise.all([event(unleash, 'changed'), database.kill()]);
			assert.equal(mismatches(unleash, ids, ids.map(() => false)), 0);
			nobodyIsOff(unleash);
		});
	});
}

test('a kill is seen by the next poll', async (t) => {
	const times = [];
	for (let round = 0; round < 10; ++round) {
		await database.enter('full');
		await withClient(async (unleash) => {
			assert.equal(unleash.isEnabled('chat_v11', { userId: 'alice' }), true);
			await event(unleash, 'unchanged');
			await sleep(round * 5); // at any time between two polls
			const changed = event(unleash, 'changed');
			await database.kill();
			const committed = performance.now();
			await changed;
			times.push(performance.now() - committed);
			assert.equal(unleash.isEnabled('chat_v11', { userId: 'alice' }, true), false);
			const later = server.answers.filter((answer) => answer.asked > committed);
			assert.ok(later.length <= 1, `${later.length} polls`);
			for (const { document } of later) assert.equal(JSON.parse(document).features[0].enabled, false);
		});
	}
	times.sort((a, b) => a - b);
	t.diagnostic(`polling every ${refreshInterval} ms: median ${times[5].toFixed(1)} ms, longest ${times[9].toFixed(1)} ms`);
});

test('the client registers with the strategy that the document has', () => {
	assert.ok(server.registered.length > 0);
	assert.ok(server.registered[0].strategies.includes('flexibleRollout'));
	assert.ok(server.answers.some((answer) => answer.status === 304), 'unchanged documents are not sent twice');
});

test('raw ids beyond ASCII do differ: they are hashed by the low byte of UTF-16 there', async () => {
	await database.enter('canary_50');
	const wide = wideIds(5000);
	const expected = await database.enabled(wide);
	await withClient((unleash) => assert.ok(mismatches(unleash, wide, expected) > 2500));
});

for (const bucketing of ['flagd-v2', 'fnv1a'])
	test(`a release bucketed by ${bucketing} differs, and says so`, async () => {
		await database.enter('canary_50', bucketing);
		const some = ids.slice(0, 5000);
		const expected = await database.enabled(some);
		await withClient((unleash) => assert.ok(mismatches(unleash, some, expected) > 2500));
		const { metadata } = await database.value('select chat_v11.unleash_features()');
		assert.equal(metadata.bucketing, bucketing);
		assert.match(metadata.warning, new RegExp(`bucketed by ${bucketing}, this client by unleash`));
		await database.kill();
		await withClient((unleash) => assert.equal(mismatches(unleash, some, some.map(() => false)), 0));
	});

// What Unleash publishes for makers of clients: the client at hand is one that keeps to it.
for (const name of ['10-flexible-rollout-strategy', '12-custom-stickiness'])
	test(`the client meets Unleash's specification ${name}`, async () => {
		const { state, tests } = require(`@unleash/client-specification/specifications/${name}.json`);
		assert.ok(tests.length >= 5);
		const theirs = await Server.start(() => JSON.stringify(state));
		const unleash = await theirs.client();
		try {
			for (const { description, context, toggleName, expectedResult } of tests)
				assert.equal(unleash.isEnabled(toggleName, context), expectedResult, description);
		} finally {
			unleash.destroy();
			await theirs.close();
		}
	});
