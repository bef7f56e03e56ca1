#pragma once

// Pairing of ACKs and receipts: what is known of one write, and what that adds to the buckets.
//
// What is known of a write only ever gets better: the first ACK is the smallest, the receipt that counts is the
// earliest. So knowledge can be merged in any order and any number of times, and what a report changes in the buckets
// is the difference between what the write added before and what it adds now.

#include "core/cells.hpp"
#include "core/event.hpp"

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

// The first ACK is the smallest by time, then cohort, then actor, a missing one last.
struct Ack {
	Time at{};
	Cohort cohort{};
	std::optional<Uuid> actor;
	bool before(const Ack &other) const;
	bool operator==(const Ack &) const = default;
};

// The earliest receipt is the smallest by time, then value, a missing one last, then cohort.
struct Receipt {
	Time at{};
	std::optional<double> value; // milliseconds; wins over the difference of times
	Cohort cohort{};
	bool before(const Receipt &other) const;
	bool operator==(const Receipt &) const = default;
};

struct WriteState {
	std::optional<Ack> ack;
	std::optional<Receipt> receipt;

	void add(const Ack &other);
	void add(const Receipt &other);
	void add(const WriteState &other);

	bool
	in_time() const {
		return ack && receipt && receipt->at <= ack->at + receipt_limit;
	}
	// A canary's write that was not answered in time: what missing_receipts() lists once it is mature.
	bool
	missing() const {
		return ack && ack->cohort == Cohort::v11 && !in_time();
	}
	// Write-to-receipt time in ms; only with ACK and receipt.
	double duration_ms() const;
	bool operator==(const WriteState &) const = default;
	// The newest of its times: the moment from which on it can be judged is this plus the maturity delay.
	Time newest() const;
};

// Sums of writes: one bucket a minute and cohort.  Writes are bucketed by [second, second + 1) of their first ACK,
// orphans as events are, by (second, second + 1].
struct MinuteOfCohort {
	std::int64_t minute; // since the epoch
	Cohort cohort;
	auto operator<=>(const MinuteOfCohort &) const = default;
};
using WriteSums = std::map<MinuteOfCohort, Cells>;

// Adds what the write counts, n times (-1 takes it back).  slow_limit in ms: see exceeds().
void count_write(WriteSums &sums, const WriteState &write, double slow_limit, std::int64_t n);

// Whether the values of a bin of the histogram count as above the limit: all of them, or, where the limit is no edge
// and lies within the bin, perhaps some.  So nothing above a limit is ever missed.
bool bin_exceeds(int bin, double limit_ms);
// The same of a duration.  For a limit that is an edge that is the plain comparison.
bool exceeds(double duration_ms, double limit_ms);

// A write that waits for its maturity, by key.
struct PendingWrite {
	Uuid key{};
	WriteState state;
	bool is_new = false; // nothing was stored of this key when it came in
};

// Stored form of a batch of them.  decode throws CorruptBytes.
std::string encode(const std::vector<PendingWrite> &writes);
std::vector<PendingWrite> decode_pending(std::string_view bytes);

} // namespace chat_v11
