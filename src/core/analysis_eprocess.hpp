#pragma once

// The label e-process: given how much both cohorts were exposed, does the canary have more than its share of the bad
// events?  It may be looked at as often as one likes: if the canary is no worse than allowed, it ever exceeds 1/alpha
// with a probability of at most alpha (Ville's inequality).
//
// For the alternatives rho_j = rho0 * 2^(d*j/8), j = 1..24, and a bucket with e = n/m:
//     s_j += [x*d*j*ln2/8 - (x+y)*(log1p(rho_j*e) - log1p(rho0*e))] / phi
//     lnE  = logsumexp_j(s_j) - ln 24
// Why it is a supermartingale: with c = (1+rho0*e)/(1+rho_j*e) and a = rho_j/rho0,
//     E[a^x c^(x+y)] <= exp(n*rho*q*(a*c-1) + m*q*(c-1))
// which is 1 at rho = rho0, and below 1 on the good side of it.  The common rate q may change at will from bucket to
// bucket: a control that runs at the same time buys exactly that.
// Lindon, Malek, NeurIPS 2022 (arXiv 2011.03567); Howard, Ramdas (1906.09712); Howard et al. (1810.08240).

#include "core/analysis_bucket.hpp"

namespace chat_v11::analysis {

inline constexpr int alternative_count = 24;

// fail: evidence that the ratio is above rho0; pass: that it is below.
enum class Direction : int { fail = 1, pass = -1 };

struct EProcessRule {
	double rho0 = 1;
	Direction direction = Direction::fail;
	int restarts = 0; // marks at which new weight comes in, for what begins late; 0: all weight at once
	friend bool operator==(const EProcessRule &, const EProcessRule &) = default;
};

class EProcess {
public:
	// Plain values; all of them are finite.
	struct State {
		std::array<double, alternative_count> s{}; // logarithms
		int restarts = 0;                          // of the rule's, those that have been
		double max_ln_e = 0;                       // largest lnE that observe() has seen
		friend bool operator==(const State &, const State &) = default;
	};

	explicit EProcess(const EProcessRule &rule);
	EProcess(const EProcessRule &rule, const State &state) : EProcess(rule) { state_ = state; }

	// Restart mixture: half of the weight at first, and 1/(2R) at each of R marks.  To be called before the bucket that
	// follows a mark, with how many marks have passed since the begin.
	void pass_marks(std::int64_t marks);
	// Changes nothing where one cohort has no exposure.  `counts` must be valid, phi (the dispersion) 1 or more.
	void add(const Counts &counts, double phi = 1);
	// Where there is no control any more, against its former rate: s_j += [k*d*j*ln2/8 - n*q*(rho_j - rho0)] / phi.
	void add_against(double k, double n, double q, double phi = 1);
	// Takes the present lnE into the maximum.
	void observe();

	double ln_e() const;
	double
	max_ln_e() const {
		return state_.max_ln_e;
	}
	const State &
	state() const {
		return state_;
	}
	const EProcessRule &
	rule() const {
		return rule_;
	}
	// How many more bad events of both cohorts lnE needs to reach `target`, if the true ratio is `rho` from now on; e
	// is the canary's exposure by control's.  Nothing where it never will.
	std::optional<double> events_needed(double target, double rho, double e, double phi = 1) const;
	// The same of exposures, for add_against(): if `rate` of them are bad from now on.
	std::optional<double> exposures_needed(double target, double rate, double q) const;

private:
	EProcessRule rule_;
	std::array<double, alternative_count> ln_ratio_; // ln(rho_j / rho0)
	std::array<double, alternative_count> excess_;   // rho_j - rho0
	State state_;
};

// ln(e^a + e^b), ln of the sum of e^v: finite where the arguments are.
double logaddexp(double a, double b);

template <std::size_t Size>
double
logsumexp(const std::array<double, Size> &values) {
	double most = values[0];
	for (const double value : values)
		most = value > most ? value : most;
	double sum = 0;
	for (const double value : values)
		sum += std::exp(value - most);
	return most + std::log(sum);
}

} // namespace chat_v11::analysis
