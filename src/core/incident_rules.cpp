#include "core/incident_rules.hpp"

#include "core/refusal.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

std::string
at_second(Time at) {
	return format_utc(floor_second(at));
}

std::vector<const CheckResult *>
exit_blockers(Severity severity, const GateAnswer &gates) {
	std::vector<const CheckResult *> blockers;
	if (severity == Severity::p2)
		return blockers;
	const bool whole = severity == Severity::p0;
	if (whole && gates.state.killed()) {
		blockers = resume_blockers(gates);
	} else {
		for (const auto &result : gates.checks) {
			const bool broken = result.check.counts() && result.status == Status::fail;
			if (whole && gates.state.live() ? result.blocks : broken && result.check.gate != Gate::rollout)
				blockers.push_back(&result);
		}
	}
	std::erase_if(blockers, [](const CheckResult *result) { return result->check.name == "incident"; });
	return blockers;
}

std::string
id_of(const Incident &incident) {
	return std::to_string(incident.id);
}

std::string
note_command(const Incident &incident, const char *what, int point) {
	return "select chat_v11.note_incident(" + id_of(incident) + ", '" + what + "', 'check:" + std::to_string(point) +
		   "');";
}

const IncidentNote *
tick_of(const ChecklistInput &input, int point) {
	const auto found = std::find_if(input.notes.rbegin(), input.notes.rend(),
									[&](const IncidentNote &note) { return note.point == point; });
	return found == input.notes.rend() ? nullptr : &*found;
}

ChecklistPoint
ticked_by_people(const ChecklistInput &input, int n, const char *point, const char *what) {
	if (const auto *tick = tick_of(input, n))
		return {n, point, true, tick->text + " (" + tick->author + ", " + at_second(tick->at) + ")"};
	return {n, point, false, note_command(input.incident, what, n)};
}

ChecklistPoint
slice_point(const ChecklistInput &input) {
	constexpr const char *point = "SQL slice taken";
	for (const auto &note : input.notes)
		if (note.slice.value_or(false))
			return {2, point, true, "with the opening, at " + at_second(note.at)};
	return {2, point, false, "select * from public.chat_get_v11_release_gates(); and two more, by section 4"};
}

ChecklistPoint
freeze_point(const ChecklistInput &input) {
	constexpr const char *point = "Rollout frozen";
	const auto &incident = input.incident;
	if (!freezes(incident.severity))
		return {3, point, true, "not asked for by a P2"};
	if (incident.closed_at)
		return {3, point, true, "until it was closed at " + at_second(*incident.closed_at)};
	const auto *check = input.gates.find("incident");
	if (check && check->check.counts() && check->status != Status::pass)
		return {3, point, true, "check incident refuses promotions and resumes"};
	return {3, point, false,
			"check incident is not in force: select chat_v11.set_check('incident', p_enabled => true, p_on_fail => "
			"'hold');"};
}

ChecklistPoint
kill_point(const ChecklistInput &input) {
	constexpr const char *point = "Kill switch on, for a P0";
	if (input.incident.severity != Severity::p0)
		return {4, point, true, "not asked for below P0"};
	const Step *kill = nullptr;
	for (const auto &step : input.steps)
		if (step.to_kill && !step.from_kill && (step.at <= input.incident.opened_at ? input.killed_when_opened : !kill))
			kill = &step;
	if (kill)
		return {4, point, true, "on at " + at_second(kill->at) + " by " + kill->changed_by};
	if (input.killed_when_opened)
		return {4, point, true, "it was on when the incident was opened"};
	return {4, point, false, set_command(Stage::canary_1, true, "incident P0")};
}

ChecklistPoint
exit_point(const ChecklistInput &input) {
	constexpr const char *point = "Exit criteria met";
	const auto &incident = input.incident;
	if (incident.closed_at)
		return {7, point, true, "closed at " + at_second(*incident.closed_at) + " by " + incident.closed_by};
	try {
		require_closable(incident, input.gates);
	} catch (const Refusal &refusal) {
		return {7, point, false, refusal.detail() + ". " + refusal.hint()};
	}
	return {7, point, true, "now: " + close_command(incident)};
}

