// The stored form of a histogram, version 1.
//
// One byte 1, then bits, the highest of each byte first, then zero bits to the end of the byte.  The bits are written
// with
//
//     gamma(x), x >= 1    Elias' gamma code: as many zeros as x has binary digits after its first, then x
//
// and say, for the bins that hold anything, taken as runs of neighbours:
//
//     gamma(number of runs + 1)
//     for each run, ascending:
//         gamma(empty bins before it + 1) for the first run, gamma(empty bins before it) for the others
//         gamma(bins in it)
//         for each of its bins, its count c as the difference to the count p of the bin written before (0 at first):
//             z = 2 (c - p) if c >= p, else 2 (p - c) - 1
//             Rice code of z with k bits: q = z >> k in unary (q ones and a zero; for q >= 20 just 20 ones and
//             gamma(q - 19)), then the k low bits of z
//
// where k = floor(log2(m / 4)), 0 for m < 4, adapts to the differences seen: m begins as 0 and becomes m - m / 4 + z,
// in integers.
//
// Neighbours have nearly equal counts, so a difference is short: the whole is about 1.7 times shorter than with counts
// of whole bytes, and below 2 KB also for a thousand million values over five decades.
//
// Every code here has exactly one text for one value and runs cannot touch, so that one histogram has one form.  Hence
// two equal histograms are equal bytes, and decode() need not write again what it read to know that.

#include "core/histogram.hpp"
#include "core/refusal.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr char version = 1;
constexpr unsigned longest_unary = 20;

int
digits_after_first(std::uint64_t x) {
	return std::bit_width(x) - 1;
}

[[noreturn]] void
refuse(const std::string &why) {
	throw invalid_argument("bytes are no histogram: " + why, {},
						   "Give back unchanged what chat_v11.histogram was sent as, or enter it as text.");
}

class BitWriter {
public:
	explicit BitWriter(std::string &out) : out_(out) {}

	// The low n bits, n up to 64.
	void
	put(std::uint64_t value, int n) {
		if (n > 32) {
			put(value >> 32, n - 32);
			n = 32;
		}
		pending_ = pending_ << n | (value & ((std::uint64_t{1} << n) - 1));
		for (count_ += n; count_ >= 8; count_ -= 8)
			out_.push_back(static_cast<char>(pending_ >> (count_ - 8)));
	}
	void
	put_gamma(std::uint64_t x) {
		const int n = digits_after_first(x);
		put(0, n);
		put(x, n + 1);
	}
	void
	finish() {
		if (count_ > 0)
			put(0, 8 - count_);
	}

private:
	std::string &out_;
	std::uint64_t pending_ = 0; // its low count_ bits
	int count_ = 0;             // below 8 between calls
};

class BitReader {
public:
	explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

	std::uint64_t
	take(int n) {
		if (n > 32) {
			const auto high = take(n - 32);
			return high << 32 | take(32);
		}
		if (n == 0)
			return 0;
		fill();
		if (n > count_)
			refuse("they end too early");
		const auto value = window_ >> (64 - n);
		drop(n);
		return value;
	}
	// How many bits of that kind come next, at most `most`; they are taken.
	int
	take_equal(bool kind, int most) {
		int taken = 0;
		for (;;) {
			fill();
			if (count_ == 0)
				refuse("they end too early");
			const int equal = std::countl_zero(kind ? ~window_ : window_);
			const int n = std::min({equal, count_, most - taken});
			drop(n);
			taken += n;
			if (taken == most || n == equal)
				return taken;
		}
	}
	std::uint64_t
	take_gamma() {
		const int n = take_equal(false, 64);
		if (n == 64)
			refuse("a number in them is too large");
		return take(n + 1);
	}
	// What is left must be the zeros that fill the last byte.
	void
	finish() {
		fill();
		if (count_ >= 8)
			refuse("more follows after their end");
		if (window_ != 0)
			refuse("the bits that fill the last byte are not zero");
	}

private:
	// To more than 56 bits, where there are that many.
	void
	fill() {
		for (; count_ <= 56 && next_ < bytes_.size(); count_ += 8)
			window_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[next_++])) << (56 - count_);
	}
	void
	drop(int n) {
		window_ = n < 64 ? window_ << n : 0;
		count_ -= n;
	}

	std::string_view bytes_;
	size_t next_ = 0;
	std::uint64_t window_ = 0; // the next bit is the highest; zeros after the count_ that are there
	int count_ = 0;
};

