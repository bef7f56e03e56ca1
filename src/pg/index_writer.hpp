#pragma once

// Index entries for rows that were put into a table without a query, whatever indexes it has: REINDEX CONCURRENTLY has
// one of its own for a while, and somebody may have added one.

#include "pg/boundary.hpp"

extern "C" {
#include "access/tableam.h"
#include "nodes/execnodes.h"
}

namespace chat_v11::pg {

// Raises PostgreSQL's errors, and owns nothing that an error would not free: for use inside call().
struct IndexWriter {
	EState *state;
	ResultRelInfo *target;

	static IndexWriter open(Relation table);
	// The slot has the row's place.  For an update within the page, of which only summaries want to know:
	// `summaries_only` (server 16 on).
	void put(TupleTableSlot *slot, bool summaries_only);
	void close();
};

// Of a table that is locked.
int index_count(Relation table);

} // namespace chat_v11::pg
