#pragma once

// A table that is emptied by giving it a new, empty file, as TRUNCATE does, without its record for logical replication.

#include "pg/postgres.hpp"

extern "C" {
#include "storage/predicate.h"
#include "utils/relcache.h"
}

namespace chat_v11::pg {

// Raises PostgreSQL's errors.  The caller has locked the table against everybody, and sees to its indexes.
inline void
set_new_file(Relation table) {
	CheckTableForSerializableConflictIn(table);
#if PG_VERSION_NUM >= 160000
	RelationSetNewRelfilenumber(table, table->rd_rel->relpersistence);
#else
	RelationSetNewRelfilenode(table, table->rd_rel->relpersistence);
#endif
}

} // namespace chat_v11::pg
