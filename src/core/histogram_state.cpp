#include "core/histogram_state.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <cstring>

namespace chat_v11::histogram_state {

namespace {

constexpr char version = 2;
constexpr size_t first_at = 2;
constexpr size_t size_at = 4;
constexpr size_t unused_at = 6;
constexpr size_t sum_at = 12;

template <typename T>
T
load(const char *from) {
	T value;
	std::memcpy(&value, from, sizeof value);
	return value;
}

template <typename T>
void
store(char *to, T value) {
	std::memcpy(to, &value, sizeof value);
}

size_t
count_at(BinRange range, int bin) {
	return header_size + sizeof(std::int64_t) * static_cast<size_t>(bin - range.first);
}

void
add_at(char *place, std::int64_t n) {
	std::int64_t sum;
	if (__builtin_add_overflow(load<std::int64_t>(place), n, &sum))
		throw invalid_argument("histogram would hold more than 9223372036854775807 values");
	store(place, sum);
}

} // namespace

std::optional<BinRange>
range_of(std::string_view bytes) noexcept {
	if (bytes.size() < header_size || bytes[0] != version || bytes[1] != 0)
		return std::nullopt;
	const BinRange range{load<std::uint16_t>(bytes.data() + first_at), load<std::uint16_t>(bytes.data() + size_at)};
	if (range.size == 0 || range.first + range.size > Histogram::bin_count || bytes.size() != size_of(range))
		return std::nullopt;
	return range;
}

void
write(char *bytes, BinRange range, const Histogram &histogram) {
	std::memset(bytes, 0, size_of(range));
	bytes[0] = version;
	store(bytes + first_at, static_cast<std::uint16_t>(range.first));
	store(bytes + size_at, static_cast<std::uint16_t>(range.size));
	add(bytes, range, histogram);
}

void
add(char *bytes, BinRange range, int bin) {
	// The sum first: it is the one that overflows, so that a refusal leaves the two in agreement.
	add_at(bytes + sum_at, 1);
	add_at(bytes + count_at(range, bin), 1);
}

void
add(char *bytes, BinRange range, const Histogram &histogram) {
	add_at(bytes + sum_at, histogram.count());
	histogram.for_each([&](int bin, std::int64_t n) { add_at(bytes + count_at(range, bin), n); });
}

Histogram
read(std::string_view bytes) {
	if (bytes.empty() || bytes[0] != version)
		return Histogram::decode(bytes);
	const auto wrong = [](const char *why) {
		return invalid_argument(std::string("transition state of a histogram is damaged: ") + why, {},
								"Pass on only what chat_v11.histogram_agg made.");
	};
	const auto range = range_of(bytes);
	if (!range)
		throw wrong("its length and its range do not agree");
	const auto unused = bytes.substr(unused_at, sum_at - unused_at);
	if (std::any_of(unused.begin(), unused.end(), [](char c) { return c != 0; }))
		throw wrong("a byte that has no use is not zero");
	Histogram histogram;
	for (int bin = range->first; bin < range->first + range->size; ++bin) {
		const auto n = load<std::int64_t>(bytes.data() + count_at(*range, bin));
		if (n < 0)
			throw wrong("a count is negative");
		histogram.add_bin(bin, n);
	}
	if (histogram.count() != load<std::int64_t>(bytes.data() + sum_at))
		throw wrong("its counts do not add up to its sum");
	return histogram;
}

} // namespace chat_v11::histogram_state
