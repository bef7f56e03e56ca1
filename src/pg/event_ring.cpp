#include "pg/event_ring.hpp"

#include "pg/lock.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/tableam.h"
#include "storage/bufmgr.h"
}

namespace chat_v11::pg {

namespace {

LOCKTAG
gate_of(Oid leaf) {
	constexpr uint16 gate = 1;
	return part_of(leaf, gate);
}

} // namespace

Oid
ring_leaf(Oid schema, int number) {
	char name[] = "event_0";
	name[sizeof name - 2] = static_cast<char>('0' + number);
	const Oid leaf = get_relname_relid(name, schema);
	if (!OidIsValid(leaf))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"chat_v11.%s\" does not exist", name)));
	return leaf;
}

int
ring_current() {
	// Six files hold what is kept, one is written to, and one waits to be dropped.
	const auto width = std::max<Duration>(raw_retention() / (ring_size - 2), std::chrono::minutes(1));
	return static_cast<int>(GetCurrentTimestamp() / width.count() % ring_size);
}

void
pass_gate(Oid leaf) {
	const LOCKTAG tag = gate_of(leaf);
	(void)LockAcquire(&tag, RowExclusiveLock, false, false);
}

void
leave_gate(Oid leaf) {
	const LOCKTAG tag = gate_of(leaf);
	(void)LockRelease(&tag, RowExclusiveLock, false);
}

BlockNumber
length_at_gate(Relation leaf) {
	const LOCKTAG tag = gate_of(RelationGetRelid(leaf));
	(void)LockAcquire(&tag, ShareLock, false, false);
	const BlockNumber length = RelationGetNumberOfBlocks(leaf);
	(void)LockRelease(&tag, ShareLock, false);
	return length;
}

} // namespace chat_v11::pg
