#pragma once

// How many values fell where: a histogram of durations in milliseconds, with which percentiles are read from counts
// that can be added up, and taken back, in any order.
//
// Layout, fixed for good because stored histograms rest on it (docs/histogram.md): bin 0 holds 0 to 0.01.  Above it,
// each decade from 0.01 to 1e9 has 175 bins, whose edges in units of the decade's lower end are
//     1.00, 1.02, ... 2.50, 2.55, ... 5.00, 5.10, ... 10.0
// A bin is (lower, upper]: what lies above an edge is counted exactly.  Every number of two significant digits is an
// edge, hence also the limits that people type.  No bin is wider than 2 % of its lower edge.

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

namespace histogram_layout {

inline constexpr int bin_count = 1926;
inline constexpr double smallest_edge = 0.01;
inline constexpr double largest_edge = 1e9;

// A cell is the doubles that share their exponent and the first 7 bits of their fraction.  It is narrower than any bin,
// so that at most one edge lies inside, and one comparison settles the bin.
inline constexpr int cell_shift = 52 - 7;
inline constexpr std::uint64_t first_cell = std::bit_cast<std::uint64_t>(smallest_edge) >> cell_shift;
inline constexpr std::uint64_t last_cell = std::bit_cast<std::uint64_t>(largest_edge) >> cell_shift;

extern const std::array<double, bin_count> upper_edges;
extern const std::array<std::uint16_t, last_cell - first_cell + 1> bin_at_cell;

} // namespace histogram_layout

class Histogram {
public:
	static constexpr int bin_count = histogram_layout::bin_count;

	// Of a value from 0 up; what is above 1e9 belongs to the last bin.  A negative value or NaN must not come here.
	static int
	bin_of(double value) noexcept {
		using namespace histogram_layout;
		if (!(value > smallest_edge))
			return 0;
		if (value >= largest_edge)
			return bin_count - 1;
		const auto cell = (std::bit_cast<std::uint64_t>(value) >> cell_shift) - first_cell;
		const int bin = bin_at_cell[cell];
		return bin + (value > upper_edges[static_cast<size_t>(bin)]);
	}
	static double
	lower(int bin) {
		return bin == 0 ? 0 : upper(bin - 1);
	}
	static double
	upper(int bin) {
		return histogram_layout::upper_edges.at(static_cast<size_t>(bin));
	}
	// What stands for the values of a bin: halfway between its edges, a number that is short to read, with a relative
	// error of at most 1 %.  0 for bin 0.
	static double middle(int bin);

	static bool is_edge(double value);
	struct Edges {
		double below, above; // the same where the value is an edge; 0 below the first, 1e9 above the last
	};
	static Edges edges_around(double value);

	// ERR_INVALID_ARGUMENT for a negative value, NaN, and for more than 2^63 - 1 values in all.
	void add(double value, std::int64_t n = 1);
	// n below 0 takes back; std::logic_error for more than there is.
	void add_bin(int bin, std::int64_t n);
	// Both change nothing where they throw, what add_bin() does.
	Histogram &operator+=(const Histogram &other);
	Histogram &operator-=(const Histogram &other);

	std::int64_t
	count() const noexcept {
		return count_;
	}
	std::int64_t
	count_of(int bin) const {
		return at(bin);
	}
	bool
	empty() const noexcept {
		return count_ == 0;
	}
	// Nearest rank: the middle of the bin of the ceil(q * count)-th smallest value, at least the first.  q is taken as
	// the decimal number that it prints as, so that 0.95 of 100 values is the 95th on any machine.  Nothing for an
	// empty histogram; ERR_INVALID_ARGUMENT for q outside 0 to 1.
	std::optional<double> quantile(double q) const;
	static std::int64_t nearest_rank(double q, std::int64_t count);
	// How many are above the limit: exact where the limit is an edge; else those above the next edge, which leaves out
	// what shares the limit's bin.  ERR_INVALID_ARGUMENT for NaN.
	std::int64_t exceeding(double limit) const;

	// f(bin, count) of each bin that has any, ascending.
	template <typename F>
	void
	for_each(F &&f) const {
		for (const auto &entry : sparse_)
			f(entry.bin, entry.count);
		for (size_t i = 0; i < dense_.size(); ++i)
			if (dense_[i] != 0)
				f(first_ + static_cast<int>(i), dense_[i]);
	}
	// The same counts, whatever form holds them.
	friend bool operator==(const Histogram &a, const Histogram &b);

	// The stored form, see histogram_codec.cpp.  One histogram has one form, to the bit.
	std::string encode() const;
	// ERR_INVALID_ARGUMENT for any bytes that encode() does not make.
	static Histogram decode(std::string_view bytes);

	// "{182:3,184:10}": upper edge of the bin, count; "{}" where there is none.
	std::string to_text() const;
	// Also with blanks between the parts.  ERR_INVALID_ARGUMENT names the item that is wrong.
	static Histogram parse(std::string_view text);

private:
	struct Entry {
		int bin;
		std::int64_t count;
	};

	std::int64_t &slot(int bin);
	std::int64_t at(int bin) const;
	void make_room(int first, int last);

	// Most histograms are small: one of a minute and a cohort.  Those are a sorted list of bins, whose insert is a
	// short move.  With more bins than a list is good for, they become counts side by side, where add() is one
	// addition; bins of real latencies lie close together.  Only one of the two is in use.
	static constexpr size_t longest_list = 64;
	std::vector<Entry> sparse_;
	std::vector<std::int64_t> dense_;
	int first_ = 0; // bin of dense_[0]
	std::int64_t count_ = 0;
};

// A range of bins that also holds first..last, with slack on the side that grew, so that growing bin by bin costs
// little.
struct BinRange {
	int first = 0;
	int size = 0;
	bool
	contains(int bin) const {
		return bin >= first && bin < first + size;
	}
	BinRange widened(int first_bin, int last_bin) const;
};

} // namespace chat_v11
