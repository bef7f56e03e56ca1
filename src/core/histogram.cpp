#include "core/histogram.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace chat_v11 {

namespace {

Refusal
too_many() {
	return invalid_argument("histogram would hold more than 9223372036854775807 values");
}

std::string
shown(double value) {
	char text[32];
	return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

} // namespace

double
Histogram::middle(int bin) {
	return bin == 0 ? 0 : (lower(bin) + upper(bin)) / 2;
}

bool
Histogram::is_edge(double value) {
	return value > 0 && upper(bin_of(value)) == value;
}

Histogram::Edges
Histogram::edges_around(double value) {
	const int bin = bin_of(value);
	return {upper(bin) <= value ? upper(bin) : lower(bin), upper(bin)};
}

BinRange
BinRange::widened(int first_bin, int last_bin) const {
	static constexpr int least = 32;
	const int low = size ? std::min(first, first_bin) : first_bin;
	const int high = size ? std::max(first + size - 1, last_bin) : last_bin;
	const int slack = std::max((high - low) / 2, least);
	// A new range has room on both sides, because nothing tells yet where it will grow.
	const int begin = size && low == first ? low : std::max(0, low - slack / (size ? 1 : 2));
	const int end =
		size && high == first + size - 1 ? high : std::min(Histogram::bin_count - 1, high + slack / (size ? 1 : 2));
	return {begin, end - begin + 1};
}

// ---- Counts ---------------------------------------------------------------------------------------------------------

// After this the bins from first to last can be counted without a throw.
void
Histogram::make_room(int first, int last) {
	const BinRange old{first_, static_cast<int>(dense_.size())};
	if (old.contains(first) && old.contains(last))
		return;
	if (!sparse_.empty()) {
		first = std::min(first, sparse_.front().bin);
		last = std::max(last, sparse_.back().bin);
	}
	const auto range = old.widened(first, last);
	std::vector<std::int64_t> counts(static_cast<size_t>(range.size));
	for_each([&](int bin, std::int64_t n) { counts[static_cast<size_t>(bin - range.first)] = n; });
	dense_ = std::move(counts);
	first_ = range.first;
	sparse_ = {};
}

// Where the bin's count is, which may be a new 0.
std::int64_t &
Histogram::slot(int bin) {
	if (dense_.empty()) {
		const auto place = std::lower_bound(sparse_.begin(), sparse_.end(), bin,
											[](const Entry &entry, int b) { return entry.bin < b; });
		if (place != sparse_.end() && place->bin == bin)
			return place->count;
		if (sparse_.size() < longest_list)
			return sparse_.insert(place, {bin, 0})->count;
	}
	make_room(bin, bin);
	return dense_[static_cast<size_t>(bin - first_)];
}

std::int64_t
Histogram::at(int bin) const {
	if (BinRange{first_, static_cast<int>(dense_.size())}.contains(bin))
		return dense_[static_cast<size_t>(bin - first_)];
	for (const auto &entry : sparse_)
		if (entry.bin == bin)
			return entry.count;
	return 0;
}

void
Histogram::add(double value, std::int64_t n) {
	if (!(value >= 0))
		throw invalid_argument("a histogram takes values of 0 and more", "The value is " + shown(value) + ".");
	add_bin(bin_of(value), n);
}

void
Histogram::add_bin(int bin, std::int64_t n) {
	if (bin < 0 || bin >= bin_count)
		throw std::out_of_range("histogram has no bin " + std::to_string(bin));
	if (n == 0)
		return;
	// No count is larger than their sum, so only the sum can overflow.
	std::int64_t sum;
	if (__builtin_add_overflow(count_, n, &sum) && n > 0)
		throw too_many();
	if (n < 0 && at(bin) + n < 0)
		throw std::logic_error("histogram: more is taken back from bin " + std::to_string(bin) + " than it holds");
	auto &count = slot(bin);
	count += n;
	count_ = sum;
	if (count == 0 && dense_.empty())
		std::erase_if(sparse_, [](const Entry &entry) { return entry.count == 0; });
}

Histogram &
Histogram::operator+=(const Histogram &other) {
	if (other.empty())
		return *this;
	if (&other == this)
		return *this += Histogram(other);
	std::int64_t sum;
	if (__builtin_add_overflow(count_, other.count_, &sum))
		throw too_many();
	// All room before the first count, so that nothing can throw half-way.
	if (!other.dense_.empty())
		make_room(other.first_, other.first_ + static_cast<int>(other.dense_.size()) - 1);
	else if (!dense_.empty() || sparse_.size() + other.sparse_.size() > longest_list)
		make_room(other.sparse_.front().bin, other.sparse_.back().bin);
	else
		sparse_.reserve(sparse_.size() + other.sparse_.size());
	other.for_each([&](int bin, std::int64_t n) { slot(bin) += n; });
	count_ = sum;
	return *this;
}

Histogram &
Histogram::operator-=(const Histogram &other) {
	if (&other == this)
		return *this = {};
	other.for_each([&](int bin, std::int64_t n) {
		if (at(bin) < n)
			throw std::logic_error("histogram: more is taken back from bin " + std::to_string(bin) + " than it holds");
	});
	other.for_each([&](int bin, std::int64_t n) { add_bin(bin, -n); });
	return *this;
}

bool
operator==(const Histogram &a, const Histogram &b) {
	if (a.count_ != b.count_)
		return false;
	// As the sums agree and no count is negative, nothing can be in b that is not in a.
	bool equal = true;
	a.for_each([&](int bin, std::int64_t n) { equal = equal && b.at(bin) == n; });
	return equal;
}

// ---- Answers --------------------------------------------------------------------------------------------------------

std::int64_t
Histogram::nearest_rank(double q, std::int64_t count) {
	if (!(q >= 0 && q <= 1))
		throw invalid_argument("quantile is not between 0 and 1", "It is " + shown(q) + ".",
							   "The 95th percentile is the quantile 0.95.");
	if (q == 0)
		return 1;
	// q is digits / 10^decimals, by its shortest text d.ddde-XX.  A double has at most 17 digits, so that the product
	// stays below 1e36.
	char text[32];
	const char *const end = std::to_chars(text, text + sizeof text, q, std::chars_format::scientific).ptr;
	__int128 product = 0;
	int decimals = 0;
	const char *c = text;
	for (; *c != 'e'; ++c) {
		if (*c == '.')
			continue;
		product = product * 10 + (*c - '0');
		decimals += c != text;
	}
	int exponent = 0; // never above 0 here
	std::from_chars(c + 2, end, exponent);
	decimals += exponent;
	if (decimals > 37)
		return 1;
	product *= count;
	__int128 divisor = 1;
	for (int i = 0; i < decimals; ++i)
		divisor *= 10;
	return std::max<std::int64_t>(static_cast<std::int64_t>((product + divisor - 1) / divisor), 1);
}

std::optional<double>
Histogram::quantile(double q) const {
	auto left = nearest_rank(q, count_);
	int found = -1;
	for_each([&](int bin, std::int64_t n) {
		if (found < 0 && left <= n)
			found = bin;
		left -= n;
	});
	return found < 0 ? std::nullopt : std::optional(middle(found));
}

std::int64_t
Histogram::exceeding(double limit) const {
	if (std::isnan(limit))
		throw invalid_argument("limit is not a number");
	if (limit < 0)
		return count_;
	if (limit > upper(bin_count - 1))
		return 0;
	const int last_within = bin_of(limit);
	std::int64_t above = 0;
	for_each([&](int bin, std::int64_t n) { above += bin > last_within ? n : 0; });
	return above;
}

} // namespace chat_v11
