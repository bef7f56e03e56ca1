#include "core/handover.hpp"

#include "core/text.hpp"
#include "core/transition.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

std::string
at_second(Time at) {
	return format_utc(floor_second(at));
}

std::string
since(Time at, Time now) {
	return at_second(at) + " (" + format_duration(floor_second(now) - floor_second(at)) + ")";
}

std::string
ok(bool passed) {
	return passed ? "ok" : "not ok";
}

std::string
list_of(const std::vector<std::string> &names) {
	std::string text;
	for (const auto &each : names)
		text += (text.empty() ? "" : ", ") + each;
	return text;
}

std::string
state_lines(const GateInput &input) {
	const auto &state = input.state;
	if (!state.exists)
		return "- State: not started, nobody has v1.1\n";
	const auto &policy = policy_of(input.policies, state.stage);
	std::string text = "- State: **" + describe(state) + "**, " + std::to_string(state.live() ? policy.percent : 0) +
					   " % of users, since " + since(*state.entered_at, input.now) + "\n";
	text += "- Version: " + std::to_string(state.version) + ", by " + markdown_text(state.updated_by) + " at " +
			at_second(*state.updated_at) + "\n";
	text += "- Note: " + (state.note && !state.note->empty() ? markdown_text(*state.note) : "none") + "\n";
	if (state.overridden)
		text += "- This stage was reached by break-glass: its gates were skipped.\n";
	if (state.live() && policy.max_duration && input.now > *state.entered_at + *policy.max_duration)
		text +=
			"- Overdue: the stage should have ended by " + at_second(*state.entered_at + *policy.max_duration) + ".\n";
	if (input.mock_clock)
		text += "- The clock of this session is mocked.\n";
	return text;
}

std::string
snapshot_lines(const std::vector<Snapshot> &snapshots) {
	if (snapshots.empty())
		return "None.\n";
	std::string text = "| at | by | state | decision | failing |\n| --- | --- | --- | --- | --- |\n";
	for (const auto &each : snapshots)
		text += "| " + at_second(each.at) + " | " + each.cause + " | " + each.stage +
				(each.kill_switch ? ", killed" : ", live") + " | " + each.decision.value_or("not read") + " | " +
				(each.failing.empty() ? "none" : list_of(each.failing)) + " |\n";
	return text;
}

std::string
gate_lines(const GateAnswer &gates) {
	std::string text = "**" + std::string(name(gates.decision)) + "**: P0 " + ok(gates.p0_ok) + ", P1 " +
					   ok(gates.p1_ok) + ", rollout " + ok(gates.rollout_ok) + "\n";
	if (!gates.reasons.empty())
		text += "\n";
	for (const auto &reason : gates.reasons)
		text += "- " + markdown_text(reason) + "\n";
	if (const auto disabled = gates.disabled(); !disabled.empty())
		text += "\nNot enabled: " + list_of(disabled) + ".\n";
	return text;
}

std::string
incident_lines(const GateInput &input) {
	if (input.incidents_outdated)
		return "Not kept before the update to 0.5: `alter extension chat_v11 update;`\n";
	if (!input.incident_error.empty())
		return "Unknown, they cannot be read: " + markdown_text(input.incident_error) + "\n";
	if (input.incidents.empty())
		return "None.\n";
	std::string text;
	for (const auto &incident : input.incidents) {
		const auto due = decision_due(incident, input.settings.decision_interval, input.now);
		text += "- **" + markdown_text(describe(incident)) + "**, for " +
				format_duration(floor_second(input.now) - floor_second(incident.opened_at)) + ". ";
		if (!due.at) {
			text += "No decision is due for a P2.\n";
			continue;
		}
		text += due.overdue ? "**Its IC's decision is overdue since " + at_second(*due.at) + ".**\n"
							: "Next decision due by " + at_second(*due.at) + ".\n";
	}
	return text;
}

std::string
guard_lines(const Handover &handover) {
	if (!handover.guard)
		return "Unknown.\n";
	const auto &guard = *handover.guard;
	const auto &input = handover.input;
	std::string text;
	if (!guard.expected) {
		text = "None is expected to run: nobody kills a broken rollout but people. Start one: "
			   "`select chat_v11.start_guard();`\n";
	} else {
		const GuardSign sign{true, newest_sign(guard.last_sign, guard.expected_since, input.now)};
		// Before a rollout was started or killed it has nothing to write.
		const auto silent = input.state.exists ? guard_silent_since(sign, input.state.started_at, input.now,
																	input.settings.max_data_age)
											   : std::nullopt;
		if (silent)
			text = "**Silent since " + since(*silent, input.now) +
				   "**, and expected to run. Start it: `select chat_v11.start_guard();`\n";
		else
			text = "At work: " +
				   (guard.last_sign ? "last row in the gate log at " + at_second(*guard.last_sign)
									: std::string("it has nothing to log yet")) +
				   ".\n";
	}
	if (guard.last_error)
		text += "\nLast error" + (guard.last_error_at ? " at " + at_second(*guard.last_error_at) : "") + ": " +
				markdown_text(*guard.last_error) + "\n";
	return text;
}

// The statement on lines of its own, ready to be pasted.
std::string
action_lines(const std::string &step) {
	const auto sql = step.find("select * from public.chat_set_v11_rollout_state(");
	if (sql == std::string::npos)
		return markdown_text(step) + "\n";
	const auto end = step.find(';', sql);
	if (end != step.size() - 1)
		return markdown_text(step) + "\n";
	return markdown_text(step.substr(0, sql)) + "\n\n    " + step.substr(sql) + "\n";
}

} // namespace

std::string
handover_text(const Handover &handover) {
	const auto &input = handover.input;
	std::string text = "# Hand-over of the v1.1 rollout at " + at_second(input.now) + "\n\n";
	text += state_lines(input);
	text += "\n## Next action\n\n" + action_lines(next_step(input.state, handover.gates));
	text += "\n## Gates now\n\n" + gate_lines(handover.gates);
	text += "\n## Last snapshots of the gates\n\n" + snapshot_lines(handover.snapshots);
	text += "\n## Open incidents\n\n" + incident_lines(input);
	text += "\n## Guard\n\n" + guard_lines(handover);
	return text;
}

} // namespace chat_v11
