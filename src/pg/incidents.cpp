#include "pg/incidents.hpp"

#include "core/gate_json.hpp"
#include "core/guard.hpp"
#include "core/refusal.hpp"
#include "pg/lock.hpp"
#include "pg/on_commit.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/relation.h"
#include "access/tableam.h"
}

namespace chat_v11::pg {

namespace {

bool writing = false;

struct Writing {
	Writing() { writing = true; }
	~Writing() { writing = false; }
	Writing(const Writing &) = delete;
	Writing &operator=(const Writing &) = delete;
};

std::int64_t
write(Spi &spi, const char *sql, Params params) {
	const Writing scope;
	// What was answered must outlive a crash, also where synchronous_commit is off.
	ForceSyncCommit();
	return spi.execute(sql, std::move(params));
}

// Its newest decision comes with it.
#define INCIDENTS                                                                                                      \
	"SELECT i.id, i.severity, i.opened_as, i.title, i.ic, i.opened_at, i.opened_by, i.escalated_at, i.closed_at, "     \
	"i.closed_by, i.mock_clock, (SELECT max(n.at) FROM chat_v11.incident_note n WHERE n.incident = i.id "              \
	"AND n.kind = 'decision') FROM chat_v11.incident i "

Incident
incident_at(const Rows &rows, std::int64_t i) {
	Incident incident;
	incident.id = *rows.bigint(i, 1);
	incident.severity = parse_severity(*rows.text(i, 2)).value_or(Severity::p0);
	incident.opened_as = parse_severity(*rows.text(i, 3)).value_or(Severity::p0);
	incident.title = *rows.text(i, 4);
	incident.ic = *rows.text(i, 5);
	incident.opened_at = *rows.time(i, 6);
	incident.opened_by = *rows.text(i, 7);
	incident.escalated_at = rows.time(i, 8);
	incident.closed_at = rows.time(i, 9);
	incident.closed_by = rows.text(i, 10).value_or("");
	incident.mock_clock = *rows.boolean(i, 11);
	incident.last_decision = rows.time(i, 12);
	return incident;
}

std::vector<Incident>
incidents_of(const Rows &rows) {
	std::vector<Incident> incidents;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		incidents.push_back(incident_at(rows, i));
	return incidents;
}

ActionItem
item_at(const Rows &rows, std::int64_t i) {
	ActionItem item;
	item.id = *rows.bigint(i, 1);
	item.incident = rows.bigint(i, 2);
	item.text = *rows.text(i, 3);
	item.owner = rows.text(i, 4);
	item.due = rows.text(i, 5);
	item.closed_at = rows.time(i, 6);
	item.resolution = rows.text(i, 7).value_or("");
	item.closing_text = rows.text(i, 8).value_or("");
	return item;
}

#define ITEMS                                                                                                          \
	"SELECT a.id, a.incident, a.text, a.owner, to_char(a.due, 'YYYY-MM-DD'), a.closed_at, a.resolution, "              \
	"a.closing_text FROM chat_v11.action_item a "

void
tell_incident(const Incident &incident, std::string_view from, std::string_view to, const std::string &by, Time at) {
	const auto state = with_latest_snapshot([] { return with_spi([](Spi &spi) { return load_state(spi).state; }); });
	notify_on_commit(incident_notification(incident, state, from, to, by, at));
	log_on_commit("chat_v11: incident " + std::to_string(incident.id) + ": " +
				  (from.empty() ? std::string("opened as ") : std::string(from) + " -> ") + std::string(to) + " by " +
				  one_line(by) + ", role " + one_line(session_role()) + ": " + one_line(incident.title));
}

// Gives numbers, for as long as it lives: whoever has given one need not have committed for the next one to be given.
class Numbering {
public:
	explicit Numbering(const char *table) : table_(find_table(table)) {
		if (!OidIsValid(table_))
			throw std::runtime_error(std::string("there is no table chat_v11.") + table);
		tag_ = part_of(table_, 0);
		call([&] { (void)LockAcquire(&tag_, ExclusiveLock, false, false); });
	}
	~Numbering() {
		// After an error PostgreSQL gives it back with everything else.
		if (std::uncaught_exceptions() == unwinding_)
			LockRelease(&tag_, ExclusiveLock, false);
	}
	Numbering(const Numbering &) = delete;
	Numbering &operator=(const Numbering &) = delete;
	// Above all that there are, also those that nobody else can see yet.
	std::int64_t
	next() const {
		const Oid table = table_;
		return call([=] {
			const Relation relation = relation_open(table, AccessShareLock);
			const auto number = get_attnum(table, "id");
			SnapshotData dirty;
			InitDirtySnapshot(dirty);
			const TableScanDesc scan = table_beginscan(relation, &dirty, 0, nullptr);
			TupleTableSlot *slot = table_slot_create(relation, nullptr);
			std::int64_t newest = 0;
			while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
				bool is_null = true;
				const Datum id = slot_getattr(slot, number, &is_null);
				if (!is_null && DatumGetInt64(id) > newest)
					newest = DatumGetInt64(id);
			}
			ExecDropSingleTupleTableSlot(slot);
			table_endscan(scan);
			relation_close(relation, NoLock);
			return newest + 1;
		});
	}

private:
	Oid table_;
	LOCKTAG tag_;
	int unwinding_ = std::uncaught_exceptions();
};

// What was decided upon an incident holds for the one that was looked at.
void
require_unchanged(std::int64_t rows, const Incident &incident) {
	if (rows == 0)
		throw invalid_transition("incident " + std::to_string(incident.id) + " was changed by somebody else meanwhile",
								 {}, "select * from chat_v11.incidents(); and then try again.");
}

} // namespace

