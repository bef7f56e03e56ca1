#include "core/trace.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

// After the ACK, in their order.
constexpr Kind links[] = {Kind::write_ledgered, Kind::write_stored, Kind::write_receipt};

bool
is_of_a_write(Kind kind) {
	return kind <= Kind::send_stall; // the kinds up to there tell of writes, the others of timelines and sessions
}

std::string
quoted_call(const char *function, const std::string &subject) {
	return std::string("select * from ") + function + "('" + subject + "');";
}

class Trace {
public:
	explicit Trace(const TraceInput &input) : in_(input), ack_(first(Kind::write_ack)) {}

	TraceRow verdict() const;
	std::string remark(size_t i) const;
	const TracedEvent *
	first(Kind kind) const {
		const auto found =
			std::find_if(in_.events.begin(), in_.events.end(), [&](const auto &e) { return e.kind == kind; });
		return found == in_.events.end() ? nullptr : &*found;
	}
	const TracedEvent *
	last(Kind kind) const {
		const auto found =
			std::find_if(in_.events.rbegin(), in_.events.rend(), [&](const auto &e) { return e.kind == kind; });
		return found == in_.events.rend() ? nullptr : &*found;
	}
	const TracedEvent *
	ack() const {
		return ack_;
	}

private:
	bool
	anybody_reports(Kind kind) const {
		return std::any_of(in_.others.begin(), in_.others.end(),
						   [&](const auto &cohort) { return cohort[static_cast<size_t>(kind)].count > 0; });
	}
	// An exception, or does nobody of its cohort have it?
	std::string company(Kind kind, Cohort cohort) const;
	std::string unreported_links() const;
	std::string series_call(const char *metric, Time around) const;
	TraceRow waiting_row(Kind kind, const TracedEvent &since) const;
	TraceRow without_ack() const;
	TraceRow missing_link(Kind kind) const;
	TraceRow whole() const;

	const TraceInput &in_;
	const TracedEvent *ack_; // the first one: it counts
};

TraceRow
only_words(std::string words) {
	TraceRow row;
	row.remark = std::move(words);
	return row;
}

std::string
Trace::remark(size_t i) const {
	const auto &event = in_.events[i];
	const bool is_first = first(event.kind) == &event;
	std::string text;
	const auto add = [&](const std::string &words) { text += (text.empty() ? "" : "; ") + words; };
	switch (event.kind) {
	case Kind::write_ack:
		add(is_first ? "first ACK: a receipt is due by " + format_utc(event.at + receipt_limit)
					 : "ACK of a retry: the first one counts");
		break;
	case Kind::write_receipt:
		if (!is_first)
			add("another receipt: the first one counts");
		else if (!ack_)
			add("without an ACK");
		else if (event.at < ack_->at)
			add("before its ACK: in time");
		else if (event.at - ack_->at <= receipt_limit)
			add("in time: " + format_duration(event.at - ack_->at) + " after the first ACK");
		else
			add("late: " + format_duration(event.at - ack_->at) + " after the first ACK, " +
				format_duration(receipt_limit) + " are allowed");
		if (is_first && event.value)
			add("its own value counts as the duration, in ms");
		break;
	case Kind::write_rejected:
		add(ack_ && event.at >= ack_->at ? "refused after an ACK: one of the two is wrong" : "refused");
		break;
	case Kind::pending_forever: add("the client gave it up"); break;
	case Kind::send_stall: add("its user saw it pending for more than 30 s"); break;
	case Kind::write_started:
	case Kind::write_ledgered:
	case Kind::write_stored:
		if (!is_first)
			add("again");
		break;
	default: break;
	}
	if (ack_ && is_of_a_write(event.kind) && event.cohort != ack_->cohort)
		add("its cohort is not that of the first ACK, which counts");
	return text;
}

