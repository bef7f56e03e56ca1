// DDL while a P0 incident is open.  It must never be what breaks an incident: whatever goes wrong in here, and whatever
// cannot be told, lets the DDL pass.

#include "core/refusal.hpp"
#include "pg/datum.hpp"
#include "pg/incidents.hpp"
#include "pg/on_commit.hpp"

extern "C" {
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "commands/event_trigger.h"
#include "nodes/parsenodes.h"
#include "storage/bufmgr.h"
#include "tcop/cmdtag.h"
}

namespace chat_v11 {

namespace {

// In types that a longjmp may skip.
struct Frozen {
	std::int64_t incident = 0; // 0: no P0 is open
	char mode[16] = "warn";
};

// Reads without rights and without operators that a search_path could replace.  Never waits.
template <typename F>
void
each_row(const char *name, F &&f) {
	const Oid schema = get_namespace_oid("chat_v11", true);
	const Oid oid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	if (!OidIsValid(oid) || !ConditionalLockRelationOid(oid, AccessShareLock))
		return;
	const Relation table = try_relation_open(oid, NoLock);
	if (table && table->rd_rel->relkind == RELKIND_RELATION) {
		const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
		const TableScanDesc scan = table_beginscan(table, snapshot, 0, nullptr);
		TupleTableSlot *slot = table_slot_create(table, nullptr);
		while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
			f(slot, oid);
		ExecDropSingleTupleTableSlot(slot);
		table_endscan(scan);
		UnregisterSnapshot(snapshot);
	}
	if (table)
		relation_close(table, NoLock);
	UnlockRelationOid(oid, AccessShareLock);
}

bool
column(TupleTableSlot *slot, Oid table, const char *name, Datum &value) {
	const auto number = get_attnum(table, name);
	bool is_null = true;
	if (number != InvalidAttrNumber)
		value = slot_getattr(slot, number, &is_null);
	return !is_null;
}

bool
text_is(Datum value, const char *expected) {
	return strcmp(TextDatumGetCString(value), expected) == 0;
}

void
look(Frozen &frozen) {
	each_row("incident", [&](TupleTableSlot *slot, Oid table) {
		Datum value = 0;
		if (column(slot, table, "closed_at", value) || !column(slot, table, "severity", value) || !text_is(value, "P0"))
			return;
		if (frozen.incident == 0 && column(slot, table, "id", value))
			frozen.incident = DatumGetInt64(value);
	});
	if (frozen.incident == 0)
		return;
	each_row("setting", [&](TupleTableSlot *slot, Oid table) {
		Datum value = 0;
		if (column(slot, table, "name", value) && text_is(value, "ddl_freeze") && column(slot, table, "value", value))
			strlcpy(frozen.mode, TextDatumGetCString(value), sizeof frozen.mode);
	});
}

bool
is_temporary(const RangeVar *name) {
	if (!name)
		return false;
	if (name->relpersistence == RELPERSISTENCE_TEMP)
		return true;
	if (name->schemaname && strcmp(name->schemaname, "pg_temp") == 0)
		return true;
	const Oid relation = RangeVarGetRelid(name, NoLock, true);
	return OidIsValid(relation) && get_rel_persistence(relation) == RELPERSISTENCE_TEMP;
}

// All that are dropped, or the statement's one relation.
bool
is_about_temporary(const Node *statement) {
	switch (nodeTag(statement)) {
	case T_CreateStmt: return is_temporary(reinterpret_cast<const CreateStmt *>(statement)->relation);
	case T_CreateTableAsStmt: return is_temporary(reinterpret_cast<const CreateTableAsStmt *>(statement)->into->rel);
	case T_ViewStmt: return is_temporary(reinterpret_cast<const ViewStmt *>(statement)->view);
	case T_CreateSeqStmt: return is_temporary(reinterpret_cast<const CreateSeqStmt *>(statement)->sequence);
	case T_AlterSeqStmt: return is_temporary(reinterpret_cast<const AlterSeqStmt *>(statement)->sequence);
	case T_IndexStmt: return is_temporary(reinterpret_cast<const IndexStmt *>(statement)->relation);
	case T_AlterTableStmt: return is_temporary(reinterpret_cast<const AlterTableStmt *>(statement)->relation);
	case T_RenameStmt: return is_temporary(reinterpret_cast<const RenameStmt *>(statement)->relation);
	case T_CreateTrigStmt: return is_temporary(reinterpret_cast<const CreateTrigStmt *>(statement)->relation);
	case T_RuleStmt: return is_temporary(reinterpret_cast<const RuleStmt *>(statement)->relation);
	case T_DropStmt: {
		const auto *drop = reinterpret_cast<const DropStmt *>(statement);
		if (drop->removeType != OBJECT_TABLE && drop->removeType != OBJECT_VIEW && drop->removeType != OBJECT_INDEX &&
			drop->removeType != OBJECT_SEQUENCE)
			return false;
		for (int i = 0; i < list_length(drop->objects); ++i)
			if (!is_temporary(makeRangeVarFromNameList(static_cast<List *>(list_nth(drop->objects, i)))))
				return false;
		return true;
	}
	default: return false;
	}
}

// What locks no table and changes no schema.
bool
is_harmless(const Node *statement) {
	switch (nodeTag(statement)) {
	case T_GrantStmt:
	case T_GrantRoleStmt:
	case T_CommentStmt: return true;
	default: return false;
	}
}

// "" where it passes, else how it is frozen.
Frozen
judge(const EventTriggerData *event) {
	Frozen frozen;
	const auto failure = pg::attempt([&] {
		pg::call([&] {
			look(frozen);
			if (frozen.incident != 0 && (is_harmless(event->parsetree) || is_about_temporary(event->parsetree)))
				frozen.incident = 0;
		});
	});
	if (!failure.empty())
		frozen.incident = 0;
	return frozen;
}

} // namespace

CHAT_V11_ENTRY(chat_v11_ddl_freeze) {
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		throw invalid_argument("chat_v11.ddl_freeze() is an event trigger");
	if (creating_extension || pg::call([] { return superuser(); }))
		return PointerGetDatum(nullptr);
	const auto *event = reinterpret_cast<const EventTriggerData *>(fcinfo->context);
	const auto frozen = judge(event);
	const std::string mode = frozen.mode;
	if (frozen.incident == 0 || mode == "off")
		return PointerGetDatum(nullptr);
	const auto id = std::to_string(frozen.incident);
	const auto sentence = std::string(GetCommandTagName(event->tag)) + " while P0 incident " + id + " is open";
	constexpr const char *hint = "Wait until it is closed; a superuser may go on. The mode: select "
								 "chat_v11.set_setting('ddl_freeze', 'off', 'why');";
	if (mode == "refuse")
		throw forbidden(sentence, "The playbook forbids risky DDL in an incident.", hint);
	pg::tell(WARNING, sentence, {}, hint);
	return PointerGetDatum(nullptr);
}

} // namespace chat_v11