bool
writing_incidents() {
	return writing;
}

bool
keeps_incidents() {
	return OidIsValid(find_table("incident"));
}

void
load_open_incidents(Spi &spi, GateInput &input, std::optional<Time> as_of) {
	input.incidents.clear();
	input.incident_error.clear();
	input.incidents_outdated = false;
	const auto table = find_table("incident");
	const auto notes = find_table("incident_note");
	if (!OidIsValid(table) || !OidIsValid(notes)) {
		// Whoever drops a table of this version cannot pass for an older one.
		if (!OidIsValid(table) && !OidIsValid(notes) && !OidIsValid(find_table("action_item")))
			input.incidents_outdated = true;
		else
			input.incident_error = "there is no table chat_v11.incident or chat_v11.incident_note";
		return;
	}
	for (const auto each : {table, notes})
		if (!call([&] { return ConditionalLockRelationOid(each, AccessShareLock); })) {
			input.incident_error = "another session has locked them";
			return;
		}
	if (!as_of) {
		input.incidents = incidents_of(spi.query(INCIDENTS "WHERE i.closed_at IS NULL ORDER BY i.id"));
		return;
	}
	// As severe as the last escalation until then made it.
	const auto rows = spi.query(
		"SELECT i.id, coalesce((SELECT e.data->>'to' FROM chat_v11.incident_note e WHERE e.incident = i.id AND e.kind "
		"= 'escalated' AND e.at <= $1 ORDER BY e.at DESC, e.n DESC LIMIT 1), i.opened_as), i.opened_as, i.title, i.ic, "
		"i.opened_at, i.opened_by, i.escalated_at, NULL::timestamptz, NULL::text, i.mock_clock, "
		"(SELECT max(n.at) FROM chat_v11.incident_note n WHERE n.incident = i.id AND n.kind = 'decision' AND "
		"n.at <= $1) FROM chat_v11.incident i WHERE i.opened_at <= $1 AND (i.closed_at > $1) IS NOT FALSE ORDER BY "
		"i.id",
		Params() << *as_of);
	input.incidents = incidents_of(rows);
}

std::optional<Incident>
find_incident(Spi &spi, std::int64_t id) {
	const auto rows = spi.query(INCIDENTS "WHERE i.id = $1", Params() << id);
	return rows.empty() ? std::nullopt : std::optional(incident_at(rows, 0));
}

Incident
load_incident(Spi &spi, std::int64_t id) {
	if (auto incident = find_incident(spi, id))
		return *std::move(incident);
	throw invalid_argument("there is no incident " + std::to_string(id), {},
						   "select id, severity, title from chat_v11.incident order by id;");
}

std::vector<Incident>
load_incidents_since(Spi &spi, Time since) {
	return incidents_of(spi.query(INCIDENTS "WHERE (i.closed_at >= $1) IS NOT FALSE ORDER BY i.id", Params() << since));
}

