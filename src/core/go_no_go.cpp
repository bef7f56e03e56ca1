#include "core/go_no_go.hpp"

#include "core/gate_checks.hpp"
#include "core/text.hpp"
#include "core/transition.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

const std::string by_hand = "*by hand*";

std::string
at_second(Time at) {
	return format_utc(floor_second(at));
}

std::string
row(const std::string &name, const std::string &value) {
	return "| " + name + " | " + value + " |\n";
}

// A stage that is there already was promoted to: the record is of what was done.
bool
is_carried_out(const GoNoGo &facts) {
	return facts.input.state.live() && facts.input.state.stage == facts.target && facts.newest &&
		   !facts.newest->to_kill_switch && facts.newest->to_stage == name(facts.target) &&
		   facts.newest->transition != name(Transition::hold);
}

std::string
verdict(const GoNoGo &facts) {
	if (is_carried_out(facts))
		return "carried out";
	if (facts.refusal)
		return "**NO-GO**: " + markdown_text(facts.refusal->what());
	std::string text = "**GO**";
	for (const auto &each : unmet(facts.preconditions))
		text += (text == "**GO**" ? ", with a warning of " : ", ") + each.name;
	return text;
}

std::string
roster_text(const std::vector<Duty> &roster) {
	std::string text;
	for (const auto role : oncall_roles) {
		const auto duty =
			std::find_if(roster.begin(), roster.end(), [&](const Duty &each) { return each.role == role; });
		const bool filled = duty != roster.end() && duty->person;
		text += (text.empty() ? "" : ", ") + std::string(role) + ": " +
				(filled ? markdown_text(*duty->person) : std::string("nobody"));
	}
	return text;
}

std::string
ci_text(const GoNoGo &facts) {
	std::optional<Attested> ci;
	for (const auto &each : facts.attestations)
		if (each.what == ci_key(facts.target))
			ci = each.attested;
	const auto row = ci_precondition(facts.target, ci, facts.input.now);
	return (row.ok ? "" : "**no**: ") + markdown_text(row.detail);
}

std::string
incident_text(const GateAnswer &gates) {
	const auto *incident = gates.find("incident");
	return incident ? std::string(name(incident->status)) + ": " + markdown_text(incident->reason) : "unknown";
}

std::string
log_text(const GoNoGo &facts) {
	if (!facts.newest)
		return "none yet";
	return (is_carried_out(facts) ? "" : "the newest is ") + std::to_string(facts.newest->id) + ", `" +
		   to_hex(facts.newest->hash) + "`";
}

std::string
head(const GoNoGo &facts) {
	const auto &state = facts.input.state;
	const bool done = is_carried_out(facts);
	const auto from =
		done ? facts.newest->from_stage + (facts.newest->from_kill_switch ? ", killed" : ", live") : describe(state);
	std::string text = "# Go/no-go: chat v1.1, " + from + " -> " + std::string(name(facts.target)) + "\n\n";
	text += "| | |\n| --- | --- |\n";
	text += row("UTC time", at_second(facts.input.now) + (facts.input.mock_clock ? ", **the clock is mocked**" : ""));
	text += row("Current stage -> target stage", from + " -> " + std::string(name(facts.target)));
	text += row("Version decided upon", std::to_string(done ? state.version - 1 : state.version));
	text += row("What the database says", verdict(facts));
	text += row("Decision (`PROCEED` / `HOLD` / `ROLLBACK`)",
				done ? facts.newest->decision.value_or("")
					 : by_hand + "; the gates say " + std::string(name(facts.gates.decision)));
	text += row("Approver", done ? markdown_text(facts.newest->approved_by) : by_hand);
	text += row("Carried out by", done ? markdown_text(facts.newest->changed_by) : by_hand);
	text += row("On call", roster_text(facts.roster));
	text += row("Open P0/P1 incidents", incident_text(facts.gates));
	text += row("Observation window agreed", by_hand);
	text += row("CI gate", ci_text(facts));
	text += row("Row of the decision log, and hash", log_text(facts));
	return text;
}