ChecklistPoint
resume_point(const ChecklistInput &input) {
	constexpr const char *point = "Resumed through the gate only";
	const auto &closed = input.incident.closed_at;
	bool killed = input.killed_when_opened;
	const Step *resumed = nullptr;
	for (const auto &step : input.steps) {
		if (step.at < input.incident.opened_at || step.transition == "config")
			continue;
		// Closed, and live again: what came later is not its own.
		if (closed && step.at > *closed && !killed)
			break;
		if (step.overridden)
			return {8, point, false,
					"row " + std::to_string(step.id) + " of the log, at " + at_second(step.at) + ", was forced by " +
						step.changed_by + ", approved by " + step.approved_by};
		if (killed && !step.to_kill)
			resumed = &step;
		killed = step.to_kill;
	}
	if (closed ? killed : input.gates.state.killed())
		return {8, point, false, "not resumed yet: " + set_command(Stage::canary_1, false, "resume controlled")};
	return {8, point, true,
			resumed ? "at " + at_second(resumed->at) + " by " + resumed->changed_by : "it was never stopped"};
}

ChecklistPoint
items_point(const ChecklistInput &input) {
	constexpr const char *point = "Action items assigned";
	if (input.items.empty()) {
		auto ticked = ticked_by_people(input, 10, point, "none is needed, because ...");
		if (!ticked.done)
			ticked.remark = "select chat_v11.add_action_item('what', 'owner', '2026-12-31', " + id_of(input.incident) +
							"); or, where none is needed: " + ticked.remark;
		return ticked;
	}
	std::string loose;
	for (const auto &item : input.items)
		if (!item.assigned() && !item.closed_at)
			loose += (loose.empty() ? "" : ", ") + std::to_string(item.id);
	if (loose.empty())
		return {10, point, true, std::to_string(input.items.size()) + ", each with owner and date"};
	return {10, point, false,
			"without owner or date: " + loose + "; select chat_v11.assign_action_item(" +
				loose.substr(0, loose.find(',')) + ", 'owner', '2026-12-31');"};
}

std::string
count_of(size_t n, const char *what) {
	return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

Criterion
watched_criterion(const CompletionInput &input) {
	const auto &state = input.gates.state;
	const auto watch = policy_of(input.gates.policies, Stage::full).min_duration;
	const auto criterion = "full for its " + format_duration(watch) + " watch";
	if (!state.live() || state.stage != Stage::full)
		return {criterion, false, "the rollout is at " + describe(state)};
	const auto over = *state.entered_at + watch;
	if (input.gates.now < over)
		return {criterion, false,
				"at full since " + at_second(*state.entered_at) + "; over at " + format_utc(ceil_second(over)) + " (" +
					format_duration(over - input.gates.now) + " to go)"};
	return {criterion, true, "at full since " + at_second(*state.entered_at)};
}

Criterion
calm_criterion(const CompletionInput &input) {
	const std::string criterion = "no P0 or P1 incident in it";
	const auto &state = input.gates.state;
	if (!state.live() || state.stage != Stage::full)
		return {criterion, false, "there is no watch: the rollout is at " + describe(state)};
	if (input.gates.incidents_outdated)
		return {criterion, false, "incidents are not kept before the update: alter extension chat_v11 update;"};
	std::string found;
	for (const auto &incident : input.incidents)
		if (freezes(incident.severity))
			found += (found.empty() ? "" : "; ") + std::string(name(incident.severity)) + " incident " +
					 id_of(incident) + " of " + at_second(incident.opened_at) + ": " + incident.title;
	// A hold restarts the watch.
	if (!found.empty())
		return {criterion, false,
				found + ". Begin the watch anew: " +
					set_command(Stage::full, false, "watch begins anew after the incident")};
	return {criterion, true, "none since " + at_second(*state.entered_at)};
}

Criterion
review_criterion(const CompletionInput &input) {
	const std::string criterion = "review attested";
	const auto entered = input.gates.state.entered_at;
	const std::string command = "select chat_v11.attest('review', 'where it can be read', true);";
	if (!input.review_attested)
		return {criterion, false, command};
	if (entered && *input.review_attested < *entered)
		return {criterion, false,
				"the one of " + at_second(*input.review_attested) + " is older than this watch: " + command};
	return {criterion, true, "at " + at_second(*input.review_attested) + ": " + input.review_ref};
}

Criterion
items_criterion(const CompletionInput &input) {
	const std::string criterion = "action items owned, dated, closed or accepted";
	std::string loose;
	std::string open;
	for (const auto &item : input.items) {
		auto &list = !item.assigned() ? loose : open;
		if (!item.assigned() || !item.closed_at)
			list += (list.empty() ? "" : ", ") + std::to_string(item.id);
	}
	if (loose.empty() && open.empty())
		return {criterion, true, input.items.empty() ? "there is none" : count_of(input.items.size(), "item")};
	std::string why;
	if (!loose.empty())
		why = "without owner or date: " + loose + " (select chat_v11.assign_action_item(" +
			  loose.substr(0, loose.find(',')) + ", 'owner', '2026-12-31');)";
	if (!open.empty())
		why += (why.empty() ? "" : "; ") + std::string("open: ") + open + " (select chat_v11.close_action_item(" +
			   open.substr(0, open.find(',')) + ", 'closed', 'how');)";
	return {criterion, false, why};
}

// A P0 lasts for p0_clear_window at least; told like a check.
CheckResult
p0_window(const Incident &incident, const GateAnswer &gates) {
	const auto since = std::max(incident.opened_at, incident.escalated_at.value_or(incident.opened_at));
	CheckResult window;
	window.check.gate = Gate::rollout;
	window.status = Status::fail;
	window.clears_at = since + gates.p0_clear_window;
	window.reason = "p0_clear_window: a P0 lasts " + format_duration(gates.p0_clear_window) + " at least, since " +
					at_second(since) + ": until " + format_utc(ceil_second(*window.clears_at));
	return window;
}

} // namespace

