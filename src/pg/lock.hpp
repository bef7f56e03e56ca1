#pragma once

// Locks of the server on things of ours.

#include "pg/boundary.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "storage/lock.h"
}

namespace chat_v11::pg {

// A lock of its own beside a table's.  In pg_locks: locktype object, classid 1259, objid the table, objsubid the part.
inline LOCKTAG
part_of(Oid table, uint16 part) {
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, table, part);
	return tag;
}

// Without waiting; false where somebody else has it.
inline bool
try_lock(const LOCKTAG &tag, LOCKMODE mode, bool for_session = false) {
	return call([&] { return LockAcquire(&tag, mode, for_session, true); }) != LOCKACQUIRE_NOT_AVAIL;
}

// Whether this session has it in just this mode.
inline bool
holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(&tag, mode, false);
#else
	return LockHeldByMe(&tag, mode);
#endif
}

} // namespace chat_v11::pg
