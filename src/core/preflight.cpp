#include "core/preflight.hpp"

#include "core/refusal.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>

namespace chat_v11 {

namespace {

const char *const explain = "select * from chat_v11.explain_gates();";

Precondition
met(std::string_view name, std::string detail) {
	return {std::string(name), true, std::move(detail), {}};
}

Precondition
not_met(std::string_view name, std::string detail, std::string what_to_do) {
	return {std::string(name), false, std::move(detail), std::move(what_to_do)};
}

std::string
attested_text(const Attested &attested) {
	return "by " + one_line(attested.by) + " at " + format_utc(floor_second(attested.at)) + ": " +
		   one_line(attested.ref);
}

Precondition
extension_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "extension";
	if (!facts.versions_error.empty())
		return not_met(row, "versions cannot be read: " + one_line(facts.versions_error),
					   "select * from pg_available_extensions where name = 'chat_v11';");
	const auto installed = facts.installed.value_or("none");
	// Servers do not list what they find by a search path; the library was built from the same file.
	const auto available = facts.available.value_or(facts.library);
	if (installed != available)
		return not_met(row, installed + " is installed, " + available + " is the default version",
					   "alter extension chat_v11 update;");
	return met(row, installed + " is installed, and the default version");
}

Precondition
library_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "library";
	const auto installed = facts.installed.value_or("none");
	if (facts.library != installed)
		return not_met(row, "this session runs the library of " + facts.library + ", the extension is " + installed,
					   "Connect anew; where the library is preloaded, restart the server.");
	return met(row, "this session runs the library of " + facts.library);
}

Precondition
smoke_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "smoke";
	if (!facts.smoke_error.empty())
		return not_met(row, one_line(facts.smoke_error), "Call it by hand and mend what it says.");
	return met(row, "gates, state and history answer");
}

Precondition
log_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "decision_log";
	if (!facts.log_misfit.empty())
		return not_met(row, one_line(facts.log_misfit), "select * from chat_v11.verify_history();");
	return met(row, "every row fits");
}

Precondition
attested_row(std::string_view row, std::string_view key, const std::optional<Attested> &attested,
			 const PreflightFacts &facts, const std::string &ref) {
	const auto todo = "select chat_v11.attest('" + std::string(key) + "', '" + ref + "', true);";
	if (!facts.attestations_error.empty())
		return not_met(row, "attestations cannot be read: " + one_line(facts.attestations_error), todo);
	if (!attested)
		return not_met(row, "nobody has attested it", todo);
	if (!attested->ok)
		return not_met(row, "attested as not in order " + attested_text(*attested), todo);
	return met(row, "attested " + attested_text(*attested));
}

Precondition
roster_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "roster";
	if (!facts.roster_error.empty())
		return not_met(row, "the roster cannot be read: " + one_line(facts.roster_error),
					   "select * from chat_v11.oncall;");
	std::vector<std::string> filled;
	std::vector<std::string> vacant;
	for (size_t i = 0; i < oncall_roles.size(); ++i) {
		const auto duty = std::find_if(facts.roster.begin(), facts.roster.end(),
									   [&](const Duty &each) { return each.role == oncall_roles[i]; });
		if (duty != facts.roster.end() && duty->person)
			filled.push_back(std::string(oncall_roles[i]) + " " + *duty->person);
		else if (i < needed_roles)
			vacant.emplace_back(oncall_roles[i]);
	}
	if (!vacant.empty())
		return not_met(row, "nobody is assigned to " + join(vacant, ", "),
					   "select chat_v11.assign_oncall('" + vacant.front() + "', 'NAME');");
	return met(row, join(filled, ", "));
}

Precondition
guard_row(const PreflightFacts &facts) {
	constexpr std::string_view row = "guard";
	constexpr std::array<std::string_view, 3> at_work = {"guarding", "idle", "ticking"};
	const auto detail = facts.guard_state + (facts.guard_remark.empty() ? "" : ", " + facts.guard_remark);
	if (std::find(at_work.begin(), at_work.end(), facts.guard_state) == at_work.end())
		return not_met(row, one_line(detail),
					   "By an admin: select chat_v11.start_guard(); then select * from chat_v11.guard_status();");
	return met(row, one_line(detail));
}

Precondition
self_test_row(const GateInput &input, const PreflightFacts &facts) {
	constexpr std::string_view row = "self_test";
	std::vector<std::string> failures;
	std::vector<std::string> red;
	for (const auto &result : facts.self_test)
		if (result.failure.empty())
			red.push_back(result.check);
		else
			failures.push_back(result.check + ": " + one_line(result.failure));
	if (!facts.self_test_error.empty())
		failures.push_back(one_line(facts.self_test_error));
	if (!failures.empty())
		return not_met(row, join(failures, "; "), explain);
	// A check that counts nowhere, and that nobody tests, is a breach that nobody is told of.
	for (const auto &check : input.checks)
		if (check.gate == Gate::p0 && !check.counts())
			return not_met(row, check.name + " cannot turn red: it is " + (check.enabled ? "advice" : "disabled"),
						   "select chat_v11.set_check('" + check.name + "', p_enabled => true, p_on_fail => 'kill');");
	if (red.empty())
		return not_met(row, "there is no P0 check", explain);
	return met(row, "a synthetic breach turned each red: " + join(red, ", "));
}

