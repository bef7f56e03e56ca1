// DDL while a P0 incident is open.  It must never be what breaks an incident: whatever cannot be told lets the DDL
// pass, and so does whatever goes wrong in here, by the event trigger's own EXCEPTION.

#include "core/refusal.hpp"
#include "pg/datum.hpp"
#include "pg/on_commit.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"
#include "storage/bufmgr.h"
#include "tcop/cmdtag.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/portal.h"
}

namespace chat_v11 {

namespace {

// Reads without rights and without operators that a search_path could replace.  Never waits.
template <typename F>
void
each_row(const char *name, F &&f) {
	const Oid oid = pg::find_own_relation(name);
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

// The oldest that is open, or 0.
std::int64_t
open_p0() {
	std::int64_t id = 0;
	each_row("incident", [&](TupleTableSlot *slot, Oid table) {
		Datum value = 0;
		if (column(slot, table, "closed_at", value) || !column(slot, table, "severity", value) || !text_is(value, "P0"))
			return;
		if (column(slot, table, "id", value) && (id == 0 || DatumGetInt64(value) < id))
			id = DatumGetInt64(value);
	});
	return id;
}

bool
is_temporary_schema(const char *schema) {
	return schema && strcmp(schema, "pg_temp") == 0;
}

// What a statement makes.
bool
is_made_temporary(const RangeVar *name) {
	return name && (name->relpersistence == RELPERSISTENCE_TEMP || is_temporary_schema(name->schemaname));
}

// What it finds.
bool
is_temporary(const RangeVar *name) {
	if (!name || is_temporary_schema(name->schemaname))
		return name != nullptr;
	const Oid relation = RangeVarGetRelid(name, NoLock, true);
	return OidIsValid(relation) && get_rel_persistence(relation) == RELPERSISTENCE_TEMP;
}

// All that are dropped, or the statement's one object.
bool
is_about_temporary(const Node *statement) {
	switch (nodeTag(statement)) {
	case T_CreateStmt: return is_made_temporary(reinterpret_cast<const CreateStmt *>(statement)->relation);
	case T_CreateTableAsStmt:
		return is_made_temporary(reinterpret_cast<const CreateTableAsStmt *>(statement)->into->rel);
	case T_ViewStmt: return is_made_temporary(reinterpret_cast<const ViewStmt *>(statement)->view);
	case T_CreateSeqStmt: return is_made_temporary(reinterpret_cast<const CreateSeqStmt *>(statement)->sequence);
	case T_CreateFunctionStmt: {
		const List *name = reinterpret_cast<const CreateFunctionStmt *>(statement)->funcname;
		return list_length(name) == 2 && is_temporary_schema(strVal(linitial(name)));
	}
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

// The statement that fires the trigger, where the client itself sent it; one inside of a function is not to be had.
const Node *
sent_statement(CommandTag tag) {
	if (!ActivePortal || list_length(ActivePortal->stmts) != 1)
		return nullptr;
	const auto *statement = static_cast<const PlannedStmt *>(linitial(ActivePortal->stmts));
	const Node *utility = IsA(statement, PlannedStmt) ? statement->utilityStmt : nullptr;
	return utility && CreateCommandTag(const_cast<Node *>(utility)) == tag ? utility : nullptr;
}

// Of a P0 incident that freezes it; or 0.
std::int64_t
frozen_by(CommandTag tag) {
	const auto id = open_p0();
	if (id == 0)
		return 0;
	const Node *statement = sent_statement(tag);
	return !statement || is_harmless(statement) || is_about_temporary(statement) ? 0 : id;
}

} // namespace

// Called by the event trigger, as the extension's owner: on behalf of who the session is, or was set to be.
CHAT_V11_ENTRY(chat_v11_judge_ddl) {
	const auto mode = pg::ddl_freeze();
	if (creating_extension || mode == pg::DdlFreeze::off || PG_ARGISNULL(0) ||
		pg::call([] { return superuser_arg(GetOuterUserId()); }))
		PG_RETURN_VOID();
	const auto tag = pg::text_arg(fcinfo, 0).value_or("");
	const auto id = pg::call([&] { return frozen_by(GetCommandTagEnum(tag.c_str())); });
	if (id == 0)
		PG_RETURN_VOID();
	const auto sentence = tag + " while P0 incident " + std::to_string(id) + " is open";
	constexpr const char *hint = "Wait until it is closed; a superuser may go on.";
	if (mode == pg::DdlFreeze::refuse)
		throw forbidden(sentence, "The playbook forbids risky DDL in an incident.", hint);
	pg::tell(WARNING, sentence, {}, hint);
	PG_RETURN_VOID();
}

} // namespace chat_v11
