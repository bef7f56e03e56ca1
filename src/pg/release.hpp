#pragma once

// The release as the newest commit left it that has reached this backend, at the price of a look at a flag.
//
// Each backend keeps a copy of the state row.  PostgreSQL's own invalidation messages drop it: the row trigger
// 40_refresh on the state table sends one at every change, and it reaches other backends of the same server when the
// change commits, a standby when it is replayed, a subscriber when it is applied.  So the answer does not depend on the
// snapshot of whoever asks: a kill is seen inside an open REPEATABLE READ transaction too, and a transaction sees its
// own change until it rolls back.

#include "core/cohort.hpp"
#include "core/event.hpp"
#include "pg/boundary.hpp"

namespace chat_v11::pg {

// At the library's load.
void register_release_callback();

// The release; one that nobody is in where the state cannot be read: no table, no row, a row that makes no sense, a
// table that somebody is about to rewrite or drop.  No lock, no query and no catalog is touched unless an invalidation
// came.  Raises Error for a cancel, and where reading fails in a parallel worker, which can undo nothing.
const Release &current_release();

// The same release for whoever shows it: before the first start with the algorithm chosen so far.  Queries.
Release release_to_show();

// The cohort of an actor, whose id is the uuid's text in lower case.
Cohort cohort_of(const Uuid &actor);

} // namespace chat_v11::pg