std::vector<IncidentNote>
load_notes(Spi &spi, std::int64_t incident) {
	const auto rows = spi.query("SELECT n.at, n.kind, n.author, n.text, (n.data->>'point')::bigint, "
								"coalesce(n.data->>'decision', n.data->'gates'->>'decision'), "
								"(SELECT string_agg(r.reason, E'\\n') FROM jsonb_array_elements_text(CASE WHEN "
								"jsonb_typeof(coalesce(n.data->'reasons', n.data->'gates'->'reasons')) = 'array' THEN "
								"coalesce(n.data->'reasons', n.data->'gates'->'reasons') END) r(reason)), "
								"n.data ? 'gates' AND n.data ? 'state' AND n.data ? 'history' "
								"FROM chat_v11.incident_note n WHERE n.incident = $1 ORDER BY n.at, n.n",
								Params() << incident);
	std::vector<IncidentNote> notes;
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		IncidentNote note;
		note.at = *rows.time(i, 1);
		note.kind = parse_note_kind(*rows.text(i, 2)).value_or(NoteKind::note);
		note.author = *rows.text(i, 3);
		note.text = *rows.text(i, 4);
		if (const auto point = rows.bigint(i, 5))
			note.point = static_cast<int>(*point);
		note.decision = rows.text(i, 6).value_or("");
		note.reasons = rows.text(i, 7).value_or("");
		note.slice = rows.boolean(i, 8);
		notes.push_back(std::move(note));
	}
	return notes;
}

void
add_note(Spi &spi, std::int64_t incident, NoteKind kind, const std::string &author, const std::string &text,
		 const std::optional<std::string> &data) {
	Params params;
	params << incident << now() << name(kind) << author << text;
	params.optional(data, TEXTOID);
	write(spi,
		  "INSERT INTO chat_v11.incident_note (incident, at, n, kind, author, text, data) SELECT $1, $2, "
		  "coalesce(max(o.n), 0) + 1, $3, $4, $5, $6::jsonb FROM chat_v11.incident_note o WHERE o.incident = $1",
		  std::move(params));
}

std::int64_t
insert_incident(Spi &spi, Incident incident, const std::string &text, const std::string &slice) {
	{
		const Numbering numbers("incident");
		incident.id = numbers.next();
		write(spi,
			  "INSERT INTO chat_v11.incident (id, severity, opened_as, title, ic, opened_at, opened_by, mock_clock) "
			  "VALUES ($1, $2, $2, $3, $4, $5, $6, $7)",
			  Params() << incident.id << name(incident.severity) << incident.title << incident.ic << incident.opened_at
					   << incident.opened_by << mock_now().has_value());
	}
	add_note(spi, incident.id, NoteKind::opened, incident.opened_by, text, slice);
	tell_incident(incident, {}, name(incident.severity), incident.opened_by, incident.opened_at);
	return incident.id;
}

void
set_severity(Spi &spi, const Incident &incident, Severity severity, const std::string &author,
			 const std::string &text) {
	const auto at = now();
	const auto rows =
		write(spi,
			  "UPDATE chat_v11.incident SET severity = $2, escalated_at = $3 WHERE id = $1 AND severity = $4 "
			  "AND closed_at IS NULL",
			  Params() << incident.id << name(severity) << at << name(incident.severity));
	require_unchanged(rows, incident);
	add_note(spi, incident.id, NoteKind::escalated, author, text,
			 R"({"from": ")" + std::string(name(incident.severity)) + R"(", "to": ")" + std::string(name(severity)) +
				 R"("})");
	auto now_so = incident;
	now_so.severity = severity;
	tell_incident(now_so, name(incident.severity), name(severity), author, at);
}

void
set_commander(Spi &spi, const Incident &incident, const std::string &ic, const std::string &author) {
	const auto rows = write(spi, "UPDATE chat_v11.incident SET ic = $2 WHERE id = $1 AND ic = $3 AND closed_at IS NULL",
							Params() << incident.id << ic << incident.ic);
	require_unchanged(rows, incident);
	add_note(spi, incident.id, NoteKind::action, author, "IC: " + incident.ic + " hands over to " + ic, {});
}

void
set_closed(Spi &spi, const Incident &incident, const std::string &by, const std::string &text,
		   const std::string &gates) {
	const auto at = now();
	const auto rows =
		write(spi,
			  "UPDATE chat_v11.incident SET closed_at = $2, closed_by = $3 WHERE id = $1 AND severity = $4 "
			  "AND closed_at IS NULL",
			  Params() << incident.id << at << by << name(incident.severity));
	require_unchanged(rows, incident);
	add_note(spi, incident.id, NoteKind::closed, by, text, gates);
	tell_incident(incident, name(incident.severity), "closed", by, at);
}

static std::string
json_or_why_not(const char *sql) {
	std::string json;
	const auto failure = attempt_within(kill_gate_timeout_ms(), [&] {
		json = with_spi([&](Spi &spi) { return spi.query_latest(sql).text(0, 1).value_or("null"); });
	});
	return failure.empty() ? json : unavailable_json(failure);
}

std::string
state_json() {
	return json_or_why_not("SELECT (SELECT to_jsonb(s) FROM chat_v11.rollout_state s)::text");
}

