#pragma once

// Whether the data can be judged at all.  What fails here is a HOLD with the reason "data", never a verdict on the
// canary.

#include "core/analysis_bucket.hpp"

#include <string>

namespace chat_v11::analysis {

// ---- Sample ratio ---------------------------------------------------------------------------------------------------

inline constexpr double sample_ratio_k = 10'000;
inline const double ln_sample_ratio = std::log(1000.0);

// ln of the Bayes factor against "actors come by the shares that were set", c[i] of them in cohort i and t = (p, 1-p):
//     lnBF = lgamma(k) - lgamma(k+N) + sum of [lgamma(k*t_i+c_i) - lgamma(k*t_i) - c_i*ln t_i]
// Lindon, Malek, NeurIPS 2022 (arXiv 2011.03567).  It may be looked at as often as one likes.  0 < p < 1.
double ln_sample_ratio_factor(double canary, double control, double p, double k = sample_ratio_k);

// A Bayes factor needs thousands of actors to see that a small share is three times too small.  So from this many
// expected actors of the smaller cohort on, odds that are off by more than a factor of 2 are wrong at once; with fewer
// it is too early to say anything.
inline constexpr double share_min_expected = 20;
inline constexpr double share_factor = 2;
// More misplaced actors than these, in the last 30 buckets and counted once a bucket, mean that cohorts are labelled
// wrongly; a few follow an old flag for a while.  The canary may be so small that nobody else's labels matter: so half
// of its own are enough.
inline constexpr double misplaced_min = 10;
inline constexpr double misplaced_share = 0.1;
inline constexpr double misplaced_canary_share = 0.5;

// Actors by the cohort that events tell of.
struct Placed {
	double canary = 0, canary_misplaced = 0, control = 0, control_misplaced = 0;
	// Why their labels are wrong, or "".
	std::string fault() const;
	friend bool operator==(const Placed &, const Placed &) = default;
};

class SampleRatio {
public:
	struct State {
		double canary = 0, control = 0; // actors that were first seen
		double max_ln_factor = 0;       // stays for the stage: what was counted meanwhile is mixed up
		std::optional<std::int64_t> newest;
		std::array<Placed, recent_buckets> recent; // by number modulo 30
		Placed placed;                             // their sum
		friend bool operator==(const State &, const State &) = default;
	};

	// Nothing at `full`, where all are in the canary.
	explicit SampleRatio(std::optional<double> p) : p_(p) {}
	SampleRatio(std::optional<double> p, const State &state) : p_(p), state_(state) {}

	void add(double canary, double control);
	// Of the bucket with this number, ascending.  Whether its labels can be believed, as far as is known by now: what
	// comes with wrong ones is no evidence for anything.
	bool place(std::int64_t number, const Placed &bucket);
	// Why the cohorts are not what they should be; "" where they are, as far as can be told.
	std::string fault() const;
	// How many actors must have been seen before the shares can be judged; 0 at `full`.
	double actors_needed() const;
	bool
	enough() const {
		return state_.canary + state_.control >= actors_needed();
	}
	const State &
	state() const {
		return state_;
	}

private:
	std::optional<double> p_;
	State state_;
};

// ---- Continuity -----------------------------------------------------------------------------------------------------

// Which of the last 30 buckets were there and could be believed.
class Continuity {
public:
	struct State {
		std::optional<std::int64_t> newest;
		std::uint32_t bad = 0;                // bit i: the bucket i before the newest
		std::optional<std::int64_t> disorder; // newest when a bucket came twice, late or at an odd moment
		friend bool operator==(const State &, const State &) = default;
	};

	Continuity() = default;
	explicit Continuity(const State &state) : state_(state) {}

	// Whether the bucket comes in its turn; false leaves it out.
	bool accept(std::int64_t number, bool aligned);
	// Of the newest bucket: it cannot be believed.
	void spoil();
	// As of the moment when this bucket should be the newest; "" where nothing is missing.
	std::string fault(std::int64_t expected) const;
	std::string
	fault() const {
		return state_.newest ? fault(*state_.newest) : "no bucket has come yet";
	}
	const State &
	state() const {
		return state_;
	}

private:
	State state_;
};

// Of the telemetry as a whole; "" where it is fresh.
std::string staleness(std::optional<Time> newest_event, Time now);

} // namespace chat_v11::analysis