std::string
Trace::company(Kind kind, Cohort cohort) const {
	const auto reports = [&](Cohort c, Kind k) { return in_.others[static_cast<size_t>(c)][static_cast<size_t>(k)]; };
	const auto counted = [&](Cohort c) {
		const auto acks = kind == Kind::write_ack
							  ? std::string()
							  : std::to_string(reports(c, Kind::write_ack).count) + " write_ack and ";
		return acks + std::to_string(reports(c, kind).count) + " " + std::string(name(kind)) + ", the last at " +
			   format_utc(floor_second(*reports(c, kind).last));
	};
	const auto own = std::string(name(cohort));
	const auto other = cohort == Cohort::v11 ? Cohort::v10 : Cohort::v11;
	const auto within = " within " + format_duration(link_window) + " of it";
	if (const auto have = reports(cohort, kind).count) {
		const auto words = "Other " + own + " writes" + within + " have " + counted(cohort);
		if (kind == Kind::write_ack) // of how many is not known: a start need not be reported
			return words + ".";
		const bool alone = have * 10 >= reports(cohort, Kind::write_ack).count * 9;
		return words + (alone ? ": this one is an exception." : ": this one is not alone.");
	}
	const auto none = "No other " + own + " write" + within + " has one";
	if (reports(other, kind).count)
		return none + ", but those of " + std::string(name(other)) + " have " + counted(other) + ": the path of " +
			   own + ", or its reports.";
	return none + ", nor has one of " + std::string(name(other)) + ": are they reported at all?";
}

// What this trace cannot tell, because nobody reports it.
std::string
Trace::unreported_links() const {
	std::string names;
	for (const auto kind : links)
		if (kind != Kind::write_receipt && !first(kind) && !anybody_reports(kind))
			names += (names.empty() ? "" : " and ") + std::string(name(kind));
	return names.empty() ? "" : " Nobody reports " + names + ": passed over.";
}

// When did such reports stop?  By the minute, from before the write until now.
std::string
Trace::series_call(const char *metric, Time around) const {
	const auto from = floor_second(around - std::chrono::minutes(15));
	const auto to = std::min(ceil_second(in_.now), from + link_window);
	return "select at, cohort, denominator from chat_v11.metric_series('" + std::string(metric) + "', '" +
		   format_iso(from) + "', '" + format_iso(to) + "', '1 min');";
}

TraceRow
Trace::waiting_row(Kind kind, const TracedEvent &since) const {
	TraceRow row;
	row.kind = kind;
	row.cohort = since.cohort;
	row.actor = since.actor;
	row.since_previous = in_.now - in_.events.back().at;
	if (ack_)
		row.since_ack = in_.now - ack_->at;
	return row;
}

TraceRow
Trace::without_ack() const {
	const auto *rejected = last(Kind::write_rejected);
	const auto *started = last(Kind::write_started);
	const TracedEvent *durable = nullptr;
	for (const auto kind : links)
		if (const auto *event = first(kind))
			durable = event;
	if (rejected && !(started && started->at > rejected->at))
		return only_words("rejected at " + format_utc(rejected->at) + ": neither an ACK nor a receipt is due" +
						  (durable ? ", and yet there is a " + std::string(name(durable->kind)) : "") + ".");
	const auto &begin = started ? *started : in_.events.front();
	auto row = waiting_row(Kind::write_ack, begin);
	if (durable) {
		row.remark = "missing: write_ack, although there is a " + std::string(name(durable->kind)) +
					 ". The report of the ACK was lost, or the client never had an answer. A receipt without an ACK " +
					 "turns no gate. " + company(Kind::write_ack, begin.cohort) +
					 " Next: " + series_call("receipt_without_ack_count", begin.at);
		return row;
	}
	const auto waited = std::max(in_.now - begin.at, Duration::zero());
	const auto since = format_duration(waited) + (started ? " after it was last started" : " after the first event");
	if (waited <= receipt_limit + in_.report_grace)
		row.remark = "not yet: write_ack, " + since + ". Next: " + quoted_call("chat_v11.trace_write", in_.subject);
	else
		row.remark = "missing: write_ack, " + since + "; the server has not answered, or its report was lost. " +
					 company(Kind::write_ack, begin.cohort) + " Next: " + series_call("write_reject_rate", begin.at);
	return row;
}

