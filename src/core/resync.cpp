#include "core/resync.hpp"

#include <algorithm>
#include <cstdio>

namespace chat_v11 {

namespace {

// Below this many requests of control, a comparison with it says nothing.
constexpr std::int64_t comparable_requests = 20;

ResyncOutcome
outcome_of(Kind answer) {
	switch (answer) {
	case Kind::resync_range_unavailable: return ResyncOutcome::range_unavailable;
	case Kind::resync_throttled: return ResyncOutcome::throttled;
	default: return ResyncOutcome::full_state;
	}
}

bool
may_be_one(const std::optional<std::string> &a, const std::optional<std::string> &b) {
	return !a || !b || *a == *b;
}

// By nearest rank: the ceil(n * percent / 100)-th smallest of a sorted list.
std::optional<double>
quantile(const std::vector<double> &sorted, size_t percent) {
	if (sorted.empty())
		return std::nullopt;
	return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

std::optional<double>
share_of(std::int64_t part, std::int64_t whole) {
	return whole ? std::optional(static_cast<double>(part) / static_cast<double>(whole)) : std::nullopt;
}

std::string
number(double value) {
	char text[32];
	std::snprintf(text, sizeof text, "%.10g", value);
	return text;
}

std::string
percent(double share) {
	char text[32];
	std::snprintf(text, sizeof text, "%.3g %%", share * 100);
	return text;
}

std::string
of(std::int64_t part, std::int64_t whole) {
	return std::to_string(part) + " of " + std::to_string(whole);
}

// What the distances of refused and served requests, side by side, speak for.
std::string
behind_words(const ResyncRow &refused, const ResyncRow &served) {
	if (!refused.p50)
		return "How far behind they were is unknown: report value with resync_request.";
	const auto median = "They were " + number(*refused.p50) + " behind at the median, ";
	if (!served.p50)
		return median + (served.requests ? "and of those served it is unknown." : "and none was served.") +
			   " Compare retention with that.";
	if (*refused.p50 > *served.max)
		return median + "and nobody farther behind than " + number(*served.max) +
			   " was served: retention is shorter than clients stay away.";
	if (*refused.p50 > *served.p95)
		return median + "and 95 % of those served at most " + number(*served.p95) +
			   ": retention is too short for the farthest.";
	return median + "no farther than those served (95 % at most " + number(*served.p95) +
		   "): not retention; look at what snapshots cover, and at single streams.";
}

std::string
from_zero_words(const ResyncRow &refused) {
	if (!refused.from_zero_of)
		return "Whether they asked from 0 is unknown: report head_event_seq as value of resync_range_unavailable. ";
	if (refused.from_zero == 0)
		return "None of " + std::to_string(refused.from_zero_of) + " asked from 0. ";
	return of(refused.from_zero, refused.from_zero_of) + " asked from 0. ";
}

std::string
range_words(const ResyncRow &refused, const ResyncRow &served) {
	if (refused.from_zero_share && *refused.from_zero_share >= 0.5)
		return "Most refused requests asked from 0 (" + of(refused.from_zero, refused.from_zero_of) +
			   " of which it is known): look at since_event_seq in the client first, not at retention.";
	return from_zero_words(refused) + behind_words(refused, served);
}

// Is it in control too?  Then it is not the new client alone.
std::string
control_words(const ResyncRow &canary, const ResyncRow &control, std::int64_t control_requests) {
	if (control_requests < comparable_requests || !canary.share || !control.share)
		return "";
	const auto shares = " (" + percent(*control.share) + " against " + percent(*canary.share) + "): ";
	if (*control.share * 2 >= *canary.share)
		return " v10 is refused as well" + shares + "not the new client alone.";
	return " v10 is refused less" + shares + "it comes with v11.";
}

std::string
remark_of(const std::vector<ResyncRow> &rows, size_t i, std::int64_t by_time_alone, std::int64_t control_requests) {
	const auto &row = rows[i];
	const auto &served = rows[i - static_cast<size_t>(row.outcome)];
	std::string text;
	switch (row.outcome) {
	case ResyncOutcome::served:
		if (row.requests && !row.p50)
			text = "How far behind they were is unknown: report value with resync_request.";
		break;
	case ResyncOutcome::full_state: break;
	case ResyncOutcome::range_unavailable:
		if (row.requests)
			text = range_words(row, served);
		if (row.requests && row.cohort == Cohort::v11)
			text += control_words(row, rows[i + resync_outcome_count], control_requests);
		break;
	case ResyncOutcome::throttled:
		if (row.requests)
			text = "See that clients back off (1, 2, 4 ... 60 s), and recover one at a time for a stream.";
		break;
	}
	const auto add = [&](const std::string &words) { text += (text.empty() ? "" : " ") + words; };
	if (row.without_request)
		add(std::to_string(row.without_request) + " more have no request in the " +
			format_duration(resync_answer_window) + " before them: is every resync_request reported?");
	if (by_time_alone)
		add(of(by_time_alone, row.requests) + " have neither subject nor actor: paired by time alone.");
	return text;
}

} // namespace

std::string_view
name(ResyncOutcome outcome) {
	static constexpr std::string_view names[] = {"served", "full_state", "range_unavailable", "throttled"};
	return names[static_cast<size_t>(outcome)];
}

void
ResyncPairing::begin_subject(Cohort cohort, bool by_time_alone) {
	close_before(Time::max());
	cohort_ = cohort;
	by_time_alone_ = by_time_alone;
}

void
ResyncPairing::feed(const ResyncEvent &event) {
	close_before(event.at - resync_answer_window);
	if (event.kind == Kind::resync_request) {
		open_.push_back(event);
		return;
	}
	const auto outcome = outcome_of(event.kind);
	for (auto it = open_.rbegin(); it != open_.rend(); ++it)
		if (may_be_one(it->actor, event.actor)) {
			close(*it, outcome, event.value);
			open_.erase(std::next(it).base());
			return;
		}
	// A full_state that nobody asked for is pushed by the server, and no riddle.
	if (outcome != ResyncOutcome::full_state && counts(event.at))
		++totals_[static_cast<size_t>(cohort_)][static_cast<size_t>(outcome)].without_request;
}

ResyncTotals
ResyncPairing::finish() {
	close_before(Time::max());
	return std::move(totals_);
}

// What has no answer within the window was served: a resync that is served has no event of its own.
void
ResyncPairing::close_before(Time at) {
	for (; !open_.empty() && open_.front().at < at; open_.pop_front())
		close(open_.front(), ResyncOutcome::served, std::nullopt);
}

void
ResyncPairing::close(const ResyncEvent &request, ResyncOutcome outcome, std::optional<double> head) {
	if (!counts(request.at))
		return;
	auto &figures = totals_[static_cast<size_t>(cohort_)][static_cast<size_t>(outcome)];
	++figures.requests;
	figures.by_time_alone += by_time_alone_;
	if (!request.value)
		return;
	figures.behind.push_back(*request.value);
	if (head) {
		++figures.from_zero_of;
		figures.from_zero += *request.value >= *head;
	}
}

std::vector<ResyncRow>
resync_rows(ResyncTotals totals) {
	std::vector<ResyncRow> rows;
	std::vector<std::int64_t> by_time_alone;
	std::int64_t requests = 0; // of the cohort at hand; at the end, of control
	for (const auto cohort : {Cohort::v11, Cohort::v10}) {
		auto &all = totals[static_cast<size_t>(cohort)];
		requests = 0;
		for (const auto &figures : all)
			requests += figures.requests;
		for (size_t i = 0; i < resync_outcome_count; ++i) {
			auto &f = all[i];
			std::sort(f.behind.begin(), f.behind.end());
			rows.push_back({cohort, static_cast<ResyncOutcome>(i), f.requests, share_of(f.requests, requests),
							quantile(f.behind, 50), quantile(f.behind, 95), quantile(f.behind, 99),
							quantile(f.behind, 100), f.requests - static_cast<std::int64_t>(f.behind.size()),
							f.from_zero, f.from_zero_of, share_of(f.from_zero, f.from_zero_of), f.without_request,
							std::nullopt});
			by_time_alone.push_back(f.by_time_alone);
		}
	}
	for (size_t i = 0; i < rows.size(); ++i)
		if (auto remark = remark_of(rows, i, by_time_alone[i], requests); !remark.empty())
			rows[i].remark = std::move(remark);
	return rows;
}

} // namespace chat_v11
