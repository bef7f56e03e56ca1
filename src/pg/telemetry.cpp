#include "pg/telemetry.hpp"

#include "core/windows.hpp"
#include "pg/fold.hpp"
#include "pg/write_store.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace chat_v11::pg {

// What is known beyond the buckets: events that were not folded yet, and writes that were not settled.
struct Rest {
	FoldState fold;
	EventSums events;
	WriteSums writes; // what the unsettled ones would add if they were settled now
};

namespace {

Time
mature_before(Time now, const Settings &settings) {
	return now - judged_after(settings.report_grace);
}

// Calls f(key, settled, state) for each write of which more is known than the buckets hold: `settled` is what they
// hold, `state` all that is known.
template <typename F>
void
each_unsettled(Spi &spi, Rest &rest, F &&f) {
	std::unordered_map<Uuid, PendingWrite, UuidHash> pending;
	for (const auto &batch : load_pending(spi))
		for (const auto &more : batch.writes) {
			auto &write = pending.try_emplace(more.key, PendingWrite{more.key, {}, false}).first->second;
			write.state.add(more.state);
			write.is_new = write.is_new || more.is_new;
		}
	std::optional<WriteLookup> lookup;
	const auto one = [&](const Uuid &key, const WriteState &more, bool is_new) {
		check_for_interrupts();
		std::optional<WriteState> settled;
		if (!is_new) {
			if (!lookup)
				lookup.emplace(call([] { return GetActiveSnapshot(); }), std::nullopt);
			if (const auto stored = lookup->find(key))
				settled = stored->state;
		}
		WriteState state = settled.value_or(WriteState());
		state.add(more);
		if (state != settled)
			f(key, settled, state);
	};
	// The tail may be long where nobody folds, so its writes pass one by one.
	rest.events.take_writes([&](const Uuid &key, const WriteState &state) {
		if (const auto waiting = pending.find(key); waiting != pending.end())
			waiting->second.state.add(state);
		else
			one(key, state, false);
	});
	for (const auto &[key, write] : pending)
		one(key, write.state, write.is_new);
	if (lookup)
		lookup->close();
}

Rest
read_rest(Spi &spi) {
	Rest rest;
	rest.fold = load_fold_state(spi);
	read_tail(rest.fold.cursor, rest.events);
	return rest;
}

Rest
read_and_sum_rest(Spi &spi, Time now, const Settings &settings, double slow) {
	auto rest = read_rest(spi);
	each_unsettled(spi, rest, [&](const Uuid &, const std::optional<WriteState> &settled, const WriteState &state) {
		if (settled)
			count_write(rest.writes, *settled, slow, -1);
		if (!state.ack || state.ack->at < mature_before(now, settings))
			count_write(rest.writes, state, slow, 1);
	});
	return rest;
}

struct Reading {
	Slices slices;
	std::array<Percentiles, cohort_count> percentiles;
	std::array<std::optional<Time>, cohort_count> newest;
	std::array<std::optional<Time>, kind_count> last_seen;
};

class Reader {
public:
	Reader(Spi &spi, const SliceFrame &frame, Time now, double slow, Rest &rest)
		: spi_(spi), frame_(frame), now_(now), slow_(slow), rest_(rest) {}

	void
	read_events(Reading &reading) {
		const auto one = [&](std::int64_t minute, Cohort cohort, Kind kind, Time newest, Cells &cells,
							 const std::vector<ActorAt> &actors) {
			add_events(reading.slices, frame_, minute, cohort, kind, cells, actors);
			if (const auto at = newest_within(frame_, newest, minute, cells, now_)) {
				auto &of_kind = reading.last_seen[static_cast<size_t>(kind)];
				of_kind = std::max(of_kind.value_or(*at), *at);
				if (*at > second_start(frame_.begin)) {
					auto &of_cohort = reading.newest[static_cast<size_t>(cohort)];
					of_cohort = std::max(of_cohort.value_or(*at), *at);
				}
			}
		};
		each_event_bucket(spi_, minute_of(frame_.begin), minute_of(frame_.end), one);
		for (const auto &bucket : rest_.events.buckets()) {
			auto cells = bucket.cells();
			one(bucket.minute, bucket.cohort, bucket.kind, bucket.newest, cells, bucket.actors);
		}
	}

	void
	read_writes(Reading &reading) {
		// Orphans go by their own time, writes by their ACK's, which lies the delay before.
		each_write_bucket(spi_, minute_of(frame_.begin - frame_.delay), minute_of(frame_.end),
						  [&](std::int64_t minute, Cohort cohort, double limit, Cells &cells) {
							  if (limit == slow_) {
								  add_writes(reading.slices, frame_, minute, cohort, cells, SlowFrom::field, slow_,
											 now_);
								  return;
							  }
							  // Made with another limit: count by the histogram.
							  if (slow_ < std::numeric_limits<double>::infinity())
								  cells.add(write_detail(spi_, minute, cohort));
							  add_writes(reading.slices, frame_, minute, cohort, cells, SlowFrom::bins, slow_, now_);
						  });
		for (auto &[key, cells] : rest_.writes)
			add_writes(reading.slices, frame_, key.minute, key.cohort, cells, SlowFrom::field, slow_, now_);
	}