std::string
state_section(const GoNoGo &facts) {
	const auto &state = facts.input.state;
	std::string text = "\n## 1. State\n\n- " + describe(state) + ", version " + std::to_string(state.version);
	if (state.entered_at)
		text += ", since " + at_second(*state.entered_at) + " (" +
				format_duration(floor_second(facts.input.now) - floor_second(*state.entered_at)) + ")";
	text += "\n";
	if (state.exists) {
		const auto &policy = policy_of(facts.input.policies, state.stage);
		if (state.live() && policy.max_duration && facts.input.now > *state.entered_at + *policy.max_duration)
			text += "- Overdue since " + at_second(*state.entered_at + *policy.max_duration) + "\n";
	}
	if (state.overridden)
		text += "- **This stage was reached by break-glass**, its gates were skipped: say why it is good enough to "
				"build on\n";
	return text;
}

std::string
precondition_section(const GoNoGo &facts) {
	if (facts.preconditions.empty())
		return {};
	std::string text = "\n| precondition | holds | |\n| --- | --- | --- |\n";
	for (const auto &each : facts.preconditions)
		text += "| " + each.name + " | " + (each.ok ? "yes" : "**no**") + " | " + markdown_text(each.detail) + " |\n";
	return text + "\nThe self-test is not among them, since it writes: `select * from chat_v11.preflight();`\n";
}

std::string
number(const std::optional<double> &value) {
	return value ? format_number(*value) : "";
}

std::string
gates_section(const GoNoGo &facts) {
	const auto ok = [](bool passed) { return passed ? "ok" : "**not ok**"; };
	const auto &gates = facts.gates;
	std::string text = "\n## 2. Gates\n\n**" + std::string(name(gates.decision)) + "**: P0 " + ok(gates.p0_ok) +
					   ", P1 " + ok(gates.p1_ok) + ", rollout " + ok(gates.rollout_ok) + "; " +
					   std::to_string(gates.mature_writes) + " mature writes\n";
	text +=
		"\n| gate | check | status | value | limit | out of | reason |\n| --- | --- | --- | --- | --- | --- | --- |\n";
	for (const auto &result : gates.checks)
		if (result.check.enabled)
			text += "| " + std::string(name(result.check.gate)) + " | " + result.check.name + " | " +
					(result.blocks ? "**" : "") + std::string(name(result.status)) + (result.blocks ? "**" : "") +
					" | " + number(result.figure.value) + " | " + number(result.limit) + " | " +
					std::to_string(result.figure.denominator) + " | " + markdown_text(result.reason) + " |\n";
	std::string disabled;
	for (const auto &each : gates.disabled())
		disabled += (disabled.empty() ? "" : ", ") + each;
	if (!disabled.empty())
		text += "\nLooked at by nobody: " + disabled + ".\n";
	text += "\nGuard: " + facts.guard_state +
			(facts.guard_remark.empty() ? "" : ", " + markdown_text(facts.guard_remark)) + "\n";
	return text;
}

std::string
turned_section(const GoNoGo &facts) {
	std::string text = "\n## 3. Were the gates turned?\n\n";
	if (facts.turned.empty())
		text += "No: limits, policies and settings are as installed.\n";
	else
		text += "| what | changed | row of the log | at | by | note |\n| --- | --- | --- | --- | --- | --- |\n";
	for (const auto &each : facts.turned)
		text += "| " + markdown_text(each.what) + " | " + markdown_text(each.changes) + " | " +
				std::to_string(each.history_id) + " | " + at_second(each.at) + " | " + markdown_text(each.by) + " | " +
				markdown_text(each.note.value_or("")) + " |\n";
	text += "\n";
	if (facts.attestations.empty())
		text += "Nothing was attested.\n";
	else
		text += "| attested | in order | where | at | by |\n| --- | --- | --- | --- | --- |\n";
	for (const auto &each : facts.attestations)
		text += "| " + markdown_text(each.what) + " | " + (each.attested.ok ? "yes" : "**no**") + " | " +
				markdown_text(each.attested.ref) + " | " + at_second(each.attested.at) + " | " +
				markdown_text(each.attested.by) + " |\n";
	text += "\nThe decision log " +
			(facts.log_misfit.empty() ? std::string("verifies")
									  : "**does not verify**: " + markdown_text(facts.log_misfit)) +
			".\n";
	return text;
}

