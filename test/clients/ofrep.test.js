'use strict';
// The OpenFeature SDK with its OFREP provider, against a gateway that hands each body to the database.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
const { Database, stages } = require('./lib/database');
const { asciiIds, wideIds } = require('./lib/ids');
const { serve } = require('./lib/http');

const ids = [...asciiIds(700), ...wideIds(300)];
let database;
let gateway;
let client;

// As an RPC gateway does: the body as the one argument, the status from the transaction.
async function evaluate(request, body) {
	const key = /^\/ofrep\/v1\/evaluate\/flags\/(.*)$/.exec(request.url)?.[1];
	if (key !== 'chat_v11') return { status: 404, body: JSON.stringify({ key, errorCode: 'FLAG_NOT_FOUND' }) };
	const session = await database.pool.connect();
	try {
		await session.query('begin');
		const answer = await session.query('select chat_v11.ofrep_evaluate($1::jsonb)::text as body', [body]);
		const status = await session.query("select current_setting('response.status') as status");
		return { status: Number(status.rows[0].status), body: answer.rows[0].body };
	} catch (error) {
		return { status: 400, body: JSON.stringify({ code: error.code, message: error.message }) };
	} finally {
		await session.query('rollback');
		session.release();
	}
}

before(async () => {
	database = await Database.create('ofrep');
	gateway = await serve(evaluate);
	await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: gateway.url }));
	client = OpenFeature.getClient();
});
after(async () => {
	await OpenFeature.close();
	await gateway.close();
	await database.end();
});

// Some at a time, in their order.
async function details(keys, byDefault) {
	const answers = [];
	for (let i = 0; i < keys.length; i += 20)
		answers.push(
			...(await Promise.all(
				keys
					.slice(i, i + 20)
					.map((targetingKey) => client.getBooleanDetails('chat_v11', byDefault, { targetingKey })),
			)),
		);
	return answers;
}

async function agrees(reason) {
	const expected = await database.enabled(ids);
	for (const byDefault of [true, false]) {
		const answers = await details(ids, byDefault);
		assert.deepEqual(answers.map((answer) => answer.value), expected);
		assert.ok(answers.every((answer) => answer.reason === reason && !answer.errorCode));
		assert.ok(answers.every((answer) => answer.variant === (answer.value ? 'on' : 'off')));
	}
	return expected;
}

for (const stage of stages) {
	test(`${stage}: no mismatch in ${ids.length} ids, as they are, beyond ASCII too`, async () => {
		await database.enter(stage, 'flagd-v2');
		const expected = await agrees(stage === 'full' ? 'STATIC' : 'SPLIT');
		assert.ok(expected.some(Boolean));
	});

	test(`${stage}: without a key it is the protocol's error, and the caller's default`, async () => {
		for (const byDefault of [true, false])
			for (const context of [{}, { targetingKey: '' }, { targetingKey: null }, { email: 'a@example.com' }]) {
				const answer = await client.getBooleanDetails('chat_v11', byDefault, context);
				assert.equal(answer.value, byDefault);
				assert.equal(answer.reason, 'ERROR');
				assert.equal(answer.errorCode, 'TARGETING_KEY_MISSING');
				assert.equal(answer.errorMessage, 'context.targetingKey is absent, null or empty');
			}
	});

	test(`${stage}, then killed: off for everybody, and for nobody`, async () => {
		await database.kill();
		const expected = await agrees('STATIC');
		assert.ok(expected.every((each) => !each));
		for (const byDefault of [true, false])
			for (const context of [{}, { targetingKey: '' }, { targetingKey: null }]) {
				const answer = await client.getBooleanDetails('chat_v11', byDefault, context);
				assert.equal(answer.value, false);
				assert.equal(answer.reason, 'STATIC');
				assert.equal(answer.errorCode, undefined);
			}
	});
}

