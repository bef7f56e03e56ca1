#pragma once

// Rows of the event files, read page by page, each with the number of the transaction that wrote it.

#include "core/event.hpp"
#include "core/fold_cursor.hpp"
#include "pg/event_ring.hpp"

extern "C" {
#include "access/transam.h"
#include "storage/bufmgr.h"
}

namespace chat_v11::pg {

// How a transaction ended, as far as its row's own header does not say.  Asks for each transaction once in a row: one
// after another, rows are mostly of the same.
class Outcomes {
public:
	bool
	committed(TransactionId xid, std::uint16_t infomask) {
		if (infomask & HEAP_XMIN_COMMITTED) // also where it is frozen
			return true;
		if (infomask & HEAP_XMIN_INVALID)
			return false;
		if (xid != last_) {
			committed_ = call([&] { return TransactionIdDidCommit(xid); });
			last_ = xid;
		}
		return committed_;
	}

private:
	TransactionId last_ = InvalidTransactionId;
	bool committed_ = false;
};

struct RowHeader {
	TransactionId xid;
	CommandId command; // of the insert; of use only where the transaction is the reader's own
	std::uint16_t infomask;
};

// Columns of chat_v11.event, in its order: at, kind, cohort, actor, subject, value.  CorruptBytes for what no event is.
void read_event(const HeapTupleHeaderData *tuple, size_t length, RawEvent &event);

class Pages {
public:
	explicit Pages(Relation leaf) : leaf_(leaf) {
		strategy_ = call([] { return GetAccessStrategy(BAS_BULKREAD); });
	}

	// Calls on_row(header, tuple, length) for each row of the page, whatever became of its transaction.
	template <typename F>
	void
	read(BlockNumber page, F &&on_row) {
		// A copy, so that nothing of ours runs while the page is locked.
		call([&] {
			const Buffer buffer = ReadBufferExtended(leaf_, MAIN_FORKNUM, page, RBM_NORMAL, strategy_);
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
			memcpy(copy_.data, BufferGetPage(buffer), BLCKSZ);
			UnlockReleaseBuffer(buffer);
		});
		char *const bytes = copy_.data;
		if (PageIsNew(bytes))
			return;
		const OffsetNumber last = PageGetMaxOffsetNumber(bytes);
		for (OffsetNumber number = FirstOffsetNumber; number <= last; ++number) {
			const ItemId item = PageGetItemId(bytes, number);
			if (!ItemIdIsNormal(item))
				continue;
			const auto *tuple = reinterpret_cast<const HeapTupleHeaderData *>(PageGetItem(bytes, item));
			on_row(
				RowHeader{HeapTupleHeaderGetRawXmin(tuple), HeapTupleHeaderGetRawCommandId(tuple), tuple->t_infomask},
				tuple, static_cast<size_t>(ItemIdGetLength(item)));
		}
	}

private:
	Relation leaf_;
	BufferAccessStrategy strategy_ = nullptr;
	PGAlignedBlock copy_;
};

// The pages of a leaf that can hold what a cursor has not counted: those it holds, and those from `low` on.
// Calls on_page(page, hold), hold being null for the latter.
template <typename F>
void
each_open_page(const LeafPosition &position, BlockNumber length, F &&on_page) {
	for (const auto &hold : position.holds)
		for (std::uint32_t i = 0; i < hold.count && hold.start + i < length; ++i)
			on_page(hold.start + i, &hold);
	for (BlockNumber page = position.low; page < length; ++page)
		on_page(page, static_cast<const Hold *>(nullptr));
}

} // namespace chat_v11::pg
