#include "core/analysis_archive.hpp"

#include "core/analysis_row.hpp"
#include "core/refusal.hpp"
#include "core/varint.hpp"

#include <bit>

namespace chat_v11::analysis {

namespace {

// One list of fields serves both ways.  Each struct is taken apart by a structured binding, which does not compile any
// more when a field is added.

class Writer {
public:
	// Most are counts: whole numbers in few bytes, all others by their bits.
	void
	operator()(const double &value) {
		const auto bits = std::bit_cast<std::uint64_t>(value);
		if (value >= 0 && value < 9e15 && bits >> 63 == 0 && value == std::floor(value)) {
			out_.varint(static_cast<std::uint64_t>(value) << 1);
			return;
		}
		out_.varint(1);
		out_.fixed64(bits);
	}
	void
	operator()(const std::int64_t &value) {
		out_.signed_varint(value);
	}
	void
	operator()(const int &value) {
		out_.signed_varint(value);
	}
	void
	operator()(const std::uint32_t &value) {
		out_.varint(value);
	}
	void
	operator()(const SpikeLevel &value) {
		out_.byte(static_cast<std::uint8_t>(value));
	}
	void
	operator()(const BinSums &value) {
		const auto bytes = value.total() == 0 ? std::string() : value.histogram().encode();
		out_.varint(bytes.size());
		out_.raw(bytes.data(), bytes.size());
	}
	bool
	has(bool value) {
		out_.byte(value);
		return value;
	}
	std::size_t
	size(std::size_t value) {
		out_.varint(value);
		return value;
	}
	std::string
	take() {
		return out_.take();
	}

private:
	ByteWriter out_;
};

class Reader {
public:
	explicit Reader(std::string_view bytes) : in_(bytes), left_(bytes.size()) {}