for (const bucketing of ['unleash', 'fnv1a'])
	test(`the database decides, also by ${bucketing}`, async () => {
		await database.enter('canary_50', bucketing);
		await agrees('SPLIT');
		const { flagMetadata } = await client.getBooleanDetails('chat_v11', false, { targetingKey: 'alice' });
		const revision = Number(await database.value('select version from chat_v11.rollout_state'));
		assert.deepEqual(flagMetadata, { stage: 'canary_50', killed: false, revision, bucketing });
	});

test('a targeting key of another type is INVALID_CONTEXT', async () => {
	await database.enter('full', 'flagd-v2');
	for (const targetingKey of [7, true, ['alice'], { id: 'alice' }]) {
		const answer = await client.getBooleanDetails('chat_v11', false, { targetingKey });
		assert.equal(answer.value, false);
		assert.equal(answer.errorCode, 'INVALID_CONTEXT');
	}
});

test('a flag of another type, and another flag', async () => {
	const text = await client.getStringDetails('chat_v11', 'x', { targetingKey: 'alice' });
	assert.equal(text.value, 'x');
	assert.equal(text.errorCode, 'TYPE_MISMATCH');
	const other = await client.getBooleanDetails('chat_v12', true, { targetingKey: 'alice' });
	assert.equal(other.errorCode, 'FLAG_NOT_FOUND');
});

test('whatever else is in the context is passed over', async () => {
	const context = { targetingKey: 'alice', at: new Date(0), deep: { targetingKey: '' }, list: [null, 1, 'ü'] };
	const answer = await client.getBooleanDetails('chat_v11', false, context);
	assert.equal(answer.value, true);
});

// What no client of the SDK sends.
async function post(body) {
	const headers = { 'content-type': 'application/json' };
	const url = `${gateway.url}/ofrep/v1/evaluate/flags/chat_v11`;
	const response = await fetch(url, { method: 'POST', headers, body });
	return { status: response.status, ...(await response.json()) };
}

for (const [body, errorCode] of [
	['null', 'PARSE_ERROR'],
	['[]', 'PARSE_ERROR'],
	['"x"', 'PARSE_ERROR'],
	['7', 'PARSE_ERROR'],
	['{}', 'TARGETING_KEY_MISSING'],
	['{"context": null}', 'TARGETING_KEY_MISSING'],
	['{"context": []}', 'INVALID_CONTEXT'],
	['{"context": "alice"}', 'INVALID_CONTEXT'],
])
	test(`body ${body}: 400 ${errorCode}`, async () => {
		const answer = await post(body);
		assert.equal(answer.status, 400);
		assert.equal(answer.key, 'chat_v11');
		assert.equal(answer.errorCode, errorCode);
		assert.equal(typeof answer.errorDetails, 'string');
	});

test('what the database does not take for JSON does no harm', async () => {
	const nested = (depth) => '{"context":'.repeat(depth) + '1' + '}'.repeat(depth);
	for (const [body, code] of [
		['', '22P02'],
		['{"context": {"targetingKey": "al', '22P02'],
		['{"context": {"targetingKey": "\\u0000"}}', '22P05'],
		['{"context": {"targetingKey": "\\ud800"}}', '22P02'],
		['{"context": {"targetingKey": "a\u0000b"}}', '22021'],
		[nested(100000), '54001'],
	]) {
		const answer = await post(body);
		assert.deepEqual([answer.status, answer.code], [400, code], body.slice(0, 40));
	}
	const long = 'ü'.repeat(5000000);
	const answer = await post(JSON.stringify({ context: { targetingKey: long, more: long } }));
	assert.deepEqual([answer.status, answer.value], [200, true]);
	assert.equal((await post('{"context": {"targetingKey": "alice"}}')).value, true);
});

test('a kill is seen by the next request', async () => {
	await database.enter('full');
	assert.equal(await client.getBooleanValue('chat_v11', true, { targetingKey: 'alice' }), true);
	await database.kill();
	assert.equal(await client.getBooleanValue('chat_v11', true, { targetingKey: 'alice' }), false);
});
