// Incidents: opened, escalated, noted, closed, listed.  A P0 kills before anything is written about it, and what is
// written is never what the kill fails for.

#include "pg/incidents.hpp"
#include "core/gate_json.hpp"
#include "core/incident_rules.hpp"
#include "core/refusal.hpp"
#include "pg/on_commit.hpp"
#include "pg/settings.hpp"
#include "pg/trigger.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11 {

namespace {

using Json = nlohmann::ordered_json;

std::int64_t
id_arg(FunctionCallInfo fcinfo, int n, const char *what) {
	if (PG_ARGISNULL(n))
		throw invalid_argument(std::string(what) + " is null", {}, "select * from chat_v11.incidents();");
	return PG_GETARG_INT64(n);
}

Severity
severity_arg(FunctionCallInfo fcinfo, int n) {
	const auto text = pg::lenient_text_arg(fcinfo, n);
	if (const auto severity = parse_severity(text.value_or("")))
		return *severity;
	throw invalid_argument(text ? "unknown severity \"" + truncate_utf8(*text, 64) + "\"" : "p_severity is null",
						   "P0: writes are lost or hang; it kills the rollout. P1: recovery is degraded. P2: local.",
						   "select chat_v11.open_incident('P0', 'what is seen', 'who leads');");
}

// One line, without blanks at its ends.
std::string
trimmed(const std::optional<std::string> &text) {
	auto line = one_line(text.value_or(""));
	line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
	line.erase(line.find_last_not_of(' ') + 1);
	return line;
}

std::string
required_text(FunctionCallInfo fcinfo, int n, const char *what, size_t bytes) {
	const auto text = pg::text_arg(fcinfo, n);
	if (trimmed(text).empty())
		throw invalid_argument(std::string(what) + " is empty");
	if (text->size() > bytes)
		throw invalid_argument(std::string(what) + " is longer than " + std::to_string(bytes) + " bytes",
							   std::to_string(text->size()) + " bytes.",
							   "Put the long story where it can be linked, and note the link.");
	return *text;
}

// Title and IC of a P0 are whatever they are: no text keeps it from killing.
Incident
asked_incident(FunctionCallInfo fcinfo) {
	Incident incident;
	incident.severity = incident.opened_as = severity_arg(fcinfo, 0);
	const bool lenient = incident.severity == Severity::p0;
	incident.title = trimmed(lenient ? pg::lenient_text_arg(fcinfo, 1) : pg::text_arg(fcinfo, 1));
	incident.ic = trimmed(lenient ? pg::lenient_text_arg(fcinfo, 2) : pg::text_arg(fcinfo, 2));
	if (!lenient && incident.title.empty())
		throw invalid_argument("an incident needs a title", {},
							   "select chat_v11.open_incident('P1', 'what is seen', 'who leads');");
	if (!lenient && (incident.title.size() > max_title_bytes || incident.ic.size() > max_name_bytes))
		throw invalid_argument("p_title or p_ic is longer than " + std::to_string(max_title_bytes) + " bytes", {},
							   "The story goes into chat_v11.note_incident().");
	if (incident.title.empty())
		incident.title = "untitled";
	incident.title = truncate_utf8(incident.title, max_title_bytes);
	incident.opened_by = pg::default_approver();
	incident.ic = incident.ic.empty() ? incident.opened_by : truncate_utf8(incident.ic, max_name_bytes);
	return incident;
}

// How it was just before a kill, as JSON.
struct Before {
	bool killed = false; // there was nothing to kill
	std::string gates;
	std::optional<std::string> state;
};

// Kills, unless it is killed already: another version would only have every consumer say anew that it has got it.
Before
kill_for(const std::string &note, const std::string &approver) {
	Request request;
	request.stage = std::string(name(Stage::canary_1));
	request.kill_switch = true;
	request.note = note;
	request.approved_by = approver;
	request.caller = pg::session_role();
	request.also_caller = pg::other_names();
	Before before;
	const auto changed = pg::change_state(request, [&](const State &state) {
		before.killed = state.killed();
		// A row of its own, which the kill reads too.
		if (!before.killed && !IsolationIsSerializable())
			before.state = pg::state_json();
		return !before.killed;
	});
	const auto change = std::move(pg::last_change());
	pg::last_change().reset();
	if (changed && change)
		before.gates = pg::gates_json(change->gates, {});
	return before;
}

pg::BoundedEvaluation
gates_now(bool is_kill) {
	return pg::with_latest_snapshot([&] {
		const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
		return pg::evaluate_within(state, pg::kill_gate_timeout_ms(), is_kill);
	});
}

// Runs f after a kill; its failure is told, and the kill stands, also where the caller cancels or has no more time.
bool
after_kill(const std::string &what, const std::string &hint, const std::function<void()> &f) {
	constexpr const char *stands = "The rollout is killed all the same.";
	// What is read there could undo the kill at the commit.
	if (IsolationIsSerializable()) {
		pg::tell(WARNING, what + ": not in a SERIALIZABLE transaction, where it could undo the kill at its commit",
				 stands, hint);
		return false;
	}
	const auto failure = pg::attempt_uncancelled(pg::kill_gate_timeout_ms(), [&] {
		f();
		pg::with_spi(pg::check_deferred);
	});
	if (!failure.empty())
		pg::tell(WARNING, what + ": " + failure, stands, hint);
	return failure.empty();
}

std::string
opening_text(const Incident &incident) {
	return std::string(name(incident.severity)) + ", IC " + incident.ic + ": " + incident.title;
}

void
require_escalation(const Incident &incident, Severity severity) {
	const auto id = std::to_string(incident.id);
	if (incident.closed_at)
		throw invalid_transition(
			"incident " + id + " is closed",
			"Since " + format_utc(floor_second(*incident.closed_at)) + ", by " + incident.closed_by + ".",
			"select chat_v11.open_incident('" + std::string(name(severity)) + "', 'what is seen', 'who leads');");
	if (severity >= incident.severity)
		throw invalid_transition("incident " + id + " is a " + std::string(name(incident.severity)) +
									 " already: it goes up only",
								 {}, "select chat_v11.note_incident(" + id + ", 'what is known', 'fact');");
}

void
forbid_prepare(const char *function) {
	pg::forbid_prepare(function, "Whoever promotes, or changes the incident, would wait until its COMMIT PREPARED.");
}

// As it was committed last; throws where there is none.
Incident
latest(std::int64_t id) {
	return pg::with_latest_snapshot(
		[&] { return pg::with_spi([&](pg::Spi &spi) { return pg::load_incident(spi, id); }); });
}

Incident
load_open(std::int64_t id) {
	const auto incident = latest(id);
	if (incident.closed_at)
		throw invalid_transition("incident " + std::to_string(id) + " is closed already",
								 "Since " + format_utc(floor_second(*incident.closed_at)) + ", by " +
									 incident.closed_by + ".",
								 "select chat_v11.postmortem(" + std::to_string(id) + ");");
	return incident;
}

} // namespace

