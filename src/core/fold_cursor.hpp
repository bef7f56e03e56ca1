#pragma once

// What has been folded: the cursor of the exactly-once count.
//
// Each round of folding takes a snapshot and counts the rows whose transaction had ended by then and had not by the
// round before.  A row is counted by the one round in which that is so, whatever the order of commits; a transaction
// that is still open is passed over, and counted by a later round.  That rests on transaction numbers alone.  The
// positions only say where such rows can be, so that a round reads what is new.

#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

// Which transactions, subtransactions among them, had ended at one moment.  Numbers are 64 bits wide: they never wrap.
struct TransactionSnapshot {
	std::uint64_t xmin = 0;                 // all below had ended
	std::uint64_t xmax = 0;                 // none from here on had
	std::vector<std::uint64_t> in_progress; // those between that had not, ascending

	bool had_ended(std::uint64_t xid) const;
};

// A number as rows keep it, made wide by one that was about to be given out: of those with these low 32 bits, the
// newest that is no more than 2^24 beyond `next`.  0 for the numbers below 3, which belong to no transaction.
std::uint64_t widen_xid(std::uint32_t xid, std::uint64_t next);

// Pages that will take no more rows, and have some of transactions that had not ended.
struct Hold {
	std::uint32_t start = 0;
	std::uint32_t count = 0;
	std::vector<std::uint64_t> xids; // ascending
	bool operator==(const Hold &) const = default;
};

struct LeafPosition {
	std::uint32_t file = 0;  // which file the rest speaks of: a table that was emptied has a new one
	std::uint32_t low = 0;   // all pages below have been read to their end, but for the holds
	std::vector<Hold> holds; // ascending
	std::int64_t rows = 0;   // counted from this file
	Time last_seen{};        // when a round last found rows there
	bool operator==(const LeafPosition &) const = default;

	// Remembers a page; pages come in ascending order.
	void hold(std::uint32_t page, std::vector<std::uint64_t> xids);
};

// A round that was stopped by its limit: everything before (leaf, page) has been counted by its snapshot.
struct OpenRound {
	TransactionSnapshot snapshot;
	std::uint32_t leaf = 0;
	std::uint32_t page = 0;
};

struct FoldCursor {
	TransactionSnapshot done;
	std::optional<OpenRound> open;
	std::vector<LeafPosition> leaves;

	// Whether a row of that page, written by that transaction, is in the buckets already.
	bool
	counted(std::uint32_t leaf, std::uint32_t page, std::uint64_t xid) const {
		return done.had_ended(xid) || (open && (leaf < open->leaf || (leaf == open->leaf && page < open->page)) &&
									   open->snapshot.had_ended(xid));
	}
};

// Stored form, with a version byte.  decode throws CorruptBytes.
std::string encode(const FoldCursor &cursor);
FoldCursor decode_cursor(std::string_view bytes);

} // namespace chat_v11
