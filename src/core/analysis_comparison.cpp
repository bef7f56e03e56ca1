#include "core/analysis_comparison.hpp"

#include "core/analysis_format.hpp"

#include <algorithm>
#include <bit>

namespace chat_v11::analysis {

namespace {

// A cohort without any exposure is missing where by its share at least so many were to be expected.
constexpr double missing_min_expected = 20;
constexpr std::uint32_t recent_mask = (1U << recent_buckets) - 1;
// Of fewer units that are bad time and again nothing is said; and of fewer in the canary not either, so that nobody
// alone can keep a PASS away.
constexpr double blind_min_units = 5;
constexpr double hidden_min_units = 3;
// So many bad events within 5 min tell a rate.
constexpr double hidden_min_events = 20;
// Which users the hash puts into the canary is chance: with u of them their events differ from what control foresees by
// about 1/sqrt(u), where all have about as many.  So many times that is no sign.
constexpr double hidden_errors = 2;
// Beyond some years no forecast is worth its digits.
constexpr double longest_forecast_minutes = 1e6;

std::string
dispersion_text(const std::vector<SliceCounts> &slices) {
	const auto have = so_far(slices);
	if (have.enough())
		return "the dispersion of control is not known yet: it is estimated every 5 min";
	return "the dispersion of control is not known yet: it takes " + format_count(dispersion_min_bad) +
		   " durations above control's p95, by users of " + std::to_string(dispersion_min_slices) + " of " +
		   std::to_string(slice_count) + " slices; so far there are " + format_count(have.bad) + ", and users of " +
		   std::to_string(have.slices);
}

EProcessRule
rule_for(const ComparisonSetup &setup, Direction direction, double rho0) {
	validate(setup.rule);
	const bool latency = rule_of(setup.comparison).statistic == Statistic::latency;
	return {latency ? 1 : rho0, direction, direction == Direction::fail ? setup.rule.restarts() : 0};
}

} // namespace

std::string_view
name(Outcome outcome) {
	constexpr std::string_view names[] = {"FAIL", "PASS", "WAIT", "data"};
	return names[static_cast<std::size_t>(outcome)];
}

ComparisonTest::ComparisonTest(const ComparisonSetup &setup)
	: setup_(setup), rule_(&rule_of(setup.comparison)), latency_(rule_->statistic == Statistic::latency),
	  fail_(rule_for(setup, Direction::fail, setup.rule.rho_fail)),
	  severe_(rule_for(setup, Direction::fail, setup.rule.rho_severe)),
	  pass_(rule_for(setup, Direction::pass, setup.rule.rho_pass.value_or(1))), rare_({1, Direction::pass}),
	  slow_(setup.rule) {
	if (setup.stage != Stage::full || !setup.baseline || !setup.baseline->usable(rule_->statistic))
		return;
	baseline_ = setup.baseline;
	if (latency_)
		slow_.freeze(baseline_->tau, baseline_->phi);
}

ComparisonTest::ComparisonTest(const ComparisonSetup &setup, const State &state) : ComparisonTest(setup) {
	fail_ = EProcess(fail_.rule(), state.fail);
	severe_ = EProcess(severe_.rule(), state.severe);
	pass_ = EProcess(pass_.rule(), state.pass);
	rare_ = EProcess(rare_.rule(), state.rare);
	ratio_ = RatioSet(state.ratio);
	slow_ = SlowShare(setup.rule, state.slow);
	if (baseline_ && latency_)
		slow_.freeze(baseline_->tau, baseline_->phi);
	progress_ = state.progress;
}

// Buckets that are missing count as empty ones without a fault of their own; the stage knows that they are missing.
void
ComparisonTest::enter(std::int64_t number) {
	const auto step = progress_.newest ? number - *progress_.newest : recent_buckets;
	progress_.bad = step < 32 ? progress_.bad << step & recent_mask : 0;
	for (std::int64_t i = std::max(number - step, number - recent_buckets) + 1; i <= number; ++i) {
		auto &slot = progress_.recent[static_cast<std::size_t>((i % recent_buckets + recent_buckets) % recent_buckets)];
		progress_.recent_sum.n -= slot.n;
		progress_.recent_sum.m -= slot.m;
		slot = {};
		progress_.judged[static_cast<std::size_t>((i % recent_buckets + recent_buckets) % recent_buckets)] = {};
	}
	progress_.newest = number;
}

void
ComparisonTest::advance(std::int64_t number, const Bucket &bucket, bool trusted) {
	const auto index = static_cast<std::size_t>(setup_.comparison);
	Counts counts = bucket.rates[index].counts;
	const auto &repeats = bucket.rates[index].repeats;
	bool valid = latency_ || (counts.valid() && bucket.rates[index].raw.valid() && repeats.valid());
	if (latency_) {
		const auto &durations = bucket.latencies[index];
		counts = {};
		counts.n = static_cast<double>(durations.canary.count());
		counts.m = static_cast<double>(durations.control.count());
		valid = counts.valid();
	}
	if (number < 0) {
		if (latency_ && valid)
			slow_.advance(number, bucket.latencies[index]);
		return;
	}
	enter(number);
	if (!valid) {
		progress_.bad |= 1;
		return;
	}
	auto &slot = progress_.recent[static_cast<std::size_t>(number % recent_buckets)];
	slot.n = counts.n;
	slot.m = counts.m;
	progress_.recent_sum.n += counts.n;
	progress_.recent_sum.m += counts.m;

	progress_.repeats = latency_ || bucket.apart ? Repeats{} : repeats;
	if (bucket.apart || bucket.passed_over[index]) {
		if (latency_)
			slow_.advance(number, bucket.latencies[index]);
		return;
	}
	collect(number, bucket);
	if (!trusted || !fault().empty())
		return;
	fail_.observe();
	severe_.observe();
	if (!progress_.failed_at && fail_.max_ln_e() >= ln_fail) {
		progress_.failed_at = number;
		for (const auto &each : progress_.judged)
			progress_.at_fail += each;
	}
	if (!progress_.severe_at && severe_.max_ln_e() >= ln_fail)
		progress_.severe_at = number;
}

void
ComparisonTest::doubt(std::int64_t number) {
	// What was found before, or was looked at and was whole, stays found.
	if (progress_.severe_at && (*progress_.severe_at < number || is_severe_looked_at()))
		return;
	progress_.late_from = std::min(progress_.late_from.value_or(number), number);
	// All that is staked so far begins anew.
	severe_ = EProcess(severe_.rule());
	progress_.severe_at.reset();
}

void
ComparisonTest::looked(std::int64_t number) {
	progress_.looked = std::max(progress_.looked.value_or(number), number);
}

void
ComparisonTest::collect(std::int64_t number, const Bucket &bucket) {
	const auto index = static_cast<std::size_t>(setup_.comparison);
	std::optional<SlowCounts> counts;
	if (latency_) {
		counts = slow_.advance(number, bucket.latencies[index]);
	} else if (const auto &all = bucket.rates[index].counts; setup_.stage == Stage::full || (all.n > 0 && all.m > 0)) {
		counts = {all, all, all, 1};
	}
	const auto marks = number / mark_buckets;
	fail_.pass_marks(marks);
	severe_.pass_marks(marks);
	if (!counts)
		return;
	const auto age = age_of(progress_.age);
	if (setup_.stage != Stage::full || (counts->fail && counts->fail->n > 0))
		++progress_.age;
	const double phi = counts->phi;
	auto &judged = progress_.judged[static_cast<std::size_t>(number % recent_buckets)];
	if (setup_.stage == Stage::full) {
		// No PASS, since nothing comes after it; and nothing severe: at `full` a comparison never rolls back.
		if (!baseline_ || !counts->fail)
			return;
		const auto &all = *counts->fail;
		const double q = latency_ ? baseline_->q : baseline_->by_age[age];
		fail_.add_against(all.x, all.n, q, phi);
		ratio_.add_against(all.x, all.n, q, phi);
		progress_.expected += all.n * q;
		judged.x = all.x;
		judged.n = all.n;
		progress_.totals.x += all.x;
		progress_.totals.n += all.n;
		return;
	}
	if (!latency_) {
		auto &[y, m] = progress_.control.ages[age];
		y += counts->fail->y;
		m += counts->fail->m;
		progress_.raw_control += bucket.rates[index].raw.control;
	}
	if (counts->fail) {
		fail_.add(*counts->fail, phi);
		ratio_.add(*counts->fail, phi);
		progress_.totals += *counts->fail;
		judged = *counts->fail;
	}
	if (counts->severe)
		severe_.add(*counts->severe, phi);
	if (counts->pass) {
		pass_.add(*counts->pass, phi);
		progress_.x_pass += counts->pass->x;
		if (has_rare()) {
			rare_.add_against(counts->pass->x, counts->pass->n, rule_->spike_floor);
			progress_.raw_canary += bucket.rates[index].raw.canary;
		}
	}
}

bool
ComparisonTest::has_pass() const {
	return setup_.stage != Stage::full && (latency_ ? setup_.rule.d_pass : setup_.rule.rho_pass).has_value();
}

bool
ComparisonTest::has_rare() const {
	return has_pass() && rule_->spike_floor > 0;
}

// Whether bad events are as rare as bad units are.  Without any control nothing is said at all.
bool
ComparisonTest::rare_by_events() const {
	return progress_.totals.m > 0 && progress_.raw_canary < rule_->spike_floor * progress_.totals.n;
}

// What was to be compared with so far.
double
ComparisonTest::q_base() const {
	if (!baseline_)
		return 0;
	return progress_.totals.n > 0 ? progress_.expected / progress_.totals.n : baseline_->q;
}

// Its minute and the next one.
bool
ComparisonTest::is_severe_looked_at() const {
	return progress_.severe_at && progress_.looked &&
		   *progress_.looked >= *progress_.severe_at + 1 + late_margin / bucket_length;
}

// Only of rates: a receipt that comes late is a stall.
Complete
ComparisonTest::complete() const {
	if (!progress_.failed_at || latency_)
		return Complete::yes;
	if (progress_.severe_at)
		return is_severe_looked_at() ? Complete::yes : Complete::unknown;
	return progress_.late_from && *progress_.failed_at >= *progress_.late_from ? Complete::no : Complete::yes;
}

bool
ComparisonTest::is_blind() const {
	const auto &[canary, canary_before, control, control_before] = progress_.repeats;
	return (canary >= blind_min_units && 2 * canary_before > canary) ||
		   (control >= blind_min_units && 2 * control_before > control);
}

// Over 5 min, where that is enough to tell, and over the last hour, for what is less.
std::optional<double>
ComparisonTest::hidden_ratio(const SpikeWatch &watch) const {
	if (!has_pass() || !is_blind() || progress_.repeats.canary < hidden_min_units)
		return std::nullopt;
	struct Window {
		std::int64_t buckets;
		double least; // so many bad events tell anything
	};
	const double excess = *setup_.rule.rho_pass * (1 + hidden_errors / std::sqrt(progress_.repeats.canary));
	std::optional<double> most;
	for (const auto &[buckets, least] : {Window{recent_buckets, hidden_min_events}, Window{SpikeWatch::longest, 1}}) {
		const auto sum = watch.paired(buckets);
		if (sum.canary_bad >= least && sum.canary_bad >= excess * sum.foreseen)
			most = std::max(most.value_or(0), sum.canary_bad / sum.foreseen);
	}
	return most;
}

std::string
ComparisonTest::fault() const {
	if (const int bad = std::popcount(progress_.bad))
		return std::to_string(bad) + " of the last " + std::to_string(recent_buckets) +
			   " buckets have more bad events than exposures, or counts that are none";
	const auto share = canary_share(setup_.stage);
	if (!share)
		return "";
	const double n = progress_.recent_sum.n, m = progress_.recent_sum.m;
	const double odds = *share / (1 - *share);
	const auto missing = [](const char *cohort, double expected) {
		return std::string("no exposures of ") + cohort + " in the last 5 min, where about " + format_count(expected) +
			   " were to be expected";
	};
	if (m == 0 && n / odds >= missing_min_expected)
		return missing("control", n / odds);
	if (n == 0 && m * odds >= missing_min_expected)
		return missing("the canary", m * odds);
	return "";
}

// What PASS still needs, if the canary is as good as control from now on; for durations, if it goes on as it is.
void
ComparisonTest::plan(ComparisonAnswer &answer) const {
	const auto share = canary_share(setup_.stage);
	const auto &[x, n, y, m] = progress_.totals;
	if (!has_pass() || !progress_.newest)
		return;
	const double e = n > 0 && m > 0 ? n / m : *share / (1 - *share);
	const double rho = latency_ ? (progress_.x_pass + 1) / (y + 1) / e : 1;
	answer.events_needed = pass_.events_needed(ln_pass, rho, e, slow_.state().phi.value_or(1));
	const double past_minutes = static_cast<double>(*progress_.newest + 1) / 6;
	const auto time_for = [&](std::optional<double> needed, double so_far) -> std::optional<Duration> {
		if (!needed || so_far <= 0)
			return std::nullopt;
		const double minutes = *needed * past_minutes / so_far;
		if (minutes > longest_forecast_minutes)
			return std::nullopt;
		return std::chrono::minutes(static_cast<std::int64_t>(std::ceil(minutes)));
	};
	answer.time_needed = time_for(answer.events_needed, x + y);
	if (!has_rare() || n <= 0 || !rare_by_events())
		return;
	answer.exposures_needed = rare_.exposures_needed(ln_pass, x / n, rule_->spike_floor);
	answer.rare_time_needed = time_for(answer.exposures_needed, n);
}

ComparisonAnswer
ComparisonTest::answer(const SpikeWatch *watch) const {
	const auto &[x, n, y, m] = progress_.totals;
	ComparisonAnswer answer;
	answer.comparison = setup_.comparison;
	answer.totals = progress_.totals;
	answer.failed_at = progress_.failed_at;
	answer.severe_at = progress_.severe_at;
	answer.at_fail = progress_.at_fail;
	answer.severe = progress_.failed_at && progress_.severe_at;
	answer.complete = complete();
	answer.ln_fail_now = fail_.ln_e();
	answer.ln_fail_max = fail_.max_ln_e();
	answer.ln_pass_now = has_pass() ? pass_.ln_e() : 0;
	answer.ln_rare_now = has_rare() ? rare_.ln_e() : 0;
	answer.too_rare = has_rare() && answer.ln_rare_now >= ln_pass && rare_by_events();
	answer.interval = ratio_.interval();
	answer.q_base = q_base();
	// What to compare with is known with the first bucket, and nothing will ever come after it.
	answer.not_compared = setup_.stage == Stage::full && !baseline_ && progress_.newest;
	if (const auto &thresholds = slow_.state().thresholds)
		answer.tau = thresholds->tau;
	const double rate = baseline_ ? answer.q_base : m > 0 ? y / m : 0;
	if (n > 0 && rate > 0)
		answer.ratio = x / n / rate;

	answer.fault = fault();
	if (progress_.failed_at)
		answer.outcome = Outcome::fail;
	else if (!answer.fault.empty())
		answer.outcome = Outcome::data;
	else if (setup_.stage == Stage::full)
		answer.outcome = answer.not_compared || n > 0 ? Outcome::pass : Outcome::wait;
	else if (has_pass() && (answer.ln_pass_now >= ln_pass || answer.too_rare))
		answer.outcome = Outcome::pass;
	answer.blind = is_blind();
	if (watch)
		answer.hidden_ratio = hidden_ratio(*watch);
	if (answer.outcome == Outcome::pass && answer.hidden_ratio)
		answer.outcome = Outcome::wait;
	if (answer.outcome != Outcome::wait)
		return answer;
	plan(answer);
	if (latency_ && !slow_.state().thresholds)
		answer.fault = "control had no durations in the last 15 min";
	else if (latency_ && !slow_.state().phi)
		answer.fault = dispersion_text(slow_.state().slices);
	return answer;
}

} // namespace chat_v11::analysis