std::string
take_slice(const std::string &gates, const std::optional<std::string> &state) {
	// The history's gates and hashes stay where they are: in the decision log, which is never shortened.
	return R"({"gates": )" + gates + R"(, "state": )" + (state ? *state : state_json()) + R"(, "history": )" +
		   json_or_why_not("SELECT coalesce(jsonb_agg(h.row ORDER BY h.id DESC), '[]')::text FROM (SELECT r.id, "
						   "to_jsonb(r) - '{gates,prev_hash,hash}'::text[] AS row FROM chat_v11.rollout_history r "
						   "ORDER BY r.id DESC LIMIT 50) h") +
		   "}";
}

void
check_deferred(Spi &spi) {
	const auto names = spi.query_latest(
		"SELECT string_agg(DISTINCT pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') FROM pg_catalog.pg_trigger "
		"t JOIN pg_catalog.pg_constraint c ON c.oid = t.tgconstraint JOIN pg_catalog.pg_namespace n ON n.oid = "
		"c.connamespace WHERE t.tgdeferrable AND t.tgrelid IN "
		"('chat_v11.incident'::pg_catalog.regclass, 'chat_v11.incident_note'::pg_catalog.regclass)");
	if (const auto list = names.text(0, 1))
		spi.utility("SET CONSTRAINTS " + from_utf8(*list) + " IMMEDIATE");
}

void
escalate_open(Spi &spi, const std::string &author, const std::string &text) {
	if (!keeps_incidents())
		return;
	for (const auto *name : {"incident", "incident_note"}) {
		const auto table = find_table(name);
		if (!OidIsValid(table) || !call([&] { return ConditionalLockRelationOid(table, RowExclusiveLock); }))
			throw std::runtime_error(std::string("another session has locked chat_v11.") + name +
									 ", or it is not there");
	}
	// Somebody who closes, escalates or hands over one of them has it locked: the next round sees what became of it.
	const auto free = with_latest_snapshot([&] {
		return incidents_of(spi.execute_returning(
			INCIDENTS "WHERE i.closed_at IS NULL AND i.severity = 'P1' ORDER BY i.id FOR UPDATE OF i SKIP LOCKED"));
	});
	for (const auto &incident : free)
		set_severity(spi, incident, Severity::p0, author, text);
	if (!free.empty())
		check_deferred(spi);
}

std::vector<ActionItem>
load_action_items(Spi &spi, std::optional<std::int64_t> incident) {
	Params params;
	params.optional(incident, INT8OID);
	const auto rows = spi.query(ITEMS "WHERE $1 IS NULL OR a.incident = $1 ORDER BY a.id", std::move(params));
	std::vector<ActionItem> items;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		items.push_back(item_at(rows, i));
	return items;
}

ActionItem
load_action_item(Spi &spi, std::int64_t id) {
	const auto rows = spi.query_latest(ITEMS "WHERE a.id = $1", Params() << id);
	if (rows.empty())
		throw invalid_argument("there is no action item " + std::to_string(id), {},
							   "select id, text from chat_v11.action_item where closed_at is null;");
	return item_at(rows, 0);
}

std::int64_t
insert_action_item(Spi &spi, const std::string &text, const std::optional<std::string> &owner, Datum due, bool undated,
				   std::optional<std::int64_t> incident) {
	const Numbering numbers("action_item");
	const auto id = numbers.next();
	Params params;
	params << id;
	params.optional(incident, INT8OID) << text;
	params.optional(owner, TEXTOID).add(DATEOID, due, undated) << now() << session_role();
	write(spi,
		  "INSERT INTO chat_v11.action_item (id, incident, text, owner, due, created_at, created_by) VALUES ($1, $2, "
		  "$3, $4, $5, $6, $7)",
		  std::move(params));
	return id;
}

void
assign_action_item(Spi &spi, std::int64_t id, const std::string &owner, Datum due) {
	write(spi, "UPDATE chat_v11.action_item SET owner = $2, due = $3 WHERE id = $1",
		  (Params() << id << owner).add(DATEOID, due));
}

void
resolve_action_item(Spi &spi, std::int64_t id, const std::string &resolution, const std::optional<std::string> &text) {
	Params params;
	params << id << now() << session_role() << resolution;
	params.optional(text, TEXTOID);
	const auto rows = write(spi,
							"UPDATE chat_v11.action_item SET closed_at = $2, closed_by = $3, resolution = $4, "
							"closing_text = $5 WHERE id = $1 AND closed_at IS NULL",
							std::move(params));
	if (rows == 0)
		throw invalid_transition("action item " + std::to_string(id) + " was closed by somebody else meanwhile", {},
								 "select * from chat_v11.completion();");
}

} // namespace chat_v11::pg
