#pragma once

// Folding: from events to buckets, each event once.

#include "core/event_sums.hpp"
#include "core/fold_cursor.hpp"
#include "pg/bucket_store.hpp"
#include "pg/spi.hpp"

#include <deque>

namespace chat_v11::pg {

// Writes that came in too young to be judged, as one round of folding left them: a batch is settled as a whole once all
// of it is mature.
struct PendingBatch {
	std::int64_t id = 0;
	Time newest{};
	std::vector<PendingWrite> writes;
};

// chat_v11.fold_state, the one row that a round moves on.
struct FoldState {
	FoldCursor cursor;
	std::int64_t folded = 0; // events, in all
	std::optional<Time> folded_at;
	int generation = 0;
	Time generation_since{};
	// Counts since the beginning of a stage, so that nobody has to add up a day of buckets.
	std::optional<std::int64_t> since; // the second; nothing while no rollout is live
	SinceEntry since_entry;
};

FoldState load_fold_state(Spi &spi);
std::deque<PendingBatch> load_pending(Spi &spi);

// One round.  Counts at most about `limit` events, and whole pages of them; how many.  Nothing where another session is
// folding.  Old files are given up only where the transaction ends with the statement, since that locks readers out:
// `ends_at_once`, for a caller in a subtransaction, where that can no longer be seen.
std::optional<std::int64_t> fold(std::optional<std::int64_t> limit, bool ends_at_once);
std::optional<std::int64_t> fold(std::optional<std::int64_t> limit);

// The lock of who folds, until the end of the transaction; false where another session has it.
bool lock_fold();

// While it lives, this session may write the tables that the fold writes.
class FoldWrites {
public:
	FoldWrites();
	~FoldWrites();
	FoldWrites(const FoldWrites &) = delete;
	FoldWrites &operator=(const FoldWrites &) = delete;
};

// Buckets that begin before are dropped.
Time oldest_bucket(Time now);

// Adds what the active snapshot sees and the cursor has not counted; how many pages that took.
std::int64_t read_tail(const FoldCursor &cursor, EventSums &sums);

struct FoldStatus {
	std::int64_t tail_events = 0; // committed, and not in the buckets yet
	double lag_seconds = 0;       // since the last fold, while there are any
	std::optional<Time> last_fold;
	std::int64_t folded = 0;
	std::int64_t tail_pages = 0; // that a look at the gates reads besides the buckets
	std::int64_t held_pages = 0; // of them or beside them, those kept for transactions that had not ended
	std::int64_t pending_writes = 0;
	bool open_round = false;
	std::optional<int> pid; // of the session that is folding
	std::int64_t event_bytes = 0;
	std::int64_t bucket_bytes = 0;
	std::int64_t write_bytes = 0;
};
FoldStatus read_fold_status(Spi &spi);

// Whether that row of that file is in the buckets of the active snapshot.
bool is_folded(Oid leaf, BlockNumber page, TransactionId xid);

// While fold() of this session writes.
bool is_folding();

// The schema of chat_v11.event; an error where that relation or its access method is gone.
Oid event_schema();

// Which file a leaf is kept in now.
std::uint32_t file_of(Relation leaf);

} // namespace chat_v11::pg
