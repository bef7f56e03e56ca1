#pragma once

// chat_v11.incident, its notes and the action items: read and written in the core's terms.

#include "core/gates.hpp"
#include "core/incident_rules.hpp"
#include "pg/rollout.hpp"
#include "pg/spi.hpp"

#include <functional>

namespace chat_v11::pg {

// Open ones, oldest first, with their newest decision; with `as_of`, those that were open then, as severe as they were.
// Never waits for a lock: a table that is locked cannot be read.
void load_open_incidents(Spi &spi, GateInput &input, std::optional<Time> as_of);

// Whether the tables of 0.5 are there.
bool keeps_incidents();

std::optional<Incident> find_incident(Spi &spi, std::int64_t id);
// The incident of that number; throws ERR_INVALID_ARGUMENT for one that there is not.
Incident load_incident(Spi &spi, std::int64_t id);
std::vector<Incident> load_incidents_since(Spi &spi, Time since); // open then, or opened later
std::vector<IncidentNote> load_notes(Spi &spi, std::int64_t incident);

// Gives it its number, and its first note the slice.  What closes promotions comes under lock_freeze() or the rollout's
// lock.
std::int64_t insert_incident(Spi &spi, Incident incident, const std::string &text, const std::string &slice);
// As long as it is what `incident` says; else ERR_INVALID_TRANSITION, here and in the next two.
void set_severity(Spi &spi, const Incident &incident, Severity severity, const std::string &author,
				  const std::string &text);
void set_commander(Spi &spi, const Incident &incident, const std::string &ic, const std::string &author);
void set_closed(Spi &spi, const Incident &incident, const std::string &by, const std::string &text,
				const std::string &gates);
// `data` is JSON, or nothing.
void add_note(Spi &spi, std::int64_t incident, NoteKind kind, const std::string &author, const std::string &text,
			  const std::optional<std::string> &data);

// {"gates": ..., "state": ..., "history": [...]}: the playbook's slice, of what can be read of it.  `state`: JSON, or
// nothing for the one that there is.
std::string take_slice(const std::string &gates, const std::optional<std::string> &state);
// The row of the state as JSON, or why there is none.
std::string state_json();

// What deferred triggers of these tables have to say is said now, and not at the commit, where it would undo what came
// before.
void check_deferred(Spi &spi);

// The guard's escalation of open P1 incidents while a P0 check fails; the text of what failed.  Waits for no lock:
// throws for tables that are locked, and passes over an incident that somebody changes.
void escalate_open(Spi &spi, const std::string &author, const std::string &text);

std::vector<ActionItem> load_action_items(Spi &spi, std::optional<std::int64_t> incident);
std::int64_t insert_action_item(Spi &spi, const std::string &text, const std::optional<std::string> &owner, Datum due,
								bool undated, std::optional<std::int64_t> incident);
ActionItem load_action_item(Spi &spi, std::int64_t id);
void assign_action_item(Spi &spi, std::int64_t id, const std::string &owner, Datum due);
void resolve_action_item(Spi &spi, std::int64_t id, const std::string &resolution,
						 const std::optional<std::string> &text);

// True while one of the above writes: the tables' trigger lets it in.
bool writing_incidents();

} // namespace chat_v11::pg
