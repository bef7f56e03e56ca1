#pragma once

// Sudden bursts in the canary, also where control has them too: a promotion into a burst helps nobody, whoever caused
// it.  Not a test but a limit, on rates of 60 s and 300 s against control's last hour.

#include "core/analysis_bucket.hpp"

namespace chat_v11::analysis {

inline constexpr double spike_factor = 5;
inline constexpr double spike_min_units = 20; // distinct, in 300 s
inline constexpr double storm_factor = 10;
inline constexpr double storm_min_units = 50;
// From here on a storm is the canary's own: so many times what control at the same moments foresees.
inline constexpr double storm_over_control = 3;
inline constexpr double spike_clear_factor = 2;
inline constexpr std::int64_t spike_clear_buckets = 60; // 10 min

enum class SpikeLevel : std::uint8_t { none, spike, storm, storm_in_canary };
std::string_view name(SpikeLevel level);

class SpikeWatch {
public:
	static constexpr std::size_t ring_size = 390; // 65 min
	static constexpr std::int64_t longest = 390;  // buckets that paired() knows
	struct Slot {
		double canary_bad = 0, canary = 0, control_bad = 0, control = 0;
		friend bool operator==(const Slot &, const Slot &) = default;
	};
	struct State {
		std::optional<std::int64_t> newest;  // number of the newest bucket
		std::vector<Slot> ring;              // by number modulo ring_size
		Slot minute, five_minutes, base;     // sums over the windows below
		double units = 0;                    // as the newest bucket had them
		SpikeLevel level = SpikeLevel::none; // the highest since it began
		std::int64_t since = 0;              // bucket in which it began
		std::int64_t own_since = 0;          // likewise, to be the canary's own storm
		std::int64_t calm = 0;               // buckets in a row below the limit of clearing
		std::int64_t evidence = 0;           // buckets since the evidence (again) began, a minute's worth at most
		friend bool operator==(const State &, const State &) = default;
	};

	// `floor` above 0: the least base.  `alone`: the stage has no control, and the floor stands for it.
	explicit SpikeWatch(double floor, bool alone = false) : floor_(floor), alone_(alone) {}
	SpikeWatch(double floor, bool alone, State state) : floor_(floor), alone_(alone), state_(std::move(state)) {}

	// Buckets of the evidence, ascending; those that are missing count as empty, and not as calm.
	void advance(std::int64_t number, const RateBucket &bucket);
	// Those before the evidence, or while nobody is in the cohort: control's usual rate is learnt from them.  What the
	// canary did before then is over, and no level lives through it.
	void learn(std::int64_t number, const RateBucket &bucket);

	// From this bucket on the canary may have looked much worse than it is: whether a storm is its own nobody knows,
	// unless it was before.
	void
	doubt(std::int64_t number) {
		if (state_.own_since >= number)
			state_.level = std::min(state_.level, SpikeLevel::storm);
	}

	SpikeLevel
	level() const {
		return state_.level;
	}
	// Nothing without exposures.
	std::optional<double> rate_60s() const;
	std::optional<double> rate_300s() const;
	// What the canary's 300 s would be if each of its buckets had control's rate of that bucket.  Sums over 300 s would
	// not do: soon after a promotion, or where traffic swings, the cohorts' exposures lie at different times, and what
	// hits both at once looks like the canary's own.
	std::optional<double> control_300s() const;
	// max(control's rate from 65 to 5 min ago, floor).  Nothing where control had no exposures then but should have: a
	// new installation knows no usual rate, and the floor alone would make a storm of it.
	std::optional<double> base() const;
	const State &
	state() const {
		return state_;
	}

	// The canary's buckets in which both cohorts had exposures.
	struct Paired {
		double canary_bad = 0, canary = 0;
		double foreseen = 0; // the sum of n_b*y_b/m_b, y_b being all of control's bad events
	};
	// Of the last so many buckets, `longest` at most.
	Paired paired(std::int64_t buckets) const;

private:
	const Slot &at(std::int64_t ago) const;
	Slot &at(std::int64_t ago);
	void reach(std::int64_t number);
	void shift(const Slot &slot, double units);
	void judge(bool is_there);

	double floor_;
	bool alone_;
	State state_;
};

} // namespace chat_v11::analysis