	void
	operator()(double &value) {
		const auto first = in_.varint();
		if (!(first & 1)) {
			value = static_cast<double>(first >> 1);
			return;
		}
		value = std::bit_cast<double>(in_.fixed64());
	}
	void
	operator()(std::int64_t &value) {
		value = in_.signed_varint();
		if (std::abs(static_cast<double>(value)) > largest_count)
			throw CorruptBytes("a state of the analysis with a number that no bucket can have");
	}
	void
	operator()(int &value) {
		value = static_cast<int>(in_.signed_varint());
	}
	void
	operator()(std::uint32_t &value) {
		value = static_cast<std::uint32_t>(in_.varint());
	}
	void
	operator()(SpikeLevel &value) {
		const auto level = in_.byte();
		if (level > static_cast<std::uint8_t>(SpikeLevel::storm_in_canary))
			throw CorruptBytes("a level of a spike that there is not");
		value = static_cast<SpikeLevel>(level);
	}
	void
	operator()(BinSums &value) {
		value.clear();
		const auto bytes = static_cast<std::size_t>(in_.varint());
		if (bytes == 0)
			return;
		try {
			value.add(Histogram::decode(in_.raw(bytes)));
		} catch (const Refusal &e) {
			throw CorruptBytes(std::string("a histogram of the analysis: ") + e.what());
		}
	}
	bool
	has(bool) {
		return in_.byte() != 0;
	}
	std::size_t
	size(std::size_t) {
		const auto size = static_cast<std::size_t>(in_.varint());
		// Each element takes a byte at least.
		if (size > left_)
			throw CorruptBytes("a list that is longer than its bytes");
		return size;
	}
	bool
	done() const {
		return in_.done();
	}

private:
	ByteReader in_;
	std::size_t left_;
};

template <typename T>
concept Plain = std::is_invocable_v<Reader &, T &>;

template <typename A, typename T>
requires Plain<T>
void
visit(A &archive, T &value) {
	archive(value);
}

// Declared before all, because they use each other.
template <typename A, typename T, std::size_t N> void visit(A &archive, std::array<T, N> &list);
template <typename A, typename T> void visit(A &archive, std::vector<T> &list);
template <typename A, typename T> void visit(A &archive, std::optional<T> &value);
template <typename A> void visit(A &archive, Counts &value);
template <typename A> void visit(A &archive, Repeats &value);
template <typename A> void visit(A &archive, SliceCounts &value);
template <typename A> void visit(A &archive, Thresholds &value);
template <typename A> void visit(A &archive, EProcess::State &value);
template <typename A> void visit(A &archive, RatioSet::State &value);
template <typename A> void visit(A &archive, SlowShare::State &value);
template <typename A> void visit(A &archive, ControlByAge &value);
template <typename A> void visit(A &archive, ControlByAge::Sums &value);
template <typename A> void visit(A &archive, ComparisonTest::Progress &value);
template <typename A> void visit(A &archive, ComparisonTest::State &value);
template <typename A> void visit(A &archive, SpikeWatch::Slot &value);
template <typename A> void visit(A &archive, SpikeWatch::State &value);
template <typename A> void visit(A &archive, Trend &value);
template <typename A> void visit(A &archive, TrendPoint &value);
template <typename A> void visit(A &archive, TrendWatch::Look &value);
template <typename A> void visit(A &archive, TrendWatch::State &value);
template <typename A> void visit(A &archive, Continuity::State &value);
template <typename A> void visit(A &archive, Placed &value);
template <typename A> void visit(A &archive, SampleRatio::State &value);

template <typename A, typename... Fields>
void
all(A &archive, Fields &...fields) {
	(visit(archive, fields), ...);
}

template <typename A, typename T, std::size_t N>
void
visit(A &archive, std::array<T, N> &list) {
	for (auto &each : list)
		visit(archive, each);
}

template <typename A, typename T>
void
visit(A &archive, std::vector<T> &list) {
	list.resize(archive.size(list.size()));
	for (auto &each : list)
		visit(archive, each);
}

template <typename A, typename T>
void
visit(A &archive, std::optional<T> &value) {
	if (!archive.has(value.has_value())) {
		value.reset();
		return;
	}
	if (!value)
		value.emplace();
	visit(archive, *value);
}

template <typename A>
void
visit(A &archive, Counts &value) {
	auto &[x, n, y, m] = value;
	all(archive, x, n, y, m);
}

template <typename A>
void
visit(A &archive, Repeats &value) {
	auto &[canary, canary_before, control, control_before] = value;
	all(archive, canary, canary_before, control, control_before);
}

template <typename A>
void
visit(A &archive, SliceCounts &value) {
	auto &[n, k] = value;
	all(archive, n, k);
}

template <typename A>
void
visit(A &archive, Thresholds &value) {
	auto &[tau, fail, severe, pass] = value;
	all(archive, tau, fail, severe, pass);
}

template <typename A>
void
visit(A &archive, EProcess::State &value) {
	auto &[s, restarts, max_ln_e] = value;
	all(archive, s, restarts, max_ln_e);
}

template <typename A>
void
visit(A &archive, RatioSet::State &value) {
	auto &[x, expected, first, weights] = value;
	all(archive, x, expected, first, weights);
}

template <typename A>
void
visit(A &archive, SlowShare::State &value) {
	auto &[period, past, current, thresholds, slices, phi] = value;
	all(archive, period, past, current, thresholds, slices, phi);
}

template <typename A>
void
visit(A &archive, ControlByAge::Sums &value) {
	auto &[y, m] = value;
	all(archive, y, m);
}

template <typename A>
void
visit(A &archive, ControlByAge &value) {
	auto &[ages] = value;
	all(archive, ages);
}

template <typename A>
void
visit(A &archive, ComparisonTest::Progress &value) {
	auto &[newest, totals, x_pass, raw_canary, repeats, control, raw_control, expected, bad, recent, recent_sum, judged,
		   at_fail, failed_at, severe_at, late_from, looked, age] = value;
	all(archive, newest, totals, x_pass, raw_canary, repeats, control, raw_control, expected, bad, recent, recent_sum,
		judged, at_fail, failed_at, severe_at, late_from, looked, age);
}

template <typename A>
void
visit(A &archive, ComparisonTest::State &value) {
	auto &[fail, severe, pass, rare, ratio, slow, progress] = value;
	all(archive, fail, severe, pass, rare, ratio, slow, progress);
}

template <typename A>
void
visit(A &archive, SpikeWatch::Slot &value) {
	auto &[canary_bad, canary, control_bad, control] = value;
	all(archive, canary_bad, canary, control_bad, control);
}

template <typename A>
void
visit(A &archive, SpikeWatch::State &value) {
	auto &[newest, ring, minute, five_minutes, base, units, level, since, own_since, calm, evidence] = value;
	all(archive, newest, ring, minute, five_minutes, base, units, level, since, own_since, calm, evidence);
}

template <typename A>
void
visit(A &archive, Trend &value) {
	auto &[n, s, variance, z, slope, r1, r1_used, z_used] = value;
	all(archive, n, s, variance, z, slope, r1, r1_used, z_used);
}

template <typename A>
void
visit(A &archive, TrendPoint &value) {
	auto &[window, r] = value;
	all(archive, window, r);
}

template <typename A>
void
visit(A &archive, TrendWatch::Look &value) {
	auto &[hour, trend] = value;
	all(archive, hour, trend);
}

template <typename A>
void
visit(A &archive, TrendWatch::State &value) {
	auto &[first, window, canary, control, points, looks, last, risen] = value;
	all(archive, first, window, canary, control, points, looks, last, risen);
}

template <typename A>
void
visit(A &archive, Continuity::State &value) {
	auto &[newest, bad, disorder] = value;
	all(archive, newest, bad, disorder);
}

template <typename A>
void
visit(A &archive, Placed &value) {
	auto &[canary, canary_misplaced, control, control_misplaced] = value;
	all(archive, canary, canary_misplaced, control, control_misplaced);
}

template <typename A>
void
visit(A &archive, SampleRatio::State &value) {
	auto &[canary, control, max_ln_factor, newest, recent, placed] = value;
	all(archive, canary, control, max_ln_factor, newest, recent, placed);
}

template <typename A>
void
visit_stage(A &archive, StageAnalysis::State &value) {
	auto &[continuity, sample_ratio, comparisons, spikes, trend] = value;
	all(archive, continuity, sample_ratio, comparisons, spikes, trend);
}

} // namespace

std::string
encode(const StageAnalysis::State &state, std::uint64_t chain) {
	Writer writer;
	auto copy = state;
	visit_stage(writer, copy);
	const auto body = writer.take();
	ByteWriter whole;
	whole.byte(archive_version);
	whole.fixed64(chain_of(body, chain));
	return whole.take() + body;
}

std::optional<StageAnalysis::State>
decode_state(std::string_view bytes, std::uint64_t chain) {
	if (bytes.empty() || static_cast<std::uint8_t>(bytes.front()) != archive_version)
		return std::nullopt;
	constexpr std::size_t head = 1 + sizeof(std::uint64_t);
	if (bytes.size() < head || ByteReader(bytes.substr(1)).fixed64() != chain_of(bytes.substr(head), chain))
		return std::nullopt;
	Reader reader(bytes.substr(head));
	StageAnalysis::State state;
	visit_stage(reader, state);
	std::size_t rates = 0;
	for (const auto &rule : comparison_rules())
		rates += rule.statistic == Statistic::rate ? 1 : 0;
	if (!reader.done() || state.comparisons.size() != comparison_count || state.spikes.size() != rates)
		throw CorruptBytes("a state of the analysis with other parts than it has");
	for (const auto &spike : state.spikes)
		if (!spike.ring.empty() && spike.ring.size() != SpikeWatch::ring_size)
			throw CorruptBytes("a state of the analysis with other parts than it has");
	return state;
}

} // namespace chat_v11::analysis
