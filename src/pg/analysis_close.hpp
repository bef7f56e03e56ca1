#pragma once

// Closing buckets of the canary analysis: once, by whoever folds.

#include "core/time.hpp"

#include <chrono>
#include <string>

namespace chat_v11::pg {

// Closes the buckets that are due, each with one row that never changes.  Does nothing where another session folds.
// To be called after fold().  Nothing of it may hold up a fold or a look at the gates: what it cannot do now it tells,
// and the next round tries again.  "", or why nothing was closed.
std::string close_buckets();

struct ClosingResult {
	std::string trouble; // "", or why nothing was closed
	bool failed = false; // else it was known beforehand that nothing could be, and cost no time
};

// In a guard's round nothing may take so long that a kill in the next one would come too late.
inline constexpr int close_in_round_ms = 1000;
inline constexpr int close_by_hand_ms = 5000;

// The same in a subtransaction, for a bounded time: whatever fails in it undoes only itself, and is told.
ClosingResult try_to_close_buckets(int milliseconds);

// How it is told, by whoever closes.
inline std::string
closes_none(const std::string &trouble) {
	return "the canary analysis closes no buckets: " + trouble;
}

// For who comes round after round: after a failure the next tries wait, as those of the fold do.
class ClosingRetry {
public:
	bool
	waits() const {
		return std::chrono::steady_clock::now() < after_;
	}
	// Takes down how a try has ended; what to tell of it.
	std::string ended(const ClosingResult &result, Duration interval);
	// While it waits: the failure that it waits for.
	const std::string &
	failure() const {
		return failure_;
	}

private:
	int failures_ = 0;
	std::string failure_;
	std::chrono::steady_clock::time_point after_{};
};

} // namespace chat_v11::pg
