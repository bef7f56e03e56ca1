#include "core/analysis_stage.hpp"

#include "core/analysis_format.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr auto canary = static_cast<std::size_t>(Cohort::v11);
constexpr auto control = static_cast<std::size_t>(Cohort::v10);
constexpr auto receipts = static_cast<std::size_t>(Comparison::slow_receipts);

// Decades away from the evidence no number means anything.
constexpr std::int64_t largest_number = 30 * 366 * 8640;

// At `full` control as it was at canary_50 is the base; without that nobody knows what is usual.
SpikeWatch
watch_for(const StageSetup &setup, const ComparisonRule &rule, SpikeWatch::State state = {}) {
	const auto &baseline = setup.baselines[static_cast<std::size_t>(rule.comparison)];
	const bool alone = setup.stage == Stage::full && baseline && baseline->usable(rule.statistic);
	return {alone ? std::max(rule.spike_floor, baseline->raw) : rule.spike_floor, alone, std::move(state)};
}

} // namespace

StageSetup
default_setup(Stage stage, Time first_entered_at) {
	return {stage, evidence_begin(first_entered_at), stage_rule(stage), {}};
}

StageAnalysis::StageAnalysis(const StageSetup &setup) : setup_(setup), sample_ratio_(canary_share(setup.stage)) {
	for (const auto &rule : comparison_rules()) {
		const auto &baseline = setup.baselines[static_cast<std::size_t>(rule.comparison)];
		comparisons_.emplace_back(ComparisonSetup{rule.comparison, setup.stage, setup.rule, baseline});
		if (rule.statistic == Statistic::rate)
			spikes_.push_back(watch_for(setup, rule));
	}
}

StageAnalysis::StageAnalysis(const StageSetup &setup, const State &state) : StageAnalysis(setup) {
	continuity_ = Continuity(state.continuity);
	sample_ratio_ = SampleRatio(canary_share(setup.stage), state.sample_ratio);
	for (std::size_t i = 0; i < comparisons_.size(); ++i)
		comparisons_[i] = ComparisonTest(comparisons_[i].setup(), state.comparisons.at(i));
	std::size_t next = 0;
	for (const auto &rule : comparison_rules())
		if (rule.statistic == Statistic::rate) {
			spikes_[next] = watch_for(setup, rule, state.spikes.at(next));
			++next;
		}
	trend_ = TrendWatch(state.trend);
}

StageAnalysis::State
StageAnalysis::state() const {
	State state{continuity_.state(), sample_ratio_.state(), {}, {}, trend_.state()};
	for (const auto &check : comparisons_)
		state.comparisons.push_back(check.state());
	for (const auto &spike : spikes_)
		state.spikes.push_back(spike.state());
	return state;
}

std::int64_t
StageAnalysis::number_of(Time begin) const {
	const auto since = begin - setup_.evidence_from;
	const auto number = since / bucket_length;
	return number * bucket_length > since ? number - 1 : number;
}

Time
StageAnalysis::end_of(std::int64_t number) const {
	return setup_.evidence_from + (number + 1) * bucket_length;
}

std::optional<double>
StageAnalysis::tau(Comparison comparison, Time bucket_begin) const {
	return comparisons_[static_cast<std::size_t>(comparison)].tau(number_of(bucket_begin));
}

void
StageAnalysis::advance(const Bucket &bucket) {
	const auto number = number_of(bucket.begin);
	const bool aligned = bucket.begin == end_of(number - 1) && std::abs(number) <= largest_number;
	if (!continuity_.accept(number, aligned))
		return;
	for (std::size_t i = 0; i < comparisons_.size(); ++i)
		if (bucket.worse_since[i])
			comparisons_[i].doubt(number_of(*bucket.worse_since[i]));
	if (bucket.looked_until)
		for (auto &check : comparisons_)
			check.looked(number_of(*bucket.looked_until));
	const double first_canary = bucket.first_seen[canary], first_control = bucket.first_seen[control];
	const Placed placed{bucket.active[canary], bucket.misplaced[canary], bucket.active[control],
						bucket.misplaced[control]};
	if (!is_count(first_canary) || !is_count(first_control) || !is_count(placed.canary) || !is_count(placed.control) ||
		!(placed.canary_misplaced <= placed.canary) || !is_count(placed.canary_misplaced) ||
		!(placed.control_misplaced <= placed.control) || !is_count(placed.control_misplaced)) {
		continuity_.spoil();
	} else if (number >= 0) {
		sample_ratio_.add(first_canary, first_control);
		// With wrong labels a bucket is as good as missing, also once they are right again.
		if (!sample_ratio_.place(number, placed))
			return;
	}

	const bool trusted = continuity_.fault().empty() && sample_ratio_.fault().empty();
	for (auto &check : comparisons_)
		check.advance(number, bucket, trusted);
	std::size_t next = 0;
	for (const auto &rule : comparison_rules()) {
		if (rule.statistic != Statistic::rate)
			continue;
		auto &spike = spikes_[next++];
		const auto &rates = bucket.rates[static_cast<std::size_t>(rule.comparison)];
		// What cannot be is as good as missing; the check tells of it.
		if (!rates.counts.valid() || !rates.raw.valid())
			continue;
		if (number < 0 || bucket.apart)
			spike.learn(number, rates);
		else
			spike.advance(number, rates);
		if (const auto since = bucket.worse_since[static_cast<std::size_t>(rule.comparison)])
			spike.doubt(number_of(*since));
	}
	const auto &durations = bucket.latencies[receipts];
	if (setup_.stage == Stage::canary_50 && number >= 0 && !bucket.passed_over[receipts] &&
		static_cast<double>(std::max(durations.canary.count(), durations.control.count())) <= largest_count)
		trend_.advance(number, durations);
}

