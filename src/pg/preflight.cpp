#include "pg/preflight.hpp"

#include "pg/guard_worker.hpp"
#include "pg/version.hpp"

#include <algorithm>
#include <chrono>

namespace chat_v11::pg {

namespace {

using Clock = std::chrono::steady_clock;

// A preflight may stand in the way of a start, and its caller holds the lock of all changes: it ends.
constexpr int read_limit_ms = 3000;
constexpr auto self_test_limit = std::chrono::seconds(5);

// Rolls a self-test's subtransaction back.
struct Undone : std::exception {};

std::string
read_within(const std::function<void(Spi &)> &f) {
	return attempt_within(read_limit_ms, [&] { with_spi(f); });
}

void
read_versions(PreflightFacts &facts) {
	facts.library = library_version();
	facts.versions_error = read_within([&](Spi &spi) {
		const auto rows = spi.query("SELECT e.extversion, (SELECT a.default_version FROM "
									"pg_catalog.pg_available_extensions() a WHERE a.name = e.extname) "
									"FROM pg_catalog.pg_extension e WHERE e.extname = 'chat_v11'");
		if (rows.empty())
			return;
		facts.installed = rows.text(0, 1);
		facts.available = rows.text(0, 2);
	});
}

void
call_readers(PreflightFacts &facts) {
	struct Reader {
		const char *call;
		bool one_row;
	};
	for (const auto &reader :
		 {Reader{"public.chat_get_v11_release_gates()", true}, Reader{"public.chat_get_v11_rollout_state()", true},
		  Reader{"public.chat_get_v11_rollout_history(20)", false}}) {
		std::int64_t rows = 0;
		const auto error = read_within([&](Spi &spi) {
			const auto sql = std::string("SELECT FROM ") + reader.call;
			rows = spi.query(sql.c_str()).size();
		});
		if (!error.empty())
			facts.smoke_error = std::string(reader.call) + ": " + error;
		else if (reader.one_row && rows != 1)
			facts.smoke_error = std::string(reader.call) + " gave " + std::to_string(rows) + " rows";
		if (!facts.smoke_error.empty())
			return;
	}
}

void
verify_log(PreflightFacts &facts) {
	const auto error = read_within([&](Spi &spi) {
		const auto rows = spi.query("SELECT v.reason FROM chat_v11.verify_history() v");
		if (!rows.empty())
			facts.log_misfit = rows.text(0, 1).value_or("");
	});
	if (!error.empty())
		facts.log_misfit = "the decision log cannot be verified: " + error;
}

void
read_attestations(PreflightFacts &facts) {
	facts.attestations_error = read_within([&](Spi &spi) {
		const auto find = [&](std::string_view what) -> std::optional<Attested> {
			const auto rows = spi.query("SELECT a.ok, a.attested_at, a.attested_by, a.ref FROM chat_v11.attestation a "
										"WHERE a.what = $1",
										Params() << what);
			if (rows.empty())
				return std::nullopt;
			return Attested{*rows.boolean(0, 1), *rows.time(0, 2), *rows.text(0, 3), *rows.text(0, 4)};
		};
		facts.migrations = find(migrations_key);
		facts.runbook = find(runbook_key);
		facts.ci = find(ci_key(facts.target));
	});
}

void
read_guard(PreflightFacts &facts) {
	const auto error = attempt_within(read_limit_ms, [&] {
		const auto report = guard_report();
		facts.guard_state = report.state;
		facts.guard_remark = report.remark;
	});
	if (error.empty())
		return;
	facts.guard_state = "unknown";
	facts.guard_remark = error;
}

SelfTestResult
test_check(const State &state, const Check &check, const GateAnswer &before, const Settings &settings, int limit_ms) {
	const auto *known = before.find(check.name);
	const auto figure = known ? known->figure : Figure{};
	const auto breach = synthetic_breach(check, figure, now(), settings);
	if (breach.events == 0)
		return {check.name, breach.impossible};
	std::optional<SelfTestResult> result;
	const auto error = attempt_within(limit_ms, [&] {
		with_spi([&](Spi &spi) {
			spi.execute("SELECT pg_catalog.count(chat_v11.record($1, 'v11', pg_catalog.gen_random_uuid(), "
						"pg_catalog.gen_random_uuid(), NULL, $2)) FROM pg_catalog.generate_series(1, $3)",
						Params() << kind_names[static_cast<size_t>(breach.kind)] << breach.at << breach.events);
		});
		with_latest_snapshot([&] { result = judge_self_test(check, figure, evaluate_gates(state).answer); });
		throw Undone();
	});
	return result.value_or(SelfTestResult{check.name, error});
}

// One check after the other, each in a subtransaction of its own: nobody but this session ever sees the events, the
// guard least of all, and nothing of them is left but dead rows.
void
run_self_test(const Evaluation &before, PreflightFacts &facts) {
	if (call([] { return RecoveryInProgress(); })) {
		facts.self_test_error = "not on a standby, which takes no events: ask its primary";
		return;
	}
	if (XactReadOnly) {
		facts.self_test_error = "not in a read-only transaction, which takes no events";
		return;
	}
	if (!before.input.telemetry_error.empty()) {
		facts.self_test_error = "telemetry cannot be read: " + before.input.telemetry_error;
		return;
	}
	const auto end = Clock::now() + self_test_limit;
	for (const auto &check : before.input.checks) {
		if (check.gate != Gate::p0 || !check.counts())
			continue;
		const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
		if (left <= 0) {
			facts.self_test.push_back({check.name, "no time was left for it"});
			continue;
		}
		facts.self_test.push_back(
			test_check(before.input.state, check, before.answer, before.input.settings, static_cast<int>(left)));
	}
}

} // namespace

std::vector<Duty>
load_roster(Spi &spi) {
	std::vector<Duty> roster;
	// An older version's SQL may still wait for its update.
	if (!OidIsValid(find_table("oncall")))
		return roster;
	const auto rows = spi.query("SELECT o.role, o.person, o.since FROM chat_v11.oncall o");
	for (std::int64_t i = 0; i < rows.size(); ++i)
		roster.push_back({*rows.text(i, 1), rows.text(i, 2), rows.time(i, 3)});
	return roster;
}

bool
may_self_test() {
	return with_spi([](Spi &spi) {
		return *spi.query("SELECT pg_catalog.has_function_privilege($1, 'chat_v11.preflight(text)', 'EXECUTE')",
						  Params().add(OIDOID, ObjectIdGetDatum(GetOuterUserId())))
					.boolean(0, 1);
	});
}

std::vector<Precondition>
preflight_rows(const Evaluation &evaluation, Stage target, SelfTest self_test) {
	PreflightFacts facts;
	facts.target = target;
	with_latest_snapshot([&] {
		read_versions(facts);
		call_readers(facts);
		verify_log(facts);
		read_attestations(facts);
		facts.roster_error = read_within([&](Spi &spi) { facts.roster = load_roster(spi); });
		read_guard(facts);
	});
	facts.with_self_test = self_test == SelfTest::yes;
	if (facts.with_self_test)
		run_self_test(evaluation, facts);
	return preflight(evaluation.input, evaluation.answer, facts);
}

std::vector<Precondition>
binding_rows(const Evaluation &evaluation, const Classified &change, SelfTest self_test) {
	if (change.transition == Transition::start)
		return preflight_rows(evaluation, change.target, self_test);
	if (change.transition != Transition::promote || evaluation.input.settings.preflight != Preflight::enforce)
		return {};
	PreflightFacts facts;
	facts.target = change.target;
	with_latest_snapshot([&] { read_attestations(facts); });
	return {ci_precondition(facts.target, facts.ci, evaluation.input.now, facts.attestations_error)};
}

} // namespace chat_v11::pg
