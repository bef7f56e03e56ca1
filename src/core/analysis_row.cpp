#include "core/analysis_row.hpp"

#include "core/refusal.hpp"
#include "core/varint.hpp"

#include <algorithm>
#include <bit>

namespace chat_v11::analysis {

using namespace std::chrono_literals;

namespace {

constexpr std::uint8_t version = 5;
constexpr auto late_longest_ago = 24h; // more than any look goes back
enum : std::uint8_t {
	flag_counts = 1,
	flag_too_many = 2,
	flag_baselines = 4,
	flag_postponed = 8,
	flag_hole = 16,
	flag_late = 32,
	flag_looked = 64
};

void
put(ByteWriter &out, double count) {
	out.varint(static_cast<std::uint64_t>(count));
}

double
get(ByteReader &in) {
	const auto count = in.varint();
	if (count > std::uint64_t{1} << 53)
		throw CorruptBytes("a count of the analysis that no bucket can have");
	return static_cast<double>(count);
}

void
put_number(ByteWriter &out, double number) {
	out.fixed64(std::bit_cast<std::uint64_t>(number));
}

double
get_number(ByteReader &in) {
	return std::bit_cast<double>(in.fixed64());
}

void
put(ByteWriter &out, const RateBucket &rates) {
	for (const double each : {rates.counts.x, rates.counts.n, rates.counts.y, rates.counts.m, rates.raw.canary,
							  rates.raw.control, rates.raw.canary_units, rates.repeats.canary,
							  rates.repeats.canary_before, rates.repeats.control, rates.repeats.control_before})
		put(out, each);
}

RateBucket
get_rates(ByteReader &in) {
	RateBucket rates;
	for (double *each : {&rates.counts.x, &rates.counts.n, &rates.counts.y, &rates.counts.m, &rates.raw.canary,
						 &rates.raw.control, &rates.raw.canary_units, &rates.repeats.canary,
						 &rates.repeats.canary_before, &rates.repeats.control, &rates.repeats.control_before})
		*each = get(in);
	return rates;
}

void
put(ByteWriter &out, const Histogram &histogram) {
	const auto bytes = histogram.empty() ? std::string() : histogram.encode();
	out.varint(bytes.size());
	out.raw(bytes.data(), bytes.size());
}

Histogram
get_histogram(ByteReader &in) {
	const auto size = in.varint();
	if (size == 0)
		return {};
	try {
		return Histogram::decode(in.raw(static_cast<std::size_t>(size)));
	} catch (const Refusal &e) {
		throw CorruptBytes(std::string("a histogram of the analysis: ") + e.what());
	}
}

void
put(ByteWriter &out, const LatencyBucket &durations) {
	put(out, durations.canary);
	put(out, durations.control);
	out.byte(durations.slices.empty() ? 0 : 1);
	if (durations.slices.empty())
		return;
	put_number(out, durations.slices_tau);
	for (const auto &slice : durations.slices) {
		put(out, slice.n);
		put(out, slice.k);
	}
}

LatencyBucket
get_durations(ByteReader &in) {
	LatencyBucket durations;
	durations.canary = get_histogram(in);
	durations.control = get_histogram(in);
	if (in.byte() == 0)
		return durations;
	durations.slices_tau = get_number(in);
	durations.slices.resize(slice_count);
	for (auto &slice : durations.slices) {
		slice.n = get(in);
		slice.k = get(in);
	}
	return durations;
}

bool
is_rate(std::size_t comparison) {
	return comparison_rules()[comparison].statistic == Statistic::rate;
}

} // namespace

void
postpone(const Postponed &before, RateBucket &counts, Postponed &after, bool passed_over) {
	if (before.buckets > 0) {
		counts.raw.canary += before.sums.raw.canary;
		counts.raw.control += before.sums.raw.control;
		if (!passed_over)
			counts.counts += before.sums.counts;
	}
	if (passed_over) {
		after = before;
		after.sums.raw = {};
		return;
	}
	after = {};
	if (counts.counts.valid() || before.buckets + 1 >= most_postponed)
		return;
	after = {before.buckets + 1, {counts.counts, counts.raw}};
	const double units = counts.raw.canary_units;
	counts = {{}, {}, counts.repeats}; // of 300 s: nothing of it waits
	counts.raw.canary_units = units;
}

Hole
carry(const Hole &before, std::int64_t buckets, std::int64_t missed) {
	const Hole after{before.buckets + missed, std::max<std::int64_t>(before.left - (buckets - missed), 0) + missed};
	return after.left > 0 ? after : Hole{};
}

LateByComparison
carry(const LateByComparison &before, std::int64_t buckets) {
	auto after = before;
	for (auto &late : after) {
		late.left -= buckets;
		if (late.left <= 0)
			late = {};
	}
	return after;
}

std::uint64_t
chain_of(std::string_view bytes, std::uint64_t before) {
	// FNV-1a in 64 bits, by Fowler, Noll and Vo.
	std::uint64_t hash = before ^ 0xCBF29CE484222325u;
	for (const char byte : bytes)
		hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3u;
	return hash;
}

std::string
encode(BucketRow &row, std::uint64_t chain_before) {
	ByteWriter out;
	bool waits = false;
	for (const auto &each : row.postponed)
		waits = waits || each.buckets > 0;
	const bool any_late = row.late != LateByComparison{};
	out.byte(static_cast<std::uint8_t>((row.counts ? flag_counts : 0) | (row.too_many ? flag_too_many : 0) |
									   (row.has_baselines ? flag_baselines : 0) | (waits ? flag_postponed : 0) |
									   (row.hole.buckets > 0 ? flag_hole : 0) | (any_late ? flag_late : 0) |
									   (row.looked_until ? flag_looked : 0)));
	out.byte(row.no_room);
	for (std::size_t i = 0; i < comparison_count && !row.too_many; ++i) {
		if (is_rate(i))
			put(out, row.bucket.rates[i]);
		else
			put(out, row.bucket.latencies[i]);
	}
	if (!row.too_many) {
		for (const auto *counts : {&row.bucket.first_seen, &row.bucket.active, &row.bucket.misplaced})
			for (const double count : *counts)
				put(out, count);
	}
	if (waits)
		for (const auto &each : row.postponed) {
			out.varint(static_cast<std::uint64_t>(each.buckets));
			if (each.buckets > 0)
				put(out, each.sums);
		}
	if (row.hole.buckets > 0) {
		out.varint(static_cast<std::uint64_t>(row.hole.buckets));
		out.varint(static_cast<std::uint64_t>(row.hole.left));
	}
	if (any_late)
		for (const auto &late : row.late) {
			out.varint(static_cast<std::uint64_t>(late.all));
			if (late.all == 0)
				continue;
			out.byte(static_cast<std::uint8_t>(late.kind));
			out.byte(static_cast<std::uint8_t>(late.cohort));
			for (const auto each : {late.late, late.minutes, late.left})
				out.varint(static_cast<std::uint64_t>(each));
			out.byte(late.worse_since ? 1 : 0);
			if (late.worse_since)
				out.varint(static_cast<std::uint64_t>((row.bucket.begin - *late.worse_since) / 1s));
		}
	if (row.looked_until)
		out.signed_varint((row.bucket.begin - *row.looked_until) / 1s);
	if (row.has_baselines)
		for (const auto &baseline : row.baselines) {
			out.byte(baseline ? 1 : 0);
			if (!baseline)
				continue;
			put_number(out, baseline->q);
			put_number(out, baseline->tau);
			put_number(out, baseline->phi);
			put_number(out, baseline->raw);
			for (const double rate : baseline->by_age)
				put_number(out, rate);
		}
	const auto content = out.take();
	row.chain = chain_of(content, chain_before);
	ByteWriter whole;
	whole.byte(version);
	whole.fixed64(row.chain);
	return whole.take() + content;
}

BucketRow
decode_row(std::string_view bytes, Time begin) {
	ByteReader in(bytes);
	if (in.byte() != version)
		throw CorruptBytes("a bucket of the analysis of an unknown version");
	BucketRow row;
	row.bucket.begin = begin;
	row.chain = in.fixed64();
	const auto flags = in.byte();
	row.counts = flags & flag_counts;
	row.too_many = flags & flag_too_many;
	row.has_baselines = flags & flag_baselines;
	row.no_room = in.byte();
	for (std::size_t i = 0; i < comparison_count && !row.too_many; ++i) {
		if (is_rate(i))
			row.bucket.rates[i] = get_rates(in);
		else
			row.bucket.latencies[i] = get_durations(in);
	}
	if (!row.too_many) {
		for (auto *counts : {&row.bucket.first_seen, &row.bucket.active, &row.bucket.misplaced})
			for (double &count : *counts)
				count = get(in);
	}
	if (flags & flag_postponed)
		for (auto &each : row.postponed) {
			const auto buckets = in.varint();
			if (buckets > most_postponed)
				throw CorruptBytes("counts of the analysis that wait for too long");
			each.buckets = static_cast<int>(buckets);
			if (each.buckets > 0)
				each.sums = get_rates(in);
		}
	if (flags & flag_hole) {
		row.hole.buckets = static_cast<std::int64_t>(get(in));
		row.hole.left = static_cast<std::int64_t>(get(in));
	}
	if (flags & flag_late)
		for (auto &late : row.late) {
			late.all = static_cast<std::int64_t>(get(in));
			if (late.all == 0)
				continue;
			const auto kind = in.byte(), cohort = in.byte();
			if (kind >= kind_count || cohort >= cohort_count)
				throw CorruptBytes("late events of the analysis of an unknown kind");
			late.kind = static_cast<Kind>(kind);
			late.cohort = static_cast<Cohort>(cohort);
			for (auto *each : {&late.late, &late.minutes, &late.left})
				*each = static_cast<std::int64_t>(get(in));
			if (in.byte() == 0)
				continue;
			const auto ago = std::chrono::seconds(static_cast<std::int64_t>(get(in)));
			if (ago > late_longest_ago)
				throw CorruptBytes("late events of the analysis since another age");
			late.worse_since = begin - ago;
		}
	if (flags & flag_looked) {
		const auto ago = in.signed_varint();
		if (std::abs(static_cast<double>(ago)) > largest_count / 1e6)
			throw CorruptBytes("late events of the analysis looked for in another age");
		row.looked_until = begin - std::chrono::seconds(ago);
	}
	if (row.has_baselines)
		for (auto &baseline : row.baselines) {
			if (in.byte() == 0)
				continue;
			Baseline one;
			one.q = get_number(in);
			one.tau = get_number(in);
			one.phi = get_number(in);
			one.raw = get_number(in);
			for (auto &rate : one.by_age)
				rate = get_number(in);
			baseline = one;
		}
	if (!in.done())
		throw CorruptBytes("a bucket of the analysis has bytes behind it");
	return row;
}

} // namespace chat_v11::analysis