	// Percentiles over a frame of their own.
	void
	read_percentiles(const SliceFrame &frame, std::array<Percentiles, cohort_count> &percentiles) {
		std::array<Durations, cohort_count> writes;
		std::array<Durations, cohort_count> recoveries;
		const auto first = minute_of(frame.begin - frame.delay);
		const auto last = minute_of(frame.end - frame.delay);
		each_write_bucket(spi_, first, last, [&](std::int64_t minute, Cohort cohort, double, Cells &cells) {
			auto &durations = writes[static_cast<size_t>(cohort)];
			durations.add_writes(frame, minute, cells, now_);
			if (!frame.holds_minute_of_writes(minute)) {
				auto detail = write_detail(spi_, minute, cohort);
				durations.add_writes(frame, minute, detail, now_);
			}
		});
		auto whole_first = first;
		auto whole_last = last;
		while (whole_first <= last && !frame.holds_minute_of_writes(whole_first))
			++whole_first;
		while (whole_last >= whole_first && !frame.holds_minute_of_writes(whole_last))
			--whole_last;
		for (const auto cohort : {Cohort::v10, Cohort::v11})
			writes[static_cast<size_t>(cohort)].add(sum_write_histograms(spi_, whole_first, whole_last, cohort));
		for (auto &[key, cells] : rest_.writes)
			writes[static_cast<size_t>(key.cohort)].add_writes(frame, key.minute, cells, now_);

		each_value_detail(
			spi_, minute_of(frame.begin), minute_of(frame.end), Kind::recovery_done,
			[&](std::int64_t minute, Cohort cohort, Kind, Time, Cells &cells, const std::vector<ActorAt> &) {
				recoveries[static_cast<size_t>(cohort)].add_values(frame, minute, cells);
			});
		for (const auto &bucket : rest_.events.buckets())
			if (bucket.kind == Kind::recovery_done) {
				auto cells = bucket.cells();
				recoveries[static_cast<size_t>(bucket.cohort)].add_values(frame, bucket.minute, cells);
			}
		for (size_t cohort = 0; cohort < cohort_count; ++cohort) {
			percentiles[cohort].receipt_p95_ms = writes[cohort].p95();
			percentiles[cohort].recovery_p95_ms = recoveries[cohort].p95();
		}
	}

private:
	Spi &spi_;
	const SliceFrame &frame_;
	Time now_;
	double slow_;
	Rest &rest_;
};

// The newest event of each kind that the frame has none of, from the buckets before it.
void
look_further_back(Spi &spi, const SliceFrame &frame, Reading &reading) {
	std::string kinds;
	for (size_t kind = 0; kind < kind_count; ++kind)
		if (!reading.last_seen[kind])
			kinds += (kinds.empty() ? "{" : ",") + std::string(kind_names[kind]);
	if (kinds.empty())
		return;
	const auto rows = spi.query(
		"SELECT k.kind::chat_v11.event_kind, (SELECT max(b.newest) FROM chat_v11.metric_bucket b WHERE b.kind = "
		"k.kind::chat_v11.event_kind AND b.at = (SELECT max(c.at) FROM chat_v11.metric_bucket c WHERE c.kind = "
		"k.kind::chat_v11.event_kind AND c.at < $2)) FROM unnest($1::text[]) k(kind)",
		Params() << kinds + "}" << minute_start(minute_of(frame.begin)));
	for (std::int64_t i = 0; i < rows.size(); ++i)
		reading.last_seen[static_cast<size_t>(*rows.character(i, 1))] = rows.time(i, 2);
}

SinceEntry
since_entry(Spi &spi, Rest &rest, const SliceFrame &frame, Time entered, bool is_past) {
	const auto since = write_second(entered);
	const auto *until = is_past ? &frame : nullptr;
	SinceEntry sums;
	if (is_past)
		sums = count_between(spi, since, frame);
	else
		sums = rest.fold.since == since ? rest.fold.since_entry : count_since(spi, since);
	for (const auto &bucket : rest.events.buckets()) {
		auto cells = bucket.cells();
		sums.add_events(bucket.cohort, bucket.kind, bucket.minute, cells, since, until);
	}
	for (auto &[key, cells] : rest.writes)
		sums.add_writes(key.cohort, key.minute, cells, since, until);
	return sums;
}

} // namespace

