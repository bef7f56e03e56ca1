#pragma once

// Locks of the server on things of ours.

#include "pg/boundary.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "common/hashfn.h"
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

// 48 bits of a hash, beside a table that gives the lock its name.  In pg_locks: locktype object, classid the table.
inline LOCKTAG
named_in(Oid table, const void *bytes, size_t size) {
	const auto hash = hash_bytes_extended(static_cast<const unsigned char *>(bytes), static_cast<int>(size), 0);
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, static_cast<Oid>(hash), static_cast<uint16>(hash >> 32));
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
