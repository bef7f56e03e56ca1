// Histograms out of bytes that nobody vouches for: the stored form, the text and the transition state.  The first byte
// says which, and the rest is the input.  Whatever is accepted must be the one form of the histogram that came out.

#include "target.hpp"

#include "core/histogram_state.hpp"
#include "core/refusal.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace chat_v11::fuzz {

namespace {

enum Form : unsigned char { stored, text, state, form_count };
Tally by_form[form_count] = {{"histogram: stored form"}, {"histogram: text"}, {"histogram: transition state"}};

void
require(bool condition) {
	if (!condition)
		std::abort();
}

// What every histogram must be able to do, whoever made it.
void
use(const Histogram &histogram) {
	std::int64_t sum = 0;
	int last = -1;
	histogram.for_each([&](int bin, std::int64_t n) {
		require(bin > last && bin < Histogram::bin_count && n > 0);
		last = bin;
		sum += n;
	});
	require(sum == histogram.count());
	require(histogram.empty() == !histogram.quantile(0.95).has_value());
	require(histogram.empty() || histogram.quantile(1) == Histogram::middle(last));
	require(histogram.exceeding(-1) == sum && histogram.exceeding(2000) <= sum);
	require(Histogram::decode(histogram.encode()) == histogram);
	require(Histogram::parse(histogram.to_text()) == histogram);
	auto doubled = histogram;
	try {
		doubled += histogram;
		doubled -= histogram;
	} catch (const Refusal &) {
	}
	require(doubled == histogram);
}

void
read_state(std::string_view bytes) {
	const auto range = histogram_state::range_of(bytes);
	// A transition looks no further than this before it writes.
	if (range) {
		std::string copy(bytes);
		try {
			for (int bin = range->first; bin < range->first + range->size; ++bin)
				histogram_state::add(copy.data(), *range, bin);
		} catch (const Refusal &) {
		}
		require(histogram_state::range_of(copy).has_value());
	}
	use(histogram_state::read(bytes));
}

std::string
state_of(const Histogram &histogram, std::mt19937_64 &random) {
	int first = static_cast<int>(random() % Histogram::bin_count);
	int last = first;
	histogram.for_each([&](int bin, std::int64_t) {
		first = std::min(first, bin);
		last = std::max(last, bin);
	});
	const auto range = BinRange{}.widened(first, last);
	std::string bytes(histogram_state::size_of(range), '\0');
	histogram_state::write(bytes.data(), range, histogram);
	return bytes;
}

} // namespace

const std::span<Tally> tallies = by_form;

std::string
seed(std::mt19937_64 &random) {
	Histogram histogram;
	// Mostly small, so that a mutation meets the structure and not always a count in the middle.
	const auto values = random() % (random() % 8 == 0 ? 500 : 12);
	const auto begin = random() % Histogram::bin_count;
	const auto width = 1 + random() % 60;
	for (std::uint64_t i = 0; i < values; ++i) {
		const auto n = static_cast<std::int64_t>(random() >> (1 + random() % 63));
		if (n <= INT64_MAX - histogram.count())
			histogram.add_bin(static_cast<int>((begin + random() % width) % Histogram::bin_count), n);
	}
	const auto form = static_cast<Form>(random() % form_count);
	return static_cast<char>(form) + (form == stored ? histogram.encode()
									  : form == text ? histogram.to_text()
													 : state_of(histogram, random));
}

} // namespace chat_v11::fuzz

extern "C" int
LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	using namespace chat_v11;
	if (size == 0)
		return 0;
	const std::string_view input(reinterpret_cast<const char *>(data) + 1, size - 1);
	const auto form = data[0] % fuzz::form_count;
	auto &tally = fuzz::tallies[form];
	try {
		switch (form) {
		case fuzz::stored: {
			const auto histogram = Histogram::decode(input);
			fuzz::require(histogram.encode() == input);
			fuzz::use(histogram);
			break;
		}
		case fuzz::text: fuzz::use(Histogram::parse(input)); break;
		case fuzz::state: fuzz::read_state(input); break;
		}
		++tally.accepted;
	} catch (const Refusal &) {
		++tally.refused;
	}
	return 0;
}
