#pragma once

// The world that the simulation of the canary analysis runs in: load that follows the time of day, incidents that hit
// both cohorts, and draws that depend on nothing but seed, row and run.

#include "core/analysis_comparison.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace chat_v11::bench {

using Random = std::mt19937_64;

struct Options {
	int runs = 2000;
	unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
	std::uint32_t seed = 20260301;
};

inline Random
random_of(const Options &options, int row, int run) {
	std::seed_seq sequence{options.seed, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(run)};
	return Random(sequence);
}

// f(run, random) for each run; the results by run, whichever thread had it.
template <typename Result, typename F>
std::vector<Result>
for_each_run(const Options &options, int row, F &&f) {
	std::vector<Result> results(static_cast<std::size_t>(options.runs));
	std::atomic<int> next = 0;
	std::vector<std::jthread> threads;
	for (unsigned i = 0; i < options.jobs; ++i)
		threads.emplace_back([&] {
			for (int run = next++; run < options.runs; run = next++) {
				auto random = random_of(options, row, run);
				results[static_cast<std::size_t>(run)] = f(random);
			}
		});
	threads.clear(); // joins
	return results;
}

// How far the rate of what is bad swings over a day; it is the least at the hour with the most load.
inline constexpr double trouble_swing = 0.3;
inline constexpr double least_trouble = 1 - trouble_swing;

// What both cohorts share: load by the time of day (a night has a third of a day's), a common rate that breathes with
// it, and incidents about once an hour, of 2 to 10 minutes and 2 to 10 times as much of everything bad.
class Weather {
public:
	// A calm one has no incidents, and the load and the rate of an average day at all hours.
	Weather(Random &random, double hours, bool calm = false) : calm_(calm) {
		if (calm)
			return;
		std::uniform_real_distribution<double> unit;
		phase_ = unit(random) * 86400;
		std::exponential_distribution<double> gap(1.0 / 3600);
		for (double at = gap(random); at < hours * 3600; at += gap(random))
			incidents_.push_back({at, at + 120 + 480 * unit(random), 2 + 8 * unit(random)});
	}
	double
	load(double second) const {
		return 1 + 0.5 * wave(second);
	}
	// Factor on the rate of what is bad.
	double
	trouble(double second) const {
		double factor = 1 - trouble_swing * wave(second);
		for (const auto &incident : incidents_)
			if (second >= incident.begin && second < incident.end)
				factor *= incident.factor;
		return factor;
	}
	// Factor on durations: incidents slow everybody down, less than they break things.
	double
	slowness(double second) const {
		double factor = 1 + 0.2 * wave(second);
		for (const auto &incident : incidents_)
			if (second >= incident.begin && second < incident.end)
				factor *= 1 + incident.factor / 10;
		return factor;
	}

private:
	struct Incident {
		double begin, end, factor;
	};
	double
	wave(double second) const {
		return calm_ ? 0 : std::sin(2 * 3.14159265358979 * (second + phase_) / 86400);
	}

	bool calm_;
	double phase_ = 0;
	std::vector<Incident> incidents_;
};

inline double
poisson(Random &random, double mean) {
	return mean > 0 ? static_cast<double>(std::poisson_distribution<std::int64_t>(mean)(random)) : 0;
}

inline double
binomial(Random &random, double n, double p) {
	if (n <= 0 || p <= 0)
		return 0;
	return static_cast<double>(
		std::binomial_distribution<std::int64_t>(static_cast<std::int64_t>(n), std::min(p, 1.0))(random));
}

// ---- What is printed ------------------------------------------------------------------------------------------------

struct Estimate {
	double value, standard_error;
};

inline Estimate
proportion(double hits, double runs) {
	const double p = hits / runs;
	return {p, std::sqrt(p * (1 - p) / runs)};
}

// With the standard error from the order statistics on both sides.
inline Estimate
median(std::vector<double> values) {
	std::sort(values.begin(), values.end());
	const double n = static_cast<double>(values.size());
	const auto at = [&](double rank) { return values[static_cast<std::size_t>(std::clamp(rank, 0.0, n - 1))]; };
	return {at(n / 2), (at(n / 2 + std::sqrt(n) / 2) - at(n / 2 - std::sqrt(n) / 2)) / 2};
}

class Table {
public:
	void
	header() const {
		std::printf("| what | measured | standard error | bound | |\n| --- | ---: | ---: | ---: | --- |\n");
	}
	void
	at_most(const std::string &what, Estimate estimate, double bound, const char *unit = "") {
		row(what, estimate, "<= ", bound, unit, estimate.value <= bound);
	}
	void
	at_least(const std::string &what, Estimate estimate, double bound, const char *unit = "") {
		row(what, estimate, ">= ", bound, unit, estimate.value >= bound);
	}
	// For people; nothing is asked of it.
	void
	told(const std::string &what, Estimate estimate, const char *unit = "") const {
		std::printf("| %s | %.4g%s | %.2g | | |\n", what.c_str(), estimate.value, unit, estimate.standard_error);
		std::fflush(stdout);
	}
	int
	missed() const {
		return missed_;
	}

private:
	void
	row(const std::string &what, Estimate estimate, const char *side, double bound, const char *unit, bool ok) {
		missed_ += !ok;
		std::printf("| %s | %.4g%s | %.2g | %s%g%s | %s |\n", what.c_str(), estimate.value, unit,
					estimate.standard_error, side, bound, unit, ok ? "ok" : "MISSED");
		std::fflush(stdout);
	}
	int missed_ = 0;
};

} // namespace chat_v11::bench
