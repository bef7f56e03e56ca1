#include "core/analysis_baseline.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr double few_bad = 20;
// Rates are below 1.
constexpr double largest_rate = 0.999;

} // namespace

std::size_t
age_of(std::int64_t bucket) {
	constexpr std::int64_t quarter = std::chrono::minutes(15) / bucket_length;
	std::size_t age = 0;
	for (auto end = quarter; age + 1 < age_count && bucket >= end; end *= 2)
		++age;
	return age;
}

std::optional<std::array<double, age_count>>
ControlByAge::rates(double floor) const {
	std::optional<double> newest;
	std::array<double, age_count> result{};
	for (std::size_t age = 0; age < age_count; ++age) {
		Sums sum;
		for (std::size_t i = age + 1; i-- > 0 && sum.y < baseline_min_bad;) {
			sum.y += ages[i].y;
			sum.m += ages[i].m;
		}
		if (ages[age].m > 0) {
			const double bad = sum.y < baseline_min_bad ? sum.y + std::sqrt(sum.y) + 1 : sum.y;
			newest = std::min(sum.y < few_bad ? std::max(bad / sum.m, floor) : bad / sum.m, largest_rate);
		}
		result[age] = newest.value_or(0);
	}
	if (!newest)
		return std::nullopt;
	// Ages before the first that had any.
	for (std::size_t age = age_count; age-- > 0;)
		if (result[age] == 0)
			result[age] = result[age + 1];
	return result;
}

bool
Baseline::usable(Statistic statistic) const {
	const auto is_rate = [](double rate) { return rate > 0 && rate < 1; };
	if (statistic == Statistic::rate)
		return raw >= 0 && raw <= largest_count && std::all_of(by_age.begin(), by_age.end(), is_rate);
	return is_rate(q) && tau > 0 && tau <= 1e9 && phi >= 1 && phi <= 1e6;
}

} // namespace chat_v11::analysis