StageAnswer
StageAnalysis::evaluate(Time now, std::optional<Time> newest_event, bool p0_or_stall) const {
	const auto last_closed = number_of(now - settle_time) - 1;
	auto fault = continuity_.fault(last_closed);
	const auto stale = staleness(newest_event, now);
	if (fault.empty() || (!stale.empty() && !continuity_.state().newest))
		fault = stale;
	return answer(fault, p0_or_stall);
}

StageAnswer
StageAnalysis::evaluate_path() const {
	return answer(continuity_.fault(), false);
}

StageAnswer
StageAnalysis::answer(const std::string &fault, bool p0_or_stall) const {
	StageAnswer answer;
	answer.stage = setup_.stage;
	answer.evidence_from = setup_.evidence_from;
	answer.rule = setup_.rule;
	answer.p0_or_stall = p0_or_stall;
	const auto mixed_up = sample_ratio_.fault();
	answer.distrusted = !mixed_up.empty();
	answer.fault = answer.distrusted ? mixed_up : fault;

	const auto newest = continuity_.state().newest;
	if (newest && *newest >= 0)
		answer.evidence_until = end_of(*newest);
	if (!answer.evidence_until)
		answer.too_early = "evidence begins at " + format_utc(setup_.evidence_from);
	else if (!sample_ratio_.enough())
		answer.too_early = format_count(sample_ratio_.state().canary + sample_ratio_.state().control) + " of " +
						   format_count(sample_ratio_.actors_needed()) +
						   " actors seen that tell whether the shares are "
						   "right";

	std::size_t next = 0;
	for (const auto &check : comparisons_) {
		const bool rates = rule_of(check.setup().comparison).statistic == Statistic::rate;
		auto one = check.answer(rates ? &spikes_[next++] : nullptr);
		// What was found while the data was in order stands, unless the cohorts themselves are in doubt.
		if (answer.distrusted || (!answer.fault.empty() && one.outcome != Outcome::fail)) {
			one.outcome = Outcome::data;
			one.fault = answer.fault;
		} else if (!answer.too_early.empty() && one.outcome == Outcome::pass) {
			one.outcome = Outcome::wait;
		}
		answer.comparisons.push_back(std::move(one));
	}
	next = 0;
	for (const auto &rule : comparison_rules()) {
		if (rule.statistic != Statistic::rate)
			continue;
		const auto &spike = spikes_[next++];
		const auto &state = spike.state();
		answer.spikes.push_back({rule.comparison, spike.level(),
								 spike.level() == SpikeLevel::none ? std::nullopt : std::optional(end_of(state.since)),
								 spike.rate_60s(), spike.rate_300s(), spike.control_300s(), spike.base(), state.units});
	}
	answer.trend_applies = setup_.stage == Stage::canary_50;
	answer.trend_known = trend_.known();
	answer.trend_last = trend_.state().last;
	answer.trend_risen = trend_.state().risen;
	decide(answer);
	return answer;
}

std::array<std::optional<Baseline>, comparison_count>
baselines_of(const StageAnalysis &canary_50) {
	std::array<std::optional<Baseline>, comparison_count> baselines;
	const auto state = canary_50.state();
	for (std::size_t i = 0; i < comparison_count; ++i) {
		const auto &check = state.comparisons[i];
		const auto &totals = check.progress.totals;
		const auto &rule = comparison_rules()[i];
		if (!(totals.m > 0))
			continue;
		Baseline baseline{totals.y / totals.m};
		if (rule.statistic == Statistic::latency) {
			if (!check.slow.thresholds || !check.slow.phi)
				continue;
			baseline.tau = check.slow.thresholds->tau;
			baseline.phi = *check.slow.phi;
		} else if (const auto rates = check.progress.control.rates(rule.spike_floor)) {
			baseline.raw = check.progress.raw_control / totals.m;
			baseline.by_age = *rates;
		}
		if (baseline.usable(rule.statistic))
			baselines[i] = baseline;
	}
	return baselines;
}

} // namespace chat_v11::analysis
