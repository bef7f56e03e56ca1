#pragma once

// Counts within one minute, by second and field: what a bucket keeps beside its totals so that windows can begin and
// end at any second.  Sparse, additive, and packed when stored.

#include "core/event.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chat_v11 {

// Fields of a cell.  Those below first_bin are few and read with every look at the gates; the others are a histogram by
// second, stored apart and read only where a window cuts a minute.
namespace field {
inline constexpr std::uint32_t count = 0;      // events; writes with an ACK
inline constexpr std::uint32_t anonymous = 1;  // send_stall: events without an actor
inline constexpr std::uint32_t in_time = 1;    // writes answered within receipt_limit
inline constexpr std::uint32_t answered = 2;   // writes with a receipt
inline constexpr std::uint32_t slow = 3;       // answered writes whose duration exceeds the limit in force
inline constexpr std::uint32_t orphans = 4;    // receipts without an ACK, by their own time
inline constexpr std::uint32_t open = 5;       // unanswered writes by tenth of the second: open ... open + 9
inline constexpr std::uint32_t first_bin = 16; // + histogram bin
} // namespace field

class Cells {
public:
	struct Cell {
		std::uint32_t key; // second * fields + field
		std::int64_t count;
		std::uint32_t
		second() const {
			return key / fields;
		}
		std::uint32_t
		field() const {
			return key % fields;
		}
	};
	static constexpr std::uint32_t fields = 2048;

	void
	add(std::uint32_t second, std::uint32_t which, std::int64_t n) {
		cells_.push_back({second * fields + which, n});
		sorted_ = false;
	}
	void add(const Cells &other);
	bool
	empty() const {
		return cells_.empty();
	}
	// Ascending by key, one for each, without those that came to zero.
	const std::vector<Cell> &all();

	// Takes away what came out below zero.
	void drop_negative();
	// Stored form; a count below zero cannot be stored and throws std::logic_error.
	std::string encode();
	static Cells decode(std::string_view bytes); // throws CorruptBytes
	// The cells below and from first_bin on.
	std::pair<Cells, Cells> split();

private:
	std::vector<Cell> cells_;
	bool sorted_ = true;
};

} // namespace chat_v11
