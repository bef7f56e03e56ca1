// The engine's core beside a plain model: random traffic, folded in random batches in random order, read in the middle,
// gives what its definition gives over all events at once.

#include "core/gates.hpp"
#include "core/windows.hpp"

#include "engine_fixture.hpp"

#include <map>
#include <set>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(engine)

constexpr double slow_limit = 2000;

// What the moment of a reading and its settings are.
struct Moment {
	Time now;
	std::int64_t minutes;
	Duration grace;
	SliceFrame
	frame() const {
		return frame_of_minutes(now, minutes, grace);
	}
};

struct Answer {
	Slices slices;
	std::array<std::optional<double>, cohort_count> receipt_p95, recovery_p95;
	std::array<std::optional<Time>, kind_count> newest;
};

// ---- Random traffic -------------------------------------------------------------------------------------------------

class Traffic {
public:
	explicit Traffic(std::mt19937_64 &random) : random_(random) {}

	std::vector<RawEvent>
	events(size_t count) {
		std::vector<RawEvent> list(count);
		for (auto &event : list)
			event = one();
		return list;
	}

private:
	std::int64_t
	below(std::int64_t n) {
		return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
	}

	// Where things go wrong: whole seconds, a microsecond beside them, and anything else.
	Time
	some_time() {
		const auto second = noon - 5min + below(310) * 1s;
		return second + std::array<Duration, 6>{0us,
												0us,
												1us,
												-1us,
												Duration(below(1'000'000)),
												Duration(below(10) * 100'000)}[static_cast<size_t>(below(6))];
	}

	RawEvent
	one() {
		RawEvent event;
		event.at = some_time();
		event.cohort = below(3) ? Cohort::v11 : Cohort::v10;
		event.kind = static_cast<Kind>(below(kind_count));
		if (below(2))
			event.kind = below(2) ? Kind::write_ack : Kind::write_receipt;
		event.has_actor = below(3) != 0;
		if (event.has_actor)
			event.actor = uuid(static_cast<std::uint8_t>(below(5)));
		event.has_subject = event.kind == Kind::write_ack || event.kind == Kind::write_receipt || below(2);
		if (event.has_subject) {
			// Several reports of most keys, so that there is something to merge; some of them just in time.
			const auto key = static_cast<std::uint8_t>(below(150));
			event.subject = uuid(key);
			if (event.kind == Kind::write_receipt && below(2))
				event.at = base_of(key) + std::array<Duration, 4>{10s, 10s + 1us, Duration(below(3'000'000)),
																  -1s}[static_cast<size_t>(below(4))];
			else if (event.kind == Kind::write_ack && below(2))
				event.at = base_of(key);
		}
		event.has_value = event.kind == Kind::recovery_done ? below(8) != 0 : below(6) == 0;
		if (event.has_value) // halves, whose sums are exact in any order
			event.value = below(4) ? static_cast<double>(below(20'000)) / 2 : slow_limit;
		return event;
	}

	Time
	base_of(std::uint8_t key) {
		if (!bases_.count(key))
			bases_[key] = some_time();
		return bases_[key];
	}

	std::mt19937_64 &random_;
	std::map<std::uint8_t, Time> bases_;
};

// ---- The model: definitions, read off the events --------------------------------------------------------------------

std::optional<double>
plain_p95(std::vector<double> values) {
	if (values.empty())
		return std::nullopt;
	std::sort(values.begin(), values.end());
	return values[(95 * values.size() + 99) / 100 - 1];
}

Answer
plain_answer(const std::vector<RawEvent> &events, const Moment &moment) {
	Answer answer;
	const auto count = static_cast<size_t>(moment.minutes);
	for (auto &list : answer.slices)
		list.resize(count);
	const auto end = floor_second(moment.now);
	const auto upper = ceil_second(moment.now); // the second that is under way counts as a whole
	// Slices are (end - n - 1 min, end - n min].
	const auto totals_at = [&](Time at, Cohort cohort) -> Totals * {
		for (std::int64_t n = 0; n < moment.minutes; ++n)
			if (at > end - (n + 1) * 1min && at <= (n ? end - n * 1min : upper))
				return &answer.slices[static_cast<size_t>(cohort)][static_cast<size_t>(n)];
		return nullptr;
	};
	std::array<std::vector<double>, cohort_count> recoveries, durations;
	std::map<Uuid, std::vector<RawEvent>> acks, receipts;
	for (const auto &event : events) {
		if (event.kind == Kind::write_ack)
			acks[event.subject].push_back(event);
		if (event.kind == Kind::write_receipt)
			receipts[event.subject].push_back(event);
		auto *totals = totals_at(event.at, event.cohort);
		if (!totals)
			continue;
		++totals->of(event.kind);
		if (event.kind == Kind::send_stall && !event.has_actor)
			++totals->anonymous_stalls;
		if (event.kind == Kind::send_stall && event.has_actor)
			totals->stall_actors.emplace(event.actor.begin(), event.actor.end());
		if (event.kind == Kind::recovery_done && event.has_value)
			recoveries[static_cast<size_t>(event.cohort)].push_back(event.value);
		auto &newest = answer.newest[static_cast<size_t>(event.kind)];
		newest = std::max(newest.value_or(event.at), event.at);
	}
	// Ties are settled as the reference says: no cohort but the smaller, no value but the smallest, if there is any.
	const auto earliest = [](const std::vector<RawEvent> &list) {
		return *std::min_element(list.begin(), list.end(), [](const RawEvent &a, const RawEvent &b) {
			if (a.at != b.at)
				return a.at < b.at;
			if (a.kind == Kind::write_receipt && a.has_value != b.has_value)
				return a.has_value;
			if (a.kind == Kind::write_receipt && a.has_value && a.value != b.value)
				return a.value < b.value;
			return a.cohort < b.cohort;
		});
	};
	for (const auto &[key, list] : receipts)
		if (!acks.count(key)) {
			const auto receipt = earliest(list);
			if (auto *totals = totals_at(receipt.at, receipt.cohort))
				++totals->orphan_receipts;
		}
	for (const auto &[key, list] : acks) {
		const auto ack = earliest(list);
		const auto mature_at = ack.at + 10s + ceil<std::chrono::seconds>(moment.grace) + 1us;
		auto *totals = totals_at(mature_at, ack.cohort);
		if (!totals || mature_at > moment.now)
			continue;
		++totals->mature;
		auto took = std::chrono::duration<double, std::milli>(moment.now - ack.at).count();
		bool in_time = false;
		if (receipts.count(key)) {
			const auto receipt = earliest(receipts.at(key));
			in_time = receipt.at <= ack.at + 10s;
			const auto passed = std::chrono::duration<double, std::milli>(receipt.at - ack.at).count();
			took = receipt.has_value ? receipt.value : std::max(0.0, passed);
		}
		totals->missing += !in_time;
		totals->slow += took > slow_limit;
		durations[static_cast<size_t>(ack.cohort)].push_back(took);
	}
	for (size_t cohort = 0; cohort < cohort_count; ++cohort) {
		answer.recovery_p95[cohort] = plain_p95(recoveries[cohort]);
		answer.receipt_p95[cohort] = plain_p95(durations[cohort]);
	}
	return answer;
}

// ---- The engine: its core, with maps for tables ---------------------------------------------------------------------

class Engine {
public:
	// Folds the events; writes that are mature by then are settled, the others wait.
	void
	fold(std::span<const RawEvent> events, const Moment &moment, std::mt19937_64 &random) {
		EventSums sums;
		for (const auto &event : events) {
			sums.add(event);
			if (random() % 50 == 0)
				write_down(sums); // as where memory runs short
		}
		write_down(sums);
		settle(moment, false);
	}

	// Reads with a tail that is not folded, and changes nothing.
	Answer
	read(std::span<const RawEvent> tail, const Moment &moment) const {
		auto all = *this;
		EventSums sums;
		for (const auto &event : tail)
			sums.add(event);
		all.write_down(sums);
		all.settle(moment, true);
		return all.answer(moment);
	}

	// All that is stored, to the byte.
	std::map<std::string, std::string>
	stored() const {
		std::map<std::string, std::string> all;
		for (const auto &[where, bucket] : buckets_) {
			const auto &[minute, cohort, kind] = where;
			const auto key = std::to_string(minute) + " " + std::string(name(cohort)) + " " + std::string(name(kind));
			all[key + " figures"] = std::to_string(bucket.count) + " " + std::to_string(bucket.sum) + " " +
									format_iso(bucket.newest) + " " + bucket.values.to_text();
			all[key + " cells"] = bucket.few + "|" + bucket.bins;
		}
		for (const auto &[where, bytes] : writes_)
			if (!Cells::decode(bytes).empty())
				all[std::to_string(where.minute) + " " + std::string(name(where.cohort)) + " writes"] = bytes;
		std::vector<PendingWrite> settled;
		for (const auto &[key, state] : settled_)
			settled.push_back({key, state, false});
		all["settled"] = encode(settled);
		return all;
	}

private:
	struct Bucket {
		std::int64_t count = 0;
		double sum = 0;
		Time newest = Time::min();
		Histogram values;
		std::string few, bins, actors;
	};

	void
	write_down(EventSums &sums) {
		for (const auto &added : sums.buckets()) {
			auto &bucket = buckets_[{added.minute, added.cohort, added.kind}];
			bucket.count += added.count;
			bucket.sum += added.sum;
			bucket.newest = std::max(bucket.newest, added.newest);
			bucket.values += added.values;
			auto cells = added.cells();
			cells.add(Cells::decode(bucket.few));
			cells.add(Cells::decode(bucket.bins));
			auto [few, bins] = cells.split();
			bucket.few = few.encode();
			bucket.bins = bins.encode();
			auto actors = decode_actors(bucket.actors);
			for (const auto &actor : added.actors)
				add_actor(actors, actor);
			bucket.actors = encode(actors);
		}
		sums.clear_buckets();
		pending_.push_back(encode(writes_of(sums)));
	}

	// Brings what is mature into the buckets; for a reading all that the buckets do not know yet, for this once.
	void
	settle(const Moment &moment, bool for_reading) {
		std::map<Uuid, WriteState> news;
		for (const auto &batch : pending_)
			for (const auto &write : decode_pending(batch))
				news[write.key].add(write.state);
		pending_.clear();
		std::vector<PendingWrite> waiting;
		WriteSums sums;
		const auto mature_before = moment.now - judged_after(moment.grace);
		for (const auto &[key, state] : news) {
			const auto known = settled_.find(key);
			const bool is_known = known != settled_.end();
			if (!for_reading && state.newest() >= mature_before && !(is_known && known->second.ack)) {
				waiting.push_back({key, state, !is_known});
				continue;
			}
			auto merged = state;
			if (is_known) {
				merged.add(known->second);
				count_write(sums, known->second, slow_limit, -1);
			}
			if (!for_reading || !merged.ack || merged.ack->at < mature_before)
				count_write(sums, merged, slow_limit, 1);
			settled_[key] = merged;
		}
		pending_.push_back(encode(waiting));
		for (auto &[where, cells] : sums) {
			cells.add(Cells::decode(writes_[where]));
			writes_[where] = cells.encode();
		}
	}

	Answer
	answer(const Moment &moment) const {
		Answer answer;
		for (auto &list : answer.slices)
			list.resize(static_cast<size_t>(moment.minutes));
		const auto frame = moment.frame();
		std::array<Durations, cohort_count> recoveries, durations;
		for (const auto &[where, bucket] : buckets_) {
			const auto &[minute, cohort, kind] = where;
			auto cells = Cells::decode(bucket.few);
			add_events(answer.slices, frame, minute, cohort, kind, cells, decode_actors(bucket.actors));
			if (const auto at = newest_within(frame, bucket.newest, minute, cells, moment.now);
				at && *at > second_start(frame.begin)) {
				auto &newest = answer.newest[static_cast<size_t>(kind)];
				newest = std::max(newest.value_or(*at), *at);
			}
			auto bins = Cells::decode(bucket.bins);
			recoveries[static_cast<size_t>(cohort)].add_values(frame, minute, bins);
		}
		for (const auto &[where, bytes] : writes_) {
			auto cells = Cells::decode(bytes);
			// Either way to count the slow ones.
			const auto from = where.minute % 2 ? SlowFrom::field : SlowFrom::bins;
			add_writes(answer.slices, frame, where.minute, where.cohort, cells, from, slow_limit, moment.now);
			durations[static_cast<size_t>(where.cohort)].add_writes(frame, where.minute, cells, moment.now);
		}
		for (size_t cohort = 0; cohort < cohort_count; ++cohort) {
			answer.recovery_p95[cohort] = recoveries[cohort].p95();
			answer.receipt_p95[cohort] = durations[cohort].p95();
		}
		return answer;
	}

	std::map<std::tuple<std::int64_t, Cohort, Kind>, Bucket> buckets_;
	std::map<Uuid, WriteState> settled_;
	std::map<MinuteOfCohort, std::string> writes_;
	std::vector<std::string> pending_;
};

// ---- One beside the other -------------------------------------------------------------------------------------------

bool
near(std::optional<double> got, std::optional<double> right) {
	if (!got || !right)
		return !got && !right;
	return std::abs(*got - *right) <= std::max(*right * 0.01, 0.01) + 1e-9;
}

void
compare(const Answer &got, const Answer &right, const Moment &moment) {
	for (size_t cohort = 0; cohort < cohort_count; ++cohort) {
		BOOST_TEST_REQUIRE(got.slices[cohort].size() == right.slices[cohort].size());
		for (size_t n = 0; n < right.slices[cohort].size(); ++n) {
			const auto &a = got.slices[cohort][n];
			const auto &b = right.slices[cohort][n];
			BOOST_TEST_INFO_SCOPE(cohort_names[cohort] << " slice " << n << " at " << format_iso(moment.now)
													   << " grace " << format_duration(moment.grace));
			for (size_t kind = 0; kind < kind_count; ++kind)
				BOOST_TEST(a.count[kind] == b.count[kind], kind_names[kind]);
			BOOST_TEST(a.mature == b.mature);
			BOOST_TEST(a.missing == b.missing);
			BOOST_TEST(a.slow == b.slow);
			BOOST_TEST(a.orphan_receipts == b.orphan_receipts);
			BOOST_TEST(a.anonymous_stalls == b.anonymous_stalls);
			BOOST_TEST(std::min(a.distinct_stalled(), stall_min_actors) ==
					   std::min(b.distinct_stalled(), stall_min_actors));
		}
		BOOST_TEST(near(got.receipt_p95[cohort], right.receipt_p95[cohort]));
		BOOST_TEST(near(got.recovery_p95[cohort], right.recovery_p95[cohort]));
	}
	for (size_t kind = 0; kind < kind_count; ++kind) {
		// To the second where there are events that lie ahead; those of the second under way are seen or not.
		const auto a = got.newest[kind];
		const auto b = right.newest[kind];
		if (b && *b <= moment.now - 1s)
			BOOST_TEST((a && *a >= *b && *a < *b + 1s), kind_names[kind]);
		else
			BOOST_TEST((!a || *a > moment.now - Duration(moment.minutes * 1min) - 1s), kind_names[kind]);
	}
}

std::vector<Moment>
moments() {
	std::vector<Moment> list;
	for (const auto grace : {Duration(0us), Duration(1500ms), Duration(2s)})
		for (const auto after : {Duration(0us), Duration(1us), Duration(400ms), Duration(999'999us)})
			list.push_back({noon + after, 3, grace});
	list.push_back({noon + 5min, 12, 2s}); // all of it
	list.push_back({noon - 20min, 3, 2s}); // nothing yet
	return list;
}

// Moments go on as folds do: nothing that was settled was settled too soon for a later reading.
BOOST_AUTO_TEST_CASE(any_batches_in_any_order_give_what_the_definition_gives) {
	std::mt19937_64 random(14);
	for (int run = 0; run < 40; ++run) {
		const auto events = Traffic(random).events(100 + random() % 900);
		for (const auto &moment : moments()) {
			auto arrival = events;
			std::shuffle(arrival.begin(), arrival.end(), random);
			Engine engine;
			size_t folded = 0;
			for (auto rounds = random() % 6; rounds > 0; --rounds) {
				auto earlier = moment;
				earlier.now -= Duration(static_cast<std::int64_t>(random() % 60'000'000));
				const auto n = random() % (events.size() - folded + 1);
				engine.fold(std::span(arrival).subspan(folded, n), earlier, random);
				folded += n;
			}
			compare(engine.read(std::span(arrival).subspan(folded), moment), plain_answer(events, moment), moment);
		}
	}
}

BOOST_AUTO_TEST_CASE(what_is_stored_does_not_depend_on_the_batches) {
	std::mt19937_64 random(15);
	const Moment late{noon + 1h, 1, 2s}; // when all are mature
	for (int run = 0; run < 60; ++run) {
		auto events = Traffic(random).events(50 + random() % 500);
		Engine once;
		once.fold(events, late, random);
		std::shuffle(events.begin(), events.end(), random);
		Engine parts;
		for (size_t folded = 0; folded < events.size();) {
			const auto n = std::min<size_t>(1 + random() % 60, events.size() - folded);
			parts.fold(std::span(events).subspan(folded, n), late, random);
			folded += n;
		}
		BOOST_TEST((once.stored() == parts.stored()));
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
