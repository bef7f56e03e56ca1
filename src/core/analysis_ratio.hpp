#pragma once

// The ratio for people: which ratios of canary to control the counts leave possible, at any moment at once.
//
// On the grid rho_g = 2^(g/16), g = -80..80: l_g = sum of x*ln(rho_g) - (x+y)*ln(1 + rho_g*e).  A ratio stays in the
// set as long as logmeanexp(l) - l_g < ln(1/alpha): the mean over the grid, divided by the likelihood of the true
// ratio, is an e-process.  One step is added on each side, since the truth lies between the points of a grid. Howard et
// al. (arXiv 1810.08240); Lindon, Malek (2011.03567).
//
// 161 logarithms a bucket would cost more than all tests together.  So the counts are kept by ln(e), on nodes with the
// steps of the grid: ln(1 + rho_g*e) at node k is softplus((k+g)*ln2/16), one table for all.  What lies between nodes
// is shared out to its eight neighbours by Lagrange's interpolation, whose error is below 1e-13 of a bad event.

#include "core/analysis_eprocess.hpp"

namespace chat_v11::analysis {

class RatioSet {
public:
	static constexpr int outermost = 80; // 2^5 = 32 times, both ways
	static constexpr int size = 2 * outermost + 1;
	struct State {
		double x = 0;                // bad events of the canary
		double expected = 0;         // without control: those that the former rate would give
		std::int64_t first = 0;      // node of weights[0]
		std::vector<double> weights; // bad events of both cohorts by node
		friend bool operator==(const State &, const State &) = default;
	};
	// Nothing on a side where the counts exclude no ratio of the grid.
	struct Interval {
		std::optional<double> low, high;
		friend bool operator==(const Interval &, const Interval &) = default;
	};

	RatioSet() = default;
	explicit RatioSet(State state) : state_(std::move(state)) {}

	void add(const Counts &counts, double phi = 1);
	// Against a former rate: l_g = sum of k*ln(rho_g) - n*q*rho_g.
	void add_against(double k, double n, double q, double phi = 1);
	// l by g, up to a constant that all share.
	std::array<double, size> log_likelihood() const;
	Interval interval(double alpha = ratio_alpha) const;
	const State &
	state() const {
		return state_;
	}

private:
	void make_room(std::int64_t first, std::int64_t last);

	State state_;
};

} // namespace chat_v11::analysis