TraceRow
Trace::missing_link(Kind kind) const {
	auto row = waiting_row(kind, *ack_);
	const auto waited = in_.now - ack_->at;
	const auto due = ack_->at + receipt_limit;
	if (waited <= receipt_limit + in_.report_grace) {
		row.remark = "not yet: " + std::string(name(kind)) + ". The receipt is due by " + format_utc(due) +
					 ", and its report by " + format_utc(due + in_.report_grace) + "." + unreported_links() +
					 " Then: " + quoted_call("chat_v11.trace_write", in_.subject);
		return row;
	}
	std::string later;
	for (const auto each : links)
		if (each > kind && first(each))
			later += (later.empty() ? "" : " and ") + std::string(name(each));
	auto text = "missing: " + std::string(name(kind)) + ", " + format_duration(waited) + " after the first ACK; ";
	if (!later.empty())
		text += later + (later.find(" and ") == std::string::npos ? " is" : " are") +
				" there, so its report was lost, " + "or the chain went on without it. ";
	else if (kind == Kind::write_receipt)
		text += "it was due by " + format_utc(due) + ". ";
	else
		text += "nor is there anything after it. ";
	text += company(kind, ack_->cohort) + unreported_links();
	if (!first(Kind::write_receipt))
		text += " Next: " + (anybody_reports(Kind::write_receipt)
								 ? std::string("select * from chat_v11.missing_receipts(500);")
								 : series_call("receipt_without_ack_count", ack_->at));
	else
		text += " Next: look for the key in the chat's own tables.";
	row.remark = std::move(text);
	return row;
}

TraceRow
Trace::whole() const {
	const auto *receipt = first(Kind::write_receipt);
	const auto took = receipt->at - ack_->at;
	if (took > receipt_limit)
		return only_words("late: no link is missing, but the receipt came " + format_duration(took - receipt_limit) +
						  " after it was due: a breach." + unreported_links());
	return only_words("whole: no link is missing, and the receipt was in time." + unreported_links());
}

TraceRow
Trace::verdict() const {
	if (in_.events.empty())
		return only_words(
			in_.oldest ? "unknown: no event has this key among those stored, which are from " +
							 format_utc(*in_.oldest) + " to " + format_utc(*in_.newest) +
							 ". A write without a uuid of its own has the key chat_v11.write_key(actor, device, " +
							 "client_write_seq). Next: select * from chat_v11.missing_receipts();"
					   : "unknown: no event is stored at all. Is telemetry reported?");
	if (static_cast<std::int64_t>(in_.events.size()) > trace_limit)
		return only_words("cut: these are the first " + std::to_string(trace_limit) +
						  " events with this key. No write has so many: is it the key of a dialog?");
	if (std::none_of(in_.events.begin(), in_.events.end(), [](const auto &e) { return is_of_a_write(e.kind); }))
		return only_words("no write: nothing of the chain has this key. It is that of a message or a dialog.");
	if (!ack_)
		return without_ack();
	for (const auto kind : links)
		if (!first(kind) && (kind == Kind::write_receipt || anybody_reports(kind)))
			return missing_link(kind);
	return whole();
}

} // namespace

std::optional<Time>
trace_anchor(const std::vector<TracedEvent> &events) {
	for (const auto &event : events)
		if (event.kind == Kind::write_ack)
			return event.at;
	return events.empty() ? std::nullopt : std::optional(events.front().at);
}

std::vector<TraceRow>
trace_write(const TraceInput &input) {
	const Trace trace(input);
	std::vector<TraceRow> rows;
	const auto shown = std::min(input.events.size(), static_cast<size_t>(trace_limit));
	for (size_t i = 0; i < shown; ++i) {
		const auto &event = input.events[i];
		TraceRow row{event.at, event.kind, event.cohort, event.actor, event.value, {}, {}, {}};
		if (i > 0)
			row.since_previous = event.at - input.events[i - 1].at;
		if (trace.ack())
			row.since_ack = event.at - trace.ack()->at;
		if (auto remark = trace.remark(i); !remark.empty())
			row.remark = std::move(remark);
		rows.push_back(std::move(row));
	}
	rows.push_back(trace.verdict());
	return rows;
}

} // namespace chat_v11