Precondition
telemetry_row(const GateInput &input) {
	constexpr std::string_view row = "telemetry";
	if (!input.telemetry)
		return not_met(row, "telemetry cannot be read: " + one_line(input.telemetry_error), "Mend the telemetry.");
	std::vector<std::string> missing;
	std::string first;
	std::array<bool, kind_count> named{};
	for (const auto &check : input.checks) {
		const auto *rule = find_metric(check.metric);
		if (!rule || !check.counts())
			continue;
		const auto kind = static_cast<size_t>(rule->fresh_kind);
		const auto seen = input.telemetry->last_seen[kind];
		if (named[kind] || input.wired[kind] || (seen && input.now - *seen <= wired_window))
			continue;
		named[kind] = true;
		if (first.empty())
			first = kind_names[kind];
		missing.push_back("no " + std::string(kind_names[kind]) + " event was seen within 7 days, and " + check.name +
						  " rests on it");
	}
	if (!missing.empty())
		return not_met(row, join(missing, "; "),
					   "Wire it; what is rightly rare is attested: select chat_v11.attest('telemetry:" + first +
						   "', 'where that was checked', true);");
	return met(row, "every enabled check has telemetry to rest on");
}

Precondition
incidents_row(const GateInput &input) {
	constexpr std::string_view row = "incidents";
	const auto *const todo = "select * from chat_v11.incidents();";
	if (!input.incident_error.empty())
		return not_met(row, "incidents cannot be read: " + one_line(input.incident_error), todo);
	std::vector<std::string> open;
	for (const auto &incident : input.incidents)
		if (freezes(incident.severity))
			open.push_back(one_line(describe(incident)));
	return open.empty() ? met(row, "no P0 or P1 is open") : not_met(row, join(open, "; "), todo);
}

} // namespace

std::string
ci_key(Stage target) {
	return "ci:" + std::string(name(target));
}

std::vector<Precondition>
gate_preconditions(const GateInput &input, const GateAnswer &answer) {
	std::vector<Precondition> rows;
	if (answer.p0_ok)
		rows.push_back(met("gates", "no P0 check fails"));
	else
		rows.push_back(not_met("gates", "a P0 check fails: " + answer.reasons.front(), explain));
	rows.push_back(incidents_row(input));
	rows.push_back(telemetry_row(input));
	return rows;
}

Precondition
ci_precondition(Stage target, const std::optional<Attested> &ci, Time now, const std::string &error) {
	const auto todo = "Run the workflow chat-v11-release-gate for " + std::string(name(target)) +
					  "; it puts itself on record: select chat_v11.attest('" + ci_key(target) +
					  "', 'link to the run', true);";
	if (!error.empty())
		return not_met(ci_row, "attestations cannot be read: " + one_line(error), todo);
	if (!ci)
		return not_met(ci_row, "no run for " + std::string(name(target)) + " is on record", todo);
	if (!ci->ok)
		return not_met(ci_row, "the last run was red, " + attested_text(*ci), todo);
	if (ci->at > now)
		return not_met(ci_row, "the last run lies ahead of the clock, " + attested_text(*ci), todo);
	if (now - ci->at > ci_counts_for)
		return not_met(ci_row,
					   "the last green run is " + format_duration(floor_second(now) - floor_second(ci->at)) +
						   " old, at most " + format_duration(ci_counts_for) + " counts",
					   todo);
	return met(ci_row, "green for " + std::string(name(target)) + ", " + attested_text(*ci));
}

std::vector<Precondition>
preflight(const GateInput &input, const GateAnswer &answer, const PreflightFacts &facts) {
	std::vector<Precondition> rows = {extension_row(facts), library_row(facts), smoke_row(facts), log_row(facts)};
	rows.push_back(attested_row("migrations", migrations_key, facts.migrations, facts, "link to the migration list"));
	rows.push_back(roster_row(facts));
	rows.push_back(attested_row("runbook", runbook_key, facts.runbook, facts, "who has read which revision"));
	rows.push_back(ci_precondition(facts.target, facts.ci, input.now, facts.attestations_error));
	for (auto &row : gate_preconditions(input, answer))
		rows.push_back(std::move(row));
	rows.push_back(guard_row(facts));
	if (facts.with_self_test)
		rows.push_back(self_test_row(input, facts));
	return rows;
}

std::vector<Precondition>
unmet(std::vector<Precondition> rows) {
	std::erase_if(rows, [](const Precondition &row) { return row.ok; });
	return rows;
}

std::vector<std::string>
sentences(const std::vector<Precondition> &rows) {
	std::vector<std::string> list;
	for (const auto &row : rows)
		list.push_back(row.sentence());
	return list;
}

Stage
next_target(const State &state) {
	return state.live() ? next(state.stage).value_or(Stage::full) : Stage::canary_1;
}

Stage
target_stage(const std::optional<std::string> &named, const State &state) {
	const auto stage = named ? parse_stage(*named) : std::optional(next_target(state));
	if (!stage)
		throw invalid_argument("unknown stage \"" + truncate_utf8(*named, 64) + "\"",
							   "Stages are canary_1, canary_10, canary_50 and full.",
							   "select * from chat_v11.preflight('" + std::string(name(next_target(state))) + "');");
	return *stage;
}

} // namespace chat_v11