CHAT_V11_ENTRY(chat_v11_open_incident) {
	auto incident = asked_incident(fcinfo);
	std::int64_t id = 0;
	const auto insert = [&](const std::string &slice) {
		id = pg::with_spi([&](pg::Spi &spi) {
			incident.opened_at = pg::now();
			return pg::insert_incident(spi, incident, opening_text(incident), slice);
		});
	};
	if (incident.severity != Severity::p0) {
		// What takes long comes before the lock.
		const auto slice = pg::take_slice(pg::gates_json(gates_now(false), {}), {});
		forbid_prepare("open_incident()");
		if (freezes(incident.severity))
			pg::lock_freeze();
		insert(slice);
		pg::warn_if_mocked();
		return Int64GetDatum(id);
	}
	const auto before = kill_for("incident P0: " + incident.title, incident.ic);
	std::string slice = R"({"gates": )" + unavailable_json("not read") + "}";
	const auto again = "Try again: select chat_v11.open_incident('P0', 'what is seen', 'who leads'); or write the "
					   "timeline down elsewhere.";
	if (before.killed)
		pg::warn_if_mocked(); // else the kill did
	// Each part of it is bounded by itself.
	if (!IsolationIsSerializable())
		(void)pg::attempt_uncancelled(0, [&] {
			slice =
				pg::take_slice(before.gates.empty() ? pg::gates_json(gates_now(true), {}) : before.gates, before.state);
		});
	if (!after_kill("the incident was not opened", again, [&] { insert(slice); }))
		PG_RETURN_NULL();
	return Int64GetDatum(id);
}

CHAT_V11_ENTRY(chat_v11_escalate_incident) {
	const auto id = id_arg(fcinfo, 0, "p_incident");
	const auto severity = severity_arg(fcinfo, 1);
	auto text = truncate_utf8(pg::lenient_text_arg(fcinfo, 2).value_or(""), max_note_bytes);
	if (trimmed(text).empty())
		text = "escalated";
	const auto author = pg::default_approver();
	const auto escalate = [&] {
		const auto incident = latest(id);
		require_escalation(incident, severity);
		pg::with_spi([&](pg::Spi &spi) { pg::set_severity(spi, incident, severity, author, text); });
	};
	if (severity != Severity::p0) {
		forbid_prepare("escalate_incident()");
		pg::lock_freeze();
		escalate();
		pg::warn_if_mocked();
		return pg::text_datum(std::string(name(severity)));
	}
	// What is known to be wrong with the request refuses it; what cannot be known does not keep it from killing.
	std::optional<Incident> incident;
	const bool known = pg::attempt_within(pg::kill_gate_timeout_ms(), [&] {
						   pg::with_latest_snapshot([&] {
							   incident = pg::with_spi([&](pg::Spi &spi) { return pg::find_incident(spi, id); });
						   });
					   }).empty();
	if (known && !incident)
		throw invalid_argument("there is no incident " + std::to_string(id), "Nothing was killed.",
							   set_command(Stage::canary_1, true, "incident P0") +
								   " kills; select chat_v11.open_incident('P0', 'what is seen', 'who leads'); kills, "
								   "and opens one.");
	if (incident)
		require_escalation(*incident, severity);
	const auto before =
		kill_for("incident P0: " + (incident ? incident->title : text), incident ? incident->ic : author);
	if (before.killed)
		pg::warn_if_mocked(); // else the kill did
	const auto again = "Try again: select chat_v11.escalate_incident(" + std::to_string(id) + ", 'P0');";
	if (!after_kill("the incident was not escalated", again, escalate))
		PG_RETURN_NULL();
	return pg::text_datum(std::string(name(severity)));
}

