// What the canary analysis promises, by simulation: `make bench-analysis`, RUNS=200 for a quick look, JOBS=1 for one
// core, SEED=n for another seed.
//
// Everybody looks every second.  Between two looks nothing can change but by a bucket that closes, because evidence is
// a function of closed buckets alone; a look reads, and writes nothing.  So the harness looks at each second, and a
// time to detection is the second of the first look that says FAIL: after the bucket's end and the 15 s that it
// settles.

#include "analysis_world.hpp"

#include "core/analysis_stage.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>

namespace chat_v11::bench {

using namespace analysis;
using namespace std::chrono_literals;

const double ln_100 = std::log(100.0); // alpha 0.01
constexpr double never = 1e9;
constexpr int bucket_seconds = 10;
constexpr int settle_seconds = 15;

// ---- Rates ----------------------------------------------------------------------------------------------------------

struct RateWorld {
	double hours = 1;
	double share = 0.01;
	double sends = 1000; // a second, both cohorts, at the mean of the day
	double rate = 0.002; // of what is bad, likewise
	double ratio = 1;    // canary by control ...
	double onset = 0;    // ... from this second on; before, there is no difference
	double cluster = 1;  // bad events of one unit, on average; geometric
	bool deduplicated = true;
	bool calm = false; // no incidents and no time of day, which bring more events
};

Counts
draw(Random &random, const RateWorld &world, const Weather &weather, double second) {
	const double load = world.sends * bucket_seconds * weather.load(second);
	const double rate = world.rate * weather.trouble(second) / world.cluster;
	const double ratio = second >= world.onset ? world.ratio : 1;
	Counts counts;
	counts.n = poisson(random, load * world.share);
	counts.m = poisson(random, load * (1 - world.share));
	counts.x = binomial(random, counts.n, rate * ratio);
	counts.y = binomial(random, counts.m, rate);
	if (world.cluster > 1 && !world.deduplicated)
		for (auto *bad : {&counts.x, &counts.y})
			if (*bad > 0)
				*bad += static_cast<double>(std::negative_binomial_distribution<std::int64_t>(
					static_cast<std::int64_t>(*bad), 1 / world.cluster)(random));
	return counts;
}

// The second of the first look at which `alarm(state)` is true, while buckets come as they close.
template <typename Advance, typename Alarm>
double
first_alarm(double hours, Advance &&advance, Alarm &&alarm) {
	const auto seconds = static_cast<std::int64_t>(hours * 3600);
	for (std::int64_t second = 0; second < seconds; ++second) {
		const auto settled = second - settle_seconds;
		if (settled >= bucket_seconds && settled % bucket_seconds == 0)
			advance(settled / bucket_seconds - 1);
		if (alarm())
			return static_cast<double>(second);
	}
	return never;
}

struct Found {
	double at_100 = never, at_700 = never; // second of the first look that says FAIL at this level
};

// Levels: 1/100 is alpha of the bounds, 1/700 is what the product uses for one of seven comparisons.
Found
label_run(Random &random, const RateWorld &world, double rho0, int restarts) {
	const Weather weather(random, world.hours, world.calm);
	EProcess process({rho0, Direction::fail, restarts});
	Found found;
	std::int64_t second = 0;
	first_alarm(
		world.hours,
		[&](std::int64_t number) {
			second = (number + 1) * bucket_seconds + settle_seconds;
			process.pass_marks(number / mark_buckets);
			process.add(draw(random, world, weather, static_cast<double>(number * bucket_seconds)));
			process.observe();
		},
		[&] {
			if (found.at_100 == never && process.max_ln_e() >= ln_100)
				found.at_100 = static_cast<double>(second);
			if (process.max_ln_e() >= ln_fail)
				found.at_700 = static_cast<double>(second);
			return found.at_700 != never;
		});
	return found;
}

double
z_test_run(Random &random, const RateWorld &world) {
	const Weather weather(random, world.hours);
	Counts all;
	return first_alarm(
		world.hours,
		[&](std::int64_t number) { all += draw(random, world, weather, static_cast<double>(number * bucket_seconds)); },
		[&] {
			const double pooled = (all.x + all.y) / (all.n + all.m);
			const double z =
				(all.x / all.n - all.y / all.m) / std::sqrt(pooled * (1 - pooled) * (1 / all.n + 1 / all.m));
			return std::abs(z) >= 1.959964;
		});
}

double
share_below(const std::vector<double> &values, double limit) {
	return static_cast<double>(std::count_if(values.begin(), values.end(), [=](double v) { return v < limit; }));
}

std::vector<double>
at(const std::vector<Found> &found, double Found::*level) {
	std::vector<double> values;
	for (const auto &each : found)
		values.push_back(each.*level);
	return values;
}

void
rates(const Options &options, Table &table) {
	const double runs = options.runs;
	int row = 0;
	for (const auto stage : {Stage::canary_1, Stage::canary_10, Stage::canary_50}) {
		const auto &rule = stage_rule(stage);
		RateWorld world;
		world.hours = std::chrono::duration<double>(rule.t_max).count() / 3600;
		world.share = *canary_share(stage);
		world.ratio = rule.rho_fail;
		const auto found = for_each_run<Found>(
			options, ++row, [&](Random &random) { return label_run(random, world, rule.rho_fail, rule.restarts()); });
		const auto where = std::string(name(stage)) + ", " + std::to_string(static_cast<int>(world.hours)) +
						   " h at the "
						   "boundary " +
						   std::to_string(rule.rho_fail).substr(0, 4);
		table.at_most("false FAIL, " + where, proportion(share_below(at(found, &Found::at_100), never), runs), 0.0167);
		table.told("the same at the product's 1/700", proportion(share_below(at(found, &Found::at_700), never), runs));
	}

	RateWorld one_percent;
	const auto z =
		for_each_run<double>(options, ++row, [&](Random &random) { return z_test_run(random, one_percent); });
	table.at_least("repeated z-test at 0.05, no difference", proportion(share_below(z, never), runs), 0.35);

	const auto found_in = [&](double ratio, bool calm) {
		auto world = one_percent;
		world.ratio = ratio;
		world.calm = calm;
		return for_each_run<Found>(options, ++row, [&](Random &random) {
			return label_run(random, world, 1, stage_rule(Stage::canary_1).restarts());
		});
	};
	// Judged at the product's level, the stricter one.
	const auto two = found_in(2, false), three = found_in(3, false), five = found_in(5, false);
	const auto share_found = [&](const std::vector<Found> &found, double Found::*level) {
		return proportion(share_below(at(found, level), 3600), runs);
	};
	table.at_least("2x at 1 %, 1,000 sends/s, 0.2 %: found within 60 min, at 1/700", share_found(two, &Found::at_700),
				   0.98);
	table.at_most("3x, median, at 1/700", median(at(three, &Found::at_700)), 360, " s");
	table.at_most("5x, median, at 1/700", median(at(five, &Found::at_700)), 130, " s");
	table.told("2x within 60 min at 1/100", share_found(two, &Found::at_100));
	table.told("3x, median, at 1/100", median(at(three, &Found::at_100)), " s");
	table.told("5x, median, at 1/100", median(at(five, &Found::at_100)), " s");
	const auto calm_two = found_in(2, true), calm_three = found_in(3, true), calm_five = found_in(5, true);
	table.told("without incidents: 2x within 60 min at 1/700", share_found(calm_two, &Found::at_700));
	table.told("without incidents: 2x within 60 min at 1/100", share_found(calm_two, &Found::at_100));
	table.told("without incidents: 3x, median, at 1/700", median(at(calm_three, &Found::at_700)), " s");
	table.told("without incidents: 3x, median, at 1/100", median(at(calm_three, &Found::at_100)), " s");
	table.told("without incidents: 5x, median, at 1/700", median(at(calm_five, &Found::at_700)), " s");
	table.told("without incidents: 5x, median, at 1/100", median(at(calm_five, &Found::at_100)), " s");

	RateWorld late;
	late.hours = 12;
	late.share = 0.5;
	late.ratio = 2;
	late.onset = 6 * 3600;
	const auto &rule = stage_rule(Stage::canary_50);
	const auto after_onset = [&](int restarts) {
		auto found = for_each_run<Found>(
			options, ++row, [&](Random &random) { return label_run(random, late, rule.rho_fail, restarts); });
		for (auto &each : found) {
			// A false alarm before is counted as never found, which can only make the median worse.
			each.at_100 = each.at_100 < late.onset ? never : each.at_100 - late.onset;
			each.at_700 = each.at_700 < late.onset ? never : each.at_700 - late.onset;
		}
		return found;
	};
	const auto with = after_onset(rule.restarts()), without = after_onset(0);
	table.at_most("2x from hour 6 of 12 at 50 %, median with restarts, at 1/700", median(at(with, &Found::at_700)), 240,
				  " s");
	table.told("the same at 1/100", median(at(with, &Found::at_100)), " s");
	table.told("without restarts, at 1/700", median(at(without, &Found::at_700)), " s");

	RateWorld clusters;
	clusters.hours = 4;
	clusters.share = 0.1;
	clusters.cluster = 5;
	clusters.ratio = stage_rule(Stage::canary_10).rho_fail;
	for (const bool deduplicated : {true, false}) {
		clusters.deduplicated = deduplicated;
		const auto found = for_each_run<Found>(options, ++row, [&](Random &random) {
			return label_run(random, clusters, clusters.ratio, stage_rule(Stage::canary_10).restarts());
		});
		const auto estimate = proportion(share_below(at(found, &Found::at_100), never), runs);
		if (deduplicated)
			table.at_most("clusters of 5, canary_10 at the boundary, deduplicated: false FAIL", estimate, 0.0167);
		else
			table.at_least("the same, raw", estimate, 0.95);
	}
}

// ---- Both ways to PASS ----------------------------------------------------------------------------------------------

struct Passed {
	bool by_ratio = false, by_rarity = false;
};

// Write rejects at canary_1: is there a look at which one of the two ways says PASS?
Passed
pass_run(Random &random, const RateWorld &world) {
	const auto &rule = stage_rule(Stage::canary_1);
	const Weather weather(random, world.hours, world.calm);
	EProcess ratio({*rule.rho_pass, Direction::pass}), rarity({1, Direction::pass});
	Passed passed;
	first_alarm(
		world.hours,
		[&](std::int64_t number) {
			const auto counts = draw(random, world, weather, static_cast<double>(number * bucket_seconds));
			ratio.add(counts);
			rarity.add_against(counts.x, counts.n, rule_of(Comparison::write_rejects).spike_floor);
			passed.by_ratio = passed.by_ratio || ratio.ln_e() >= ln_pass;
			passed.by_rarity = passed.by_rarity || rarity.ln_e() >= ln_pass;
		},
		[&] { return passed.by_ratio && passed.by_rarity; });
	return passed;
}

// A canary that is bad in both senses, and only just: as much worse than control as PASS must exclude, and its rate at
// no moment below what is too rare to matter.  Then one that only one of the ways can pass.
void
passes(const Options &options, Table &table) {
	const double runs = options.runs;
	const double floor = rule_of(Comparison::write_rejects).spike_floor;
	RateWorld world;
	world.hours = 1;
	world.share = *canary_share(Stage::canary_1);
	world.ratio = *stage_rule(Stage::canary_1).rho_pass;
	world.rate = floor / world.ratio;
	int row = 300;
	const auto run = [&](const RateWorld &each) {
		return for_each_run<Passed>(options, ++row, [&](Random &random) { return pass_run(random, each); });
	};
	const auto share = [&](const std::vector<Passed> &found, auto &&wanted) {
		return proportion(static_cast<double>(std::count_if(found.begin(), found.end(), wanted)), runs);
	};
	const auto either = [](const Passed &p) { return p.by_ratio || p.by_rarity; };
	world.calm = true;
	const auto calm = run(world);
	table.at_most("false PASS by either way, canary_1, 3x control and 0.1 % (calm)", share(calm, either), 0.10);
	table.at_most("by the ratio alone", share(calm, [](const Passed &p) { return p.by_ratio; }), 0.065);
	table.at_most("as too rare alone", share(calm, [](const Passed &p) { return p.by_rarity; }), 0.065);
	world.calm = false;
	world.rate = floor / world.ratio / least_trouble;
	table.at_most("false PASS by either way, canary_1, 3x control and 0.1 % or more", share(run(world), either), 0.10);

	auto good = world;
	good.ratio = 1;
	good.rate = floor / 10;
	good.calm = true;
	const auto quiet = run(good);
	table.told("as good as control, 0.01 %, 1,000 sends/s: PASS within 60 min", share(quiet, either));
	table.told("by the ratio alone", share(quiet, [](const Passed &p) { return p.by_ratio; }));
}

// ---- Latency --------------------------------------------------------------------------------------------------------

// Log-normal, median 200 ms times `scale`, sigma 0.5.  Few are drawn one by one; of many, how many fall into each bin
// above 300 ms, and the rest as one lot below.  No threshold is ever as low: p95 is 455 ms, and 364 ms at its fastest.
class Durations {
public:
	static Histogram
	draw(Random &random, double count, double scale) {
		Histogram histogram;
		if (count <= 200) {
			std::lognormal_distribution<double> duration(std::log(200 * scale), sigma);
			for (int i = 0; i < static_cast<int>(count); ++i)
				histogram.add(duration(random));
			return histogram;
		}
		int bin = Histogram::bin_of(300);
		double left = count, above = 1;
		for (; left > 0 && bin < Histogram::bin_count; ++bin) {
			const double next = tail(Histogram::upper(bin) / scale);
			const double here = above - next <= 0 ? 0 : binomial(random, left, (above - next) / above);
			histogram.add_bin(bin, static_cast<std::int64_t>(here));
			left -= here;
			above = next;
			if (above < 1e-12)
				break;
		}
		histogram.add_bin(bin, static_cast<std::int64_t>(left));
		return histogram;
	}

private:
	static constexpr double sigma = 0.5;
	static double
	tail(double ms) {
		return std::erfc(std::log(ms / 200) / sigma / std::sqrt(2.0)) / 2;
	}
};

struct SlowFound {
	double fail_100 = never, fail_700 = never, pass = never;
};

// The two tests of slow receipts over one stage, with thresholds and dispersion as the product finds them.
SlowFound
slow_run(Random &random, Stage stage, double sends, double slower) {
	const auto &rule = stage_rule(stage);
	const double hours = std::chrono::duration<double>(rule.t_max).count() / 3600;
	const double share = *canary_share(stage);
	const Weather weather(random, hours);
	SlowShare slow(rule);
	EProcess fail({1, Direction::fail, rule.restarts()}), pass({1, Direction::pass});
	SliceCounts period; // control of this period
	const auto advance = [&](std::int64_t number) {
		const auto second = static_cast<double>(number * bucket_seconds);
		const double load = sends * bucket_seconds * weather.load(second);
		const double slowness = weather.slowness(second);
		LatencyBucket bucket;
		bucket.canary = Durations::draw(random, poisson(random, load * share), slowness * slower);
		bucket.control = Durations::draw(random, poisson(random, load * (1 - share)), slowness);
		if (const auto tau = slow.tau(number)) {
			period.n += static_cast<double>(bucket.control.count());
			period.k += static_cast<double>(bucket.control.exceeding(*tau));
			if ((number + 300) % mark_buckets == mark_buckets - 1) {
				bucket.slices_tau = *tau;
				for (std::size_t left = slice_count; left > 0; --left) {
					SliceCounts slice;
					slice.k = binomial(random, period.k, 1.0 / static_cast<double>(left));
					slice.n = slice.k + binomial(random, period.n - period.k, 1.0 / static_cast<double>(left));
					period.n -= slice.n;
					period.k -= slice.k;
					bucket.slices.push_back(slice);
				}
				period = {};
			}
		}
		const auto counts = slow.advance(number, bucket);
		if (number < 0 || !counts)
			return;
		fail.pass_marks(number / mark_buckets);
		fail.add(*counts->fail, counts->phi);
		fail.observe();
		pass.add(*counts->pass, counts->phi);
	};
	for (std::int64_t number = -120; number < 0; ++number)
		advance(number);
	SlowFound found;
	std::int64_t now = 0;
	first_alarm(
		hours,
		[&](std::int64_t number) {
			advance(number);
			now = (number + 1) * bucket_seconds + settle_seconds;
		},
		[&] {
			const auto at = static_cast<double>(now);
			if (found.fail_100 == never && fail.max_ln_e() >= ln_100)
				found.fail_100 = at;
			if (found.fail_700 == never && fail.max_ln_e() >= ln_fail)
				found.fail_700 = at;
			if (found.pass == never && pass.ln_e() >= ln_pass)
				found.pass = at;
			// Which of the two is waited for depends on the row; at the boundaries neither comes.
			return slower >= *rule.d_pass ? found.fail_700 != never && found.pass != never : found.fail_700 != never;
		});
	return found;
}

void
latencies(const Options &options, Table &table) {
	const double runs = options.runs;
	const auto &rule = stage_rule(Stage::canary_1);
	const auto run = [&](int row, double slower) {
		return for_each_run<SlowFound>(options, row,
									   [&](Random &random) { return slow_run(random, Stage::canary_1, 1000, slower); });
	};
	const auto at = [](const std::vector<SlowFound> &found, double SlowFound::*what) {
		std::vector<double> values;
		for (const auto &each : found)
			values.push_back(each.*what);
		return values;
	};
	const auto boundary = run(101, rule.d_fail), good = run(102, *rule.d_pass), slow = run(103, 1.5),
			   same = run(104, 1);
	table.at_most("slow share, canary_1, p95 1.10x: false FAIL",
				  proportion(share_below(at(boundary, &SlowFound::fail_100), never), runs), 0.0167);
	table.at_most("slow share, canary_1, p95 1.50x: false PASS",
				  proportion(share_below(at(good, &SlowFound::pass), never), runs), 0.065);
	table.at_most("slow share, canary_1, p95 1.5x: median to FAIL, at 1/700", median(at(slow, &SlowFound::fail_700)),
				  480, " s");
	table.told("the same at 1/100", median(at(slow, &SlowFound::fail_100)), " s");
	table.told("slow share, canary_1, no difference: median to PASS", median(at(same, &SlowFound::pass)), " s");
}

// ---- Time -----------------------------------------------------------------------------------------------------------

// Everything that a stage of canary_50 has: 8,640 buckets of seven comparisons, and the hour before.
void
cold(const Options &options, Table &table) {
	auto random = random_of(options, 200, 0);
	const Weather weather(random, 25);
	const Time entered = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + 12h;
	const auto setup = default_setup(Stage::canary_50, entered);
	std::vector<Bucket> buckets;
	{
		StageAnalysis analysis(setup);
		for (std::int64_t number = -390; number < 8640; ++number) {
			const auto second = static_cast<double>(number * bucket_seconds);
			Bucket bucket;
			bucket.begin = setup.evidence_from + number * bucket_length;
			RateWorld world;
			world.share = 0.5;
			for (const auto &rule : comparison_rules()) {
				const auto i = static_cast<std::size_t>(rule.comparison);
				if (rule.statistic == Statistic::rate) {
					const auto counts = draw(random, world, weather, second);
					bucket.rates[i] = {counts, {counts.x, counts.y, 10 * counts.x}};
					continue;
				}
				auto &durations = bucket.latencies[i];
				std::lognormal_distribution<double> duration(std::log(200 * weather.slowness(second)), 0.5);
				for (int j = 0; j < 1000; ++j) {
					durations.canary.add(duration(random));
					durations.control.add(duration(random));
				}
				if (const auto tau = analysis.tau(rule.comparison, bucket.begin)) {
					durations.slices_tau = *tau;
					for (std::size_t s = 0; s < slice_count; ++s)
						durations.slices.push_back({15, binomial(random, 15, 0.05)});
				}
			}
			if (number >= 0)
				bucket.first_seen = {poisson(random, 10), poisson(random, 10)};
			analysis.advance(bucket);
			buckets.push_back(std::move(bucket));
		}
	}
	std::vector<double> wall, cpu, warm;
	std::string decision;
	for (int round = 0; round < 11; ++round) {
		const auto begin = std::chrono::steady_clock::now();
		const auto cpu_begin = std::clock();
		StageAnalysis analysis(setup);
		for (const auto &bucket : buckets)
			analysis.advance(bucket);
		const auto now = buckets.back().begin + bucket_length + settle_time;
		decision = name(analysis.evaluate(now, now).decision);
		cpu.push_back(1000.0 * static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC);
		const auto between = std::chrono::steady_clock::now();
		for (int look = 0; look < 100; ++look)
			decision = name(analysis.evaluate(now, now).decision);
		const auto end = std::chrono::steady_clock::now();
		wall.push_back(std::chrono::duration<double, std::milli>(between - begin).count());
		warm.push_back(std::chrono::duration<double, std::milli>(end - between).count() / 100);
	}
	// Judged by processor time of the one thread: on a machine that does nothing else both are the same.
	table.at_most("8,640 buckets of all checks from cold, median of 11 (" + decision + ")", median(cpu), 100, " ms");
	table.told("the same, by the wall clock", median(wall), " ms");
	table.at_most("one look after that", median(warm), 1, " ms");
}

int
run_all() {
	Options options;
	const auto number = [](const char *variable, auto &value) {
		if (const char *text = std::getenv(variable); text && *text)
			value = static_cast<std::remove_reference_t<decltype(value)>>(std::strtoul(text, nullptr, 10));
	};
	number("RUNS", options.runs);
	number("JOBS", options.jobs);
	number("SEED", options.seed);
	if (options.runs < 1 || options.jobs < 1) {
		std::fprintf(stderr, "RUNS and JOBS are 1 or more\n");
		return 2;
	}
	std::printf("%d runs a row, seed %u, looked at every second\n\n", options.runs, options.seed);
	Table table;
	table.header();
	rates(options, table);
	passes(options, table);
	latencies(options, table);
	cold(options, table);
	std::printf("\n%d missed\n", table.missed());
	return table.missed() != 0;
}

} // namespace chat_v11::bench

int
main() {
	return chat_v11::bench::run_all();
}