Telemetry
read_telemetry(Spi &spi, const GateInput &input) {
	IndexPlans plans;
	const auto minutes = telemetry_minutes(input);
	const auto slow = slow_limit(input.checks);
	const auto &grace = input.settings.report_grace;
	const auto frame = frame_of_minutes(input.now, minutes, grace);
	auto rest = read_and_sum_rest(spi, input.now, input.settings, slow);

	Reading reading;
	for (auto &list : reading.slices)
		list.resize(static_cast<size_t>(minutes));
	Reader reader(spi, frame, input.now, slow, rest);
	reader.read_events(reading);
	reader.read_writes(reading);
	reader.read_percentiles(frame_of_minutes(input.now, minutes_of(input.settings.metric_window), grace),
							reading.percentiles);
	look_further_back(spi, frame, reading);

	Telemetry telemetry;
	telemetry.slices = std::move(reading.slices);
	telemetry.percentiles = reading.percentiles;
	telemetry.newest = reading.newest;
	telemetry.last_seen = reading.last_seen;
	if (input.state.live()) {
		const bool is_past = now() - input.now > std::chrono::seconds(1);
		const auto sums = since_entry(spi, rest, frame, *input.state.entered_at, is_past);
		telemetry.acks_since_entry = sums.acks;
		telemetry.mature_since_entry = sums.writes;
	}
	plans.end();
	return telemetry;
}

SpanReader::SpanReader(Spi &spi, Time now, const Settings &settings)
	: rest_(std::make_shared<Rest>(read_and_sum_rest(spi, now, settings, std::numeric_limits<double>::infinity()))),
	  now_(now), settings_(settings) {}

SpanTotals
SpanReader::read(Spi &spi, Time from, Time to) const {
	IndexPlans plans;
	const auto slow = std::numeric_limits<double>::infinity();
	// now() of SQL is the transaction's beginning, and lies a little before the clock.
	const auto upto = now_ - to < std::chrono::seconds(1) ? now_ : to;
	const auto frame = frame_of_span(from, upto, now_, settings_.report_grace);
	const auto end = frame.partial ? now_ : second_start(frame.end);
	Reading reading;
	for (auto &list : reading.slices)
		list.resize(1);
	Reader reader(spi, frame, end, slow, *rest_);
	reader.read_events(reading);
	reader.read_writes(reading);
	SpanTotals span;
	reader.read_percentiles(frame, span.percentiles);
	for (size_t cohort = 0; cohort < cohort_count; ++cohort)
		span.totals[cohort] = std::move(reading.slices[cohort].front());
	plans.end();
	return span;
}

std::vector<MissingReceipt>
read_missing(Spi &spi, Time now, const Settings &settings, std::int64_t limit) {
	const auto until = mature_before(now, settings);
	return read_missing(spi, now, settings, until - std::chrono::hours(24), until, limit);
}

std::vector<MissingReceipt>
read_missing(Spi &spi, Time now, const Settings &settings, Time from, Time to, std::int64_t limit) {
	const auto until = std::min(to, mature_before(now, settings));
	auto rest = read_rest(spi);
	std::vector<MissingReceipt> list;
	std::unordered_set<Uuid, UuidHash> changed;
	each_unsettled(spi, rest, [&](const Uuid &key, const std::optional<WriteState> &settled, const WriteState &state) {
		if (settled && settled->missing())
			changed.insert(key);
		const auto &ack = state.ack;
		if (state.missing() && ack->at < until && ack->at >= from)
			list.push_back({key, ack->actor, ack->at, state.receipt ? std::optional(state.receipt->at) : std::nullopt});
	});
	for (int generation = 0; generation < write_generations; ++generation) {
		const auto sql = "SELECT w.subject, w.actor, w.acked_at, w.receipt_at FROM chat_v11.write_" +
						 std::to_string(generation) +
						 " w WHERE w.missing AND w.acked_at >= $1 AND w.acked_at < $2 ORDER BY w.acked_at DESC, "
						 "w.subject LIMIT $3";
		const auto rows =
			spi.query(sql.c_str(), Params() << from << until << limit + static_cast<std::int64_t>(changed.size()));
		for (std::int64_t i = 0; i < rows.size(); ++i)
			if (const auto key = *rows.uuid(i, 1); !changed.count(key))
				list.push_back({key, rows.uuid(i, 2), *rows.time(i, 3), rows.time(i, 4)});
	}
	std::sort(list.begin(), list.end(), [](const MissingReceipt &a, const MissingReceipt &b) {
		return a.acked_at != b.acked_at ? a.acked_at > b.acked_at : a.key < b.key;
	});
	if (static_cast<std::int64_t>(list.size()) > limit)
		list.resize(static_cast<size_t>(limit));
	return list;
}

} // namespace chat_v11::pg