CHAT_V11_ENTRY(chat_v11_note_incident) {
	const auto id = id_arg(fcinfo, 0, "p_incident");
	const auto text = required_text(fcinfo, 1, "p_text", max_note_bytes);
	const auto asked = parse_asked_kind(pg::text_arg(fcinfo, 2).value_or(""));
	std::optional<std::string> data;
	if (asked.point)
		data = Json{{"point", *asked.point}}.dump();
	if (asked.kind == NoteKind::decision) {
		// On which figures it was taken.
		const auto gates = gates_now(false);
		Json json;
		if (gates.evaluation) {
			const auto &answer = gates.evaluation->answer;
			json = {
				{"decision", name(answer.decision)}, {"reasons", answer.reasons}, {"state", describe(answer.state)}};
		} else {
			json = {{"unavailable", gates.unavailable}};
		}
		data = json.dump(-1, ' ', false, Json::error_handler_t::replace);
	}
	pg::with_spi([&](pg::Spi &spi) {
		pg::with_latest_snapshot([&] { (void)pg::load_incident(spi, id); });
		pg::add_note(spi, id, asked.kind, pg::default_approver(), text, data);
	});
	return pg::time_datum(pg::now());
}

CHAT_V11_ENTRY(chat_v11_close_incident) {
	const auto id = id_arg(fcinfo, 0, "p_incident");
	const auto text = required_text(fcinfo, 1, "p_text", max_note_bytes);
	forbid_prepare("close_incident()");
	const auto incident = load_open(id);
	const auto gates = gates_now(false);
	if (gates.evaluation)
		require_closable(incident, gates.evaluation->answer);
	else if (freezes(incident.severity))
		throw gate_closed("incident " + std::to_string(id) + " cannot be judged to be over",
						  "The gates cannot be read: " + gates.unavailable, "select * from chat_v11.explain_gates();");
	pg::with_spi([&](pg::Spi &spi) {
		pg::set_closed(spi, incident, pg::default_approver(), text, R"({"gates": )" + pg::gates_json(gates, {}) + "}");
	});
	pg::warn_if_mocked();
	return pg::interval_datum(pg::now() - incident.opened_at);
}

CHAT_V11_ENTRY(chat_v11_hand_over_incident) {
	const auto id = id_arg(fcinfo, 0, "p_incident");
	const auto ic = trimmed(required_text(fcinfo, 1, "p_ic", max_name_bytes));
	const auto incident = load_open(id);
	if (ic == incident.ic)
		throw invalid_transition("incident " + std::to_string(id) + " is led by " + ic + " already", {}, {});
	pg::with_spi([&](pg::Spi &spi) { pg::set_commander(spi, incident, ic, pg::default_approver()); });
	return pg::text_datum(ic);
}

CHAT_V11_ENTRY(chat_v11_incidents) {
	const auto input = pg::with_spi([](pg::Spi &spi) {
		auto read = pg::load_gate_input(spi, State{}, pg::now());
		pg::load_open_incidents(spi, read, std::nullopt);
		return read;
	});
	if (!input.incident_error.empty())
		throw std::runtime_error("the incidents cannot be read: " + input.incident_error);
	pg::ResultSet results(fcinfo);
	for (const auto &incident : input.incidents) {
		const auto due = decision_due(incident, input.settings.decision_interval, input.now);
		pg::Row row(results.columns());
		pg::RowWriter(row) << incident.id << name(incident.severity) << incident.title << incident.ic
						   << incident.opened_at << incident.opened_by << input.now - incident.opened_at
						   << incident.last_decision << due.at << due.overdue;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

// BEFORE STATEMENT on the three tables: only the functions write, and nothing is ever deleted.
CHAT_V11_ENTRY(chat_v11_incident_guard) {
	const pg::TriggerCall trigger(fcinfo);
	// What a subscription brings is passed over row by row.
	if (trigger.is_applied() || (trigger.is_insert() && pg::is_restoring()))
		return PointerGetDatum(nullptr);
	const auto table = trigger.table();
	const bool rewrites = !trigger.is_insert() && (table == "incident_note" || !trigger.is_update());
	if (pg::writing_incidents() && !rewrites)
		return PointerGetDatum(nullptr);
	throw append_only("chat_v11." + table + " takes no " + trigger.operation() + " by hand", {},
					  table == "action_item" ? "select chat_v11.add_action_item('what', 'owner', '2026-12-31');"
											 : "select chat_v11.note_incident(1, 'what is known', 'fact');");
}

} // namespace chat_v11