// What writer and reader know when they come to a count.
class Counts {
public:
	void
	write(BitWriter &bits, std::int64_t count) {
		const auto difference = static_cast<std::uint64_t>(count) - static_cast<std::uint64_t>(previous_);
		const auto z = count >= previous_ ? 2 * difference : 2 * (0 - difference) - 1;
		const int k = low_bits();
		const auto q = z >> k;
		if (q < longest_unary) {
			bits.put((std::uint64_t{1} << (q + 1)) - 2, static_cast<int>(q) + 1);
		} else {
			bits.put((std::uint64_t{1} << longest_unary) - 1, longest_unary);
			bits.put_gamma(q - longest_unary + 1);
		}
		bits.put(z, k);
		learn(z, count);
	}

	std::int64_t
	read(BitReader &bits) {
		const int k = low_bits();
		std::uint64_t q = static_cast<std::uint64_t>(bits.take_equal(true, longest_unary));
		if (q < longest_unary)
			bits.take(1);
		else if (__builtin_add_overflow(bits.take_gamma(), longest_unary - 1, &q))
			refuse("a number in them is too large");
		if (q > ~std::uint64_t{0} >> k)
			refuse("a number in them is too large");
		const auto z = q << k | bits.take(k);
		// At most 2^63 either way, which fits a difference in 128 bits.
		const auto half = static_cast<__int128>(z / 2);
		const auto count = previous_ + (z % 2 ? -half - 1 : half);
		if (count < 1)
			refuse("a bin in them holds less than one value");
		if (count > INT64_MAX)
			refuse("they count too many values");
		learn(z, static_cast<std::int64_t>(count));
		return previous_;
	}

private:
	int
	low_bits() const {
		const auto mean = static_cast<std::uint64_t>(recent_ / 4);
		return mean == 0 ? 0 : digits_after_first(mean);
	}
	void
	learn(std::uint64_t z, std::int64_t count) {
		recent_ += z - recent_ / 4;
		previous_ = count;
	}

	std::int64_t previous_ = 0;
	// Four times a running mean of z.  More than 64 bits, because z may need 64; the mean itself never exceeds the
	// largest.
	unsigned __int128 recent_ = 0;
};

struct Run {
	int first;
	int size;
};

std::vector<Run>
runs_of(const Histogram &histogram) {
	std::vector<Run> runs;
	histogram.for_each([&](int bin, std::int64_t) {
		if (!runs.empty() && runs.back().first + runs.back().size == bin)
			++runs.back().size;
		else
			runs.push_back({bin, 1});
	});
	return runs;
}

} // namespace

std::string
Histogram::encode() const {
	std::string bytes(1, version);
	BitWriter bits(bytes);
	const auto runs = runs_of(*this);
	bits.put_gamma(runs.size() + 1);
	Counts counts;
	auto run = runs.begin();
	int end = -1; // of the run before; as if one empty bin more came first
	for_each([&](int bin, std::int64_t n) {
		if (bin == run->first) {
			bits.put_gamma(static_cast<std::uint64_t>(bin - end));
			bits.put_gamma(static_cast<std::uint64_t>(run->size));
			end = bin + run->size;
			if (run + 1 != runs.end())
				++run;
		}
		counts.write(bits, n);
	});
	bits.finish();
	return bytes;
}

Histogram
Histogram::decode(std::string_view bytes) {
	if (bytes.empty())
		refuse("there are none");
	if (bytes[0] != version)
		refuse("their version is " + std::to_string(static_cast<unsigned char>(bytes[0])) + ", and 1 is known");
	BitReader bits(bytes.substr(1));
	Histogram histogram;
	Counts counts;
	int end = -1;
	// Not the number of runs but the bins bound the work: each run takes one or more.
	for (auto runs = bits.take_gamma() - 1; runs > 0; --runs) {
		const auto gap = bits.take_gamma();
		const auto size = bits.take_gamma();
		const auto left = static_cast<std::uint64_t>(bin_count - end);
		if (gap >= left || size > left - gap)
			refuse("they name a bin that does not exist");
		const int first = end + static_cast<int>(gap);
		end = first + static_cast<int>(size);
		for (int bin = first; bin < end; ++bin) {
			const auto n = counts.read(bits);
			if (n > INT64_MAX - histogram.count_)
				refuse("they count too many values");
			histogram.add_bin(bin, n);
		}
	}
	bits.finish();
	return histogram;
}

} // namespace chat_v11
