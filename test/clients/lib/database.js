'use strict';
// A database with the extension, of one test file's own, on the server that the environment names.
const { Client, Pool } = require('pg');

const stages = ['canary_1', 'canary_10', 'canary_50', 'full'];

class Database {
	static async create(name, { bucketing = 'flagd-v2' } = {}) {
		const server = new Client();
		await server.connect();
		await server.query(`create database ${name}`);
		await server.end();
		const database = new Database();
		database.pool = new Pool({ database: name, max: 4 });
		await database.query('set client_min_messages = error; create extension chat_v11');
		await database.query("select chat_v11.set_setting('bucketing', $1, 'for the clients at hand')", [bucketing]);
		await database.set('canary_1', false);
		return database;
	}

	async query(sql, parameters) {
		return (await this.pool.query(sql, parameters)).rows;
	}

	async value(sql, parameters) {
		const [row] = await this.query(sql, parameters);
		return Object.values(row)[0];
	}

	end() {
		return this.pool.end();
	}

	set(stage, kill) {
		return this.query("select public.chat_set_v11_rollout_state($1, $2, 'test')", [stage, kill]);
	}

	// Without the gates, which are other tests' business.
	async enter(stage, bucketing) {
		await this.query(`
			begin;
			alter table chat_v11.rollout_state disable trigger "20_decide", disable trigger "30_log";
			update chat_v11.rollout_state set stage = '${stage}', kill_switch = false, version = version + 1
				${bucketing ? `, bucketing = '${bucketing}'` : ''};
			alter table chat_v11.rollout_state enable always trigger "20_decide", enable always trigger "30_log";
			commit`);
	}

	kill() {
		return this.set('canary_1', true);
	}

	// Whether each is in, as the database says.
	async enabled(ids) {
		const answers = await this.value(
			`select string_agg(case when public.chat_is_v11_enabled(id) then '1' else '0' end, '' order by n)
			from unnest($1::text[]) with ordinality i(id, n)`,
			[ids],
		);
		return Array.from(answers, (each) => each === '1');
	}

	targetingKeys(ids) {
		return this.value(
			'select array_agg(chat_v11.targeting_key(id) order by n) from unnest($1::text[]) with ordinality i(id, n)',
			[ids],
		);
	}

	// The share that is in must be near the target, or no comparison says much.
	static share(answers) {
		return answers.filter(Boolean).length / answers.length;
	}
}

module.exports = { Database, stages, percents: { canary_1: 1, canary_10: 10, canary_50: 50, full: 100 } };