void
require_closable(const Incident &incident, const GateAnswer &gates) {
	if (incident.severity == Severity::p2)
		return;
	const auto sentence =
		"incident " + id_of(incident) + " is a " + std::string(name(incident.severity)) + ", and it is not over";
	// What cannot be seen is not over.
	if (!gates.telemetry_error.empty())
		throw gate_closed(sentence, "Telemetry cannot be read: " + gates.telemetry_error, "Mend the telemetry.");
	if (gates.state.started_at && gates.silent)
		throw gate_closed(sentence,
						  gates.data_age ? "Telemetry is silent: the newest event is " +
											   format_duration(floor_second(gates.evaluated_at) -
															   floor_second(gates.evaluated_at - *gates.data_age)) +
											   " old, longer than max_data_age."
										 : "Telemetry is silent: there is no event.",
						  "Mend the telemetry: select * from chat_v11.fold_status();");
	auto blockers = exit_blockers(incident.severity, gates);
	// Also on a rollout that was killed long before, or whose telemetry does not see what people saw.
	const auto window = p0_window(incident, gates);
	if (incident.severity == Severity::p0 && gates.evaluated_at < *window.clears_at)
		blockers.push_back(&window);
	if (!blockers.empty())
		throw gate_closed(sentence, blocker_lines(blockers), blocker_hint(blockers, close_command(incident)));
	if (incident.severity == Severity::p0 && !gates.incident_breach.empty())
		throw gate_closed(sentence, gates.incident_breach + " was broken within p0_clear_window",
						  "select * from chat_v11.explain_gates();");
}

std::vector<ChecklistPoint>
checklist(const ChecklistInput &input) {
	const auto &incident = input.incident;
	auto given =
		std::string(name(incident.severity)) + " at " + at_second(incident.escalated_at.value_or(incident.opened_at));
	given += incident.escalated_at
				 ? ", opened as " + std::string(name(incident.opened_as)) + " by " + incident.opened_by
				 : " by " + incident.opened_by;
	return {
		{1, "Severity given", true, given},
		slice_point(input),
		freeze_point(input),
		kill_point(input),
		ticked_by_people(input, 5, "Fallback of the client confirmed", "how it was seen"),
		ticked_by_people(input, 6, "Layer of the cause known", "which layer, and how that is known"),
		exit_point(input),
		resume_point(input),
		ticked_by_people(input, 9, "Postmortem written", "where it can be read"),
		items_point(input),
	};
}

std::vector<Criterion>
completion(const CompletionInput &input) {
	return {watched_criterion(input), calm_criterion(input), review_criterion(input), items_criterion(input)};
}

} // namespace chat_v11