std::string
decision_section(const GoNoGo &facts) {
	const auto &state = facts.input.state;
	std::string text = "\n## 4. Decision\n\n";
	if (is_carried_out(facts))
		return text + "Why: " + by_hand + "\n";
	text += "`PROCEED`, `HOLD` or `ROLLBACK`, and why: " + by_hand + "\n\n";
	if (facts.refusal) {
		text += "It would be refused now:\n\n";
		std::string line;
		for (const char c : facts.refusal->detail() + "\n") {
			if (c != '\n') {
				line += c;
				continue;
			}
			if (!line.empty())
				text += "- " + markdown_text(line) + "\n";
			line.clear();
		}
		if (!facts.refusal->hint().empty())
			text += "\nNext: " + markdown_text(facts.refusal->hint()) + "\n";
		return text;
	}
	// Bound to the version that was looked at: refused if anything changed since.
	const bool resumes = state.killed();
	const auto note = !state.exists ? std::string("start canary 1%")
					  : resumes     ? std::string("resume controlled")
									: "promote to " + std::string(name(facts.target));
	text += "For `PROCEED`, with the approver's name; refused if anything changes before:\n\n";
	text += "    select * from public.chat_set_v11_rollout_state('" + std::string(name(facts.target)) + "', false, '" +
			note + "', 'NAME OF THE APPROVER', " + std::to_string(state.version) + ");\n";
	return text;
}

std::string
record_section(const GoNoGo &facts) {
	std::string text = "\n## 5. Record\n\n";
	if (!is_carried_out(facts))
		return text + "Not carried out yet. Once it is, ask for this page again.\n";
	const auto &log = *facts.newest;
	text += "| | |\n| --- | --- |\n";
	text += row("id", std::to_string(log.id)) + row("changed_at", at_second(log.changed_at)) +
			row("transition", log.transition) + row("from_stage", log.from_stage) + row("to_stage", log.to_stage) +
			row("decision", log.decision.value_or("")) + row("approved_by", markdown_text(log.approved_by)) +
			row("changed_by", markdown_text(log.changed_by)) + row("note", markdown_text(log.note.value_or(""))) +
			row("version", std::to_string(log.version)) + row("overridden", log.overridden ? "**true**" : "false") +
			row("mock_clock", log.mock_clock ? "**true**" : "false") + row("hash", "`" + to_hex(log.hash) + "`");
	return text;
}

} // namespace

Classified
classify_promotion(const State &state, std::string_view target, bool log_has_state) {
	Request request;
	request.stage = std::string(target);
	request.kill_switch = false;
	const auto classified = classify(state, request, log_has_state);
	const auto present = std::string(name(state.stage));
	const auto facts = "State is " + describe(state) + ", version " + std::to_string(state.version) + ".";
	const auto upper = next(state.stage);
	const auto hint =
		upper ? "select chat_v11.assert_gate('" + std::string(name(*upper)) + "');" : "select chat_v11.handover();";
	if (classified.transition == Transition::hold)
		throw invalid_transition("the rollout is at " + present + " already: asking for it again is a hold", facts,
								 hint);
	if (classified.transition == Transition::rollback)
		throw invalid_transition(present + " to " + std::string(target) + " is a rollback, which needs no gate", facts,
								 hint);
	return classified;
}

std::string
go_no_go_text(const GoNoGo &facts) {
	return head(facts) + state_section(facts) + precondition_section(facts) + gates_section(facts) +
		   turned_section(facts) + decision_section(facts) + record_section(facts);
}

} // namespace chat_v11
