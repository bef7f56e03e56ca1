// What the engine keeps for the canary analysis: which run a bucket belongs to, who was seen, what a bucket counts of
// the events, its stored form, and where to begin to read.

#include "core/analysis_collect.hpp"
#include "core/analysis_late.hpp"
#include "core/analysis_notes.hpp"
#include "core/analysis_run.hpp"

#include "analysis_fixture.hpp"
#include "engine_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_engine)

// ---- Runs -----------------------------------------------------------------------------------------------------------

std::vector<StageChange>
changes(std::initializer_list<std::pair<bool, Duration>> list, Stage stage = Stage::canary_1) {
	std::vector<StageChange> result;
	for (const auto &[killed, after] : list)
		result.push_back({static_cast<std::int64_t>(result.size()) + 7, stage, killed, noon + after});
	return result;
}

BOOST_AUTO_TEST_CASE(a_run_begins_with_the_first_entry_and_a_hold_a_kill_or_a_resume_does_not_move_it) {
	const auto run =
		run_of(changes({{false, 0s}, {false, 10min}, {true, 20min}, {true, 21min}, {false, 60min}})).value();
	BOOST_TEST(run.id == 7);
	BOOST_TEST((run.entered_at == noon));
	BOOST_TEST((run.evidence_from == noon + 2min));
	BOOST_TEST(run.changes.size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_kill_from_a_higher_stage_has_no_run_until_it_is_resumed) {
	BOOST_TEST(!run_of(changes({{true, 0s}, {true, 5min}})));
	BOOST_TEST(!run_of({}));
	const auto run = run_of(changes({{true, 0s}, {false, 40min}})).value();
	BOOST_TEST(run.id == 8);
	BOOST_TEST((run.evidence_from == noon + 42min));
}

BOOST_AUTO_TEST_CASE(a_new_build_on_record_begins_a_new_run_with_the_resume_after_a_kill_at_canary_1) {
	const auto entered_at = [](std::vector<StageChange> list, std::initializer_list<std::int64_t> on_record) {
		auto each = list.begin();
		for (const auto row : on_record)
			(each++)->new_build = row;
		return run_of(list).value().entered_at - noon;
	};
	// Rows 7, 8, 9, ... of the log; the attestation has a number between theirs in life.
	const auto killed = changes({{false, 0s}, {true, 20min}, {false, 60min}});
	BOOST_TEST((entered_at(killed, {0, 0, 8}) == 60min));
	BOOST_TEST((entered_at(killed, {0, 0, 0}) == 0s));
	BOOST_TEST((entered_at(killed, {6, 0, 6}) == 0s)); // of an earlier run
	// Only a resume after a kill: a hold is no reason.
	BOOST_TEST((entered_at(changes({{false, 0s}, {false, 20min}}), {0, 8}) == 0s));
	BOOST_TEST((entered_at(changes({{false, 0s}, {true, 20min}, {false, 30min}, {false, 60min}}), {0, 0, 0, 9}) == 0s));
	// Once: the next resume needs another one.
	const auto twice = changes({{false, 0s}, {true, 20min}, {false, 60min}, {true, 80min}, {false, 90min}});
	BOOST_TEST((entered_at(twice, {0, 0, 8, 0, 8}) == 60min));
	BOOST_TEST((entered_at(twice, {0, 0, 8, 0, 10}) == 90min));
	const auto run = run_of({{{7, Stage::canary_1, false, noon, 0},
							  {8, Stage::canary_1, true, noon + 20min, 0},
							  {9, Stage::canary_1, false, noon + 60min, 8}}})
						 .value();
	BOOST_TEST(run.id == 9);
	BOOST_TEST(run.changes.size() == 1u);
	BOOST_TEST((run.evidence_from == noon + 62min));
	BOOST_TEST((entered_at(changes({{false, 0s}, {true, 20min}, {false, 60min}}, Stage::canary_10), {0, 0, 8}) == 0s));
}

BOOST_AUTO_TEST_CASE(what_counts_lies_in_the_run_and_away_from_a_kill) {
	const auto run = run_of(changes({{false, 0s}, {true, 20min + 5s}, {false, 60min + 5s}})).value();
	const struct {
		Duration at;
		bool counts, killed;
	} cases[] = {
		{1min + 50s, false, false}, {2min, true, false},  {19min + 50s, true, false}, {20min, false, true},
		{40min, false, true},       {60min, false, true}, {62min, false, true},       {62min + 10s, true, false},
	};
	for (const auto &c : cases) {
		BOOST_TEST_CONTEXT(format_duration(c.at)) {
			BOOST_TEST(run.counts(noon + c.at) == c.counts);
			BOOST_TEST(run.killed_around(noon + c.at) == c.killed);
		}
	}
}

BOOST_AUTO_TEST_CASE(what_nobody_could_close_is_carried_on_for_as_long_again) {
	const auto same = [](const Hole &a, const Hole &b) { return a == b; };
	BOOST_TEST(same(carry({}, 1, 0), {}));
	BOOST_TEST(same(carry({}, 61, 60), {60, 60})); // the bucket after 60 that are lost
	BOOST_TEST(same(carry({60, 60}, 1, 0), {60, 59}));
	BOOST_TEST(same(carry({60, 60}, 40, 0), {60, 20})); // of silence
	BOOST_TEST(same(carry({60, 1}, 1, 0), {}));
	BOOST_TEST(same(carry({60, 20}, 11, 10), {70, 29}));

	BucketRow row;
	row.bucket.begin = noon;
	row.hole = {70, 29};
	BOOST_TEST(same(decode_row(encode(row, 7), noon).hole, {70, 29}));
}

// Of a run whose buckets all count alike: 10 forced resyncs and 100 sessions of the canary.
struct LateWorld {
	static constexpr auto i = static_cast<std::size_t>(Comparison::forced_resync);
	CountedMinutes counted;
	static BucketRow
	row(Time begin) {
		BucketRow row;
		row.counts = true;
		row.bucket.begin = begin;
		row.bucket.rates[i].raw.canary = 10;
		for (const auto each : {Comparison::forced_resync, Comparison::full_state}) // with the same exposure
			row.bucket.rates[static_cast<std::size_t>(each)].counts.n = 100;
		return row;
	}
	void
	add(Time from, Time until) {
		for (auto at = from; at < until; at += bucket_length)
			counted.add(row(at));
	}
	static KindCounts
	folded(std::int64_t bad, std::int64_t active) {
		KindCounts counts{};
		counts[static_cast<std::size_t>(Cohort::v11)][static_cast<std::size_t>(Kind::forced_resync)] = bad;
		counts[static_cast<std::size_t>(Cohort::v11)][static_cast<std::size_t>(Kind::session_active)] = active;
		return counts;
	}
	static std::int64_t
	bad_in(const CountedMinutes::Window &window) {
		return window.counted[static_cast<std::size_t>(Cohort::v11)][static_cast<std::size_t>(Kind::forced_resync)];
	}
	static std::int64_t
	active_in(const CountedMinutes::Window &window) {
		return window.counted[static_cast<std::size_t>(Cohort::v11)][static_cast<std::size_t>(Kind::session_active)];
	}
};

constexpr LateLook few{6h, 0.05, false}, much{10min, 0.2, true};
constexpr auto late_at = [](const LateByComparison &late, Comparison comparison) {
	return late[static_cast<std::size_t>(comparison)];
};

BOOST_AUTO_TEST_CASE(what_came_after_its_bucket_was_closed_is_found_by_what_the_fold_counts) {
	LateWorld world;
	world.add(noon, noon + 10min);
	const auto window = world.counted.window(noon + 10min); // eight minutes: 480 of 4800
	BOOST_TEST(window.minutes.size() == 8u);
	const auto found = [&](std::int64_t bad, std::int64_t active) {
		return find_late(window, LateWorld::folded(bad, active), few);
	};
	const auto resyncs = [&](std::int64_t bad, std::int64_t active) {
		return late_at(found(bad, active), Comparison::forced_resync);
	};
	BOOST_CHECK((found(480, 4800) == LateByComparison{}));
	BOOST_CHECK((found(505, 4800) == LateByComparison{})); // 25 are below 5 %
	BOOST_CHECK((found(505, 5052) == LateByComparison{})); // as 252 are
	BOOST_CHECK((found(200, 4800) == LateByComparison{})); // the fold stands behind
	// Three a minute, which no minute alone would show.
	BOOST_CHECK((resyncs(506, 4800) == Late{Kind::forced_resync, Cohort::v11, 26, 506, 8, {}, 12}));
	BOOST_CHECK((resyncs(506, 9600) == Late{Kind::session_active, Cohort::v11, 4800, 9600, 8, {}, 12}));
	// Only for those that rest on it.
	for (const auto &rule : comparison_rules()) {
		const auto of = rule.comparison;
		const bool active =
			of == Comparison::forced_resync || of == Comparison::full_state || of == Comparison::slow_recovery;
		BOOST_TEST_CONTEXT(rule.name) {
			BOOST_TEST((late_at(found(506, 4800), of).all > 0) == (of == Comparison::forced_resync));
			BOOST_TEST((late_at(found(480, 9600), of).all > 0) == active);
		}
	}
	// At `full` nothing rests on control.
	auto stragglers = window.counted;
	stragglers[static_cast<std::size_t>(Cohort::v10)][static_cast<std::size_t>(Kind::write_started)] += 1000;
	const auto late = find_late(window, stragglers, few);
	BOOST_TEST(late_at(late, Comparison::write_rejects).all == 1000);
	BOOST_TEST(late_at(late, Comparison::slow_receipts).all == 1000);
	BOOST_CHECK((find_late(window, stragglers, few, true) == LateByComparison{}));

	LateWorld short_one;
	short_one.add(noon, noon + 1min);
	const auto minute = short_one.counted.window(noon + 3min);
	BOOST_CHECK((find_late(minute, LateWorld::folded(79, 600), few) == LateByComparison{})); // a quarter, but a few
	BOOST_CHECK((late_at(find_late(minute, LateWorld::folded(80, 600), few), Comparison::forced_resync) ==
				 Late{Kind::forced_resync, Cohort::v11, 20, 80, 1, {}, 12}));
	BOOST_CHECK((find_late({}, LateWorld::folded(80, 600), few) == LateByComparison{}));

	LateByComparison told;
	told[3] = {Kind::full_state, Cohort::v10, 5, 6, 7, noon, 12};
	told[4] = {Kind::full_state, Cohort::v10, 5, 6, 7, noon, 11};
	BOOST_TEST(carry(told, 11)[3].left == 1);
	BOOST_CHECK((carry(told, 11)[4] == Late{}));
	BOOST_CHECK((carry(told, 12) == LateByComparison{}));
	BucketRow row;
	row.bucket.begin = noon;
	row.late[3] = {Kind::full_state, Cohort::v11, 300, 400, 71, {}, 12};
	row.late[1] = {Kind::write_rejected, Cohort::v10, 30, 40, 10, noon - 11min, 1};
	BOOST_CHECK((decode_row(encode(row, 7), noon).late == row.late));
	BOOST_TEST(!decode_row(encode(row, 7), noon).looked_until.has_value());
	for (const auto until : {noon - 7h, noon - 2min, noon + 1h}) { // also after the clock was set back
		row.looked_until = until;
		BOOST_CHECK((decode_row(encode(row, 7), noon).looked_until == until));
	}
	row.looked_until = noon + 24h * 366 * 10;
	BOOST_CHECK_THROW(decode_row(encode(row, 7), noon), CorruptBytes);
	row.looked_until.reset();
	row.late[1].worse_since = noon - 25h;
	BOOST_CHECK_THROW(decode_row(encode(row, 7), noon), CorruptBytes);
}

// What makes the canary look worse: bad events of control that are not there, and exposures of its own.
BOOST_AUTO_TEST_CASE(what_comes_late_can_make_the_canary_look_worse_or_better) {
	struct LateCase {
		Cohort cohort;
		Kind kind;
		bool looks_worse;
	};
	LateWorld world;
	world.add(noon, noon + 20min);
	const auto window = world.counted.window(noon + 20min, much.length);
	for (const auto &[cohort, kind, looks_worse] :
		 {LateCase{Cohort::v10, Kind::full_state, true}, LateCase{Cohort::v11, Kind::full_state, false},
		  LateCase{Cohort::v11, Kind::session_active, true}, LateCase{Cohort::v10, Kind::session_active, false}}) {
		auto folded = window.counted;
		folded[static_cast<std::size_t>(cohort)][static_cast<std::size_t>(kind)] += 10'000;
		const auto late = find_late(window, folded, much);
		BOOST_TEST(late_at(late, Comparison::full_state).late == 10'000);
		BOOST_TEST((late_at(late, Comparison::full_state).worse_since == noon + 7min) == looks_worse);
		BOOST_TEST((late_at(late, Comparison::full_state).worse_since.has_value()) == looks_worse);
		// A twentieth makes nothing look much worse; and durations are not compared by their bad events.
		BOOST_TEST(!late_at(find_late(window, folded, few), Comparison::full_state).worse_since.has_value());
		BOOST_TEST(!late_at(late, Comparison::slow_recovery).worse_since.has_value());
	}
}

// Six hours that went well must not hide that much comes late now.
BOOST_AUTO_TEST_CASE(the_last_minutes_are_looked_at_for_themselves) {
	LateWorld world;
	world.add(noon, noon + 7h);
	// So many more in the last minute, the ten up to it, the six hours.
	const auto look = [&](std::int64_t minute, std::int64_t minutes, std::int64_t hours) {
		LateByComparison found{};
		for (const auto &each : late_looks) {
			const auto window = world.counted.window(noon + 7h, each.length);
			const auto late = each.length < 2min ? minute : each.length < 1h ? minutes : hours;
			found = worse_of(
				found,
				find_late(window, LateWorld::folded(LateWorld::bad_in(window) + late, LateWorld::active_in(window)),
						  each));
		}
		return late_at(found, Comparison::forced_resync);
	};
	const auto recent = world.counted.window(noon + 7h, late_looks[1].length);
	BOOST_TEST(recent.minutes.size() == 10u);
	BOOST_CHECK((recent.minutes.front() == noon + 6h + 48min));
	BOOST_CHECK((recent.minutes.back() == noon + 6h + 57min));
	const auto resyncs = Kind::forced_resync;
	BOOST_CHECK((look(30, 150, 1136) == Late{})); // a third of 90, a fifth of 750, a twentieth of 22,736
	BOOST_CHECK((look(31, 150, 1136) == Late{resyncs, Cohort::v11, 31, 91, 1, {}, 12}));
	BOOST_CHECK((look(0, 151, 151) == Late{resyncs, Cohort::v11, 151, 751, 10, {}, 12}));
	BOOST_CHECK((look(0, 0, 1137) == Late{resyncs, Cohort::v11, 1137, 22'737, 360, {}, 12}));
	// Where all found something, the largest share.
	BOOST_CHECK((look(400, 2000, 2000) == Late{resyncs, Cohort::v11, 400, 460, 1, {}, 12}));
}

BOOST_AUTO_TEST_CASE(the_worse_of_two_has_the_earlier_time) {
	LateByComparison a, b;
	const auto both = [&] { return worse_of(a, b)[3]; };
	BOOST_CHECK(both() == Late{});
	a[3] = {Kind::full_state, Cohort::v10, 20, 100, 10, noon, 12};
	BOOST_CHECK(both() == a[3]);
	std::swap(a, b);
	BOOST_CHECK(both() == b[3]);
	a[3] = {Kind::full_state, Cohort::v10, 30, 100, 1, noon + 9min, 12};
	BOOST_CHECK((both() == Late{Kind::full_state, Cohort::v10, 30, 100, 1, noon, 12}));
	b[3].worse_since.reset();
	BOOST_CHECK(both() == a[3]);
	std::swap(a, b);
	BOOST_CHECK(both() == b[3]);
	b[3].late = 10;
	BOOST_CHECK((both() == Late{Kind::full_state, Cohort::v10, 20, 100, 10, noon + 9min, 12}));
}

BOOST_AUTO_TEST_CASE(late_events_are_looked_for_in_whole_minutes_of_the_last_6_h) {
	LateWorld world;
	world.add(noon + 50s, noon + 7h); // begins within a minute
	const auto window = world.counted.window(noon + 7h);
	BOOST_TEST(window.minutes.size() == 360u);
	BOOST_TEST((window.minutes.front() == noon + 58min));
	BOOST_TEST((window.minutes.back() == noon + 6h + 57min));
	BOOST_TEST(LateWorld::bad_in(window) == 360 * 60);
	BOOST_TEST(LateWorld::active_in(window) == 360 * 600);
	BOOST_TEST((world.counted.window(noon + 13h + 1min).minutes.size() == 1u));
	BOOST_TEST((world.counted.window(noon + 13h + 2min).minutes.empty()));

	// Who reads no more than is needed has the same.
	LateWorld other;
	other.add(CountedMinutes::needed_from(noon + 7h), noon + 7h);
	BOOST_TEST((other.counted.window(noon + 7h).minutes == window.minutes));

	// What nobody looked at meanwhile is made up for.
	const auto minutes_of = [&](Duration length, Time looked_until) {
		return world.counted.window(noon + 7h, length, looked_until).minutes.size();
	};
	BOOST_TEST(minutes_of(1min, noon + 6h + 57min) == 1u);
	BOOST_TEST(minutes_of(10min, noon + 6h + 57min) == 10u);
	BOOST_TEST(minutes_of(1min, noon + 6h + 30min) == 28u);
	BOOST_TEST(minutes_of(10min, noon + 6h + 30min) == 28u);
	BOOST_TEST((world.counted.window(noon + 7h, 1min, noon + 6h + 30min).minutes.front() == noon + 6h + 30min));
	BOOST_TEST(minutes_of(1min, noon) == 360u);
	BOOST_TEST(minutes_of(1min, noon + 8h) == 1u); // the clock was set back

	// A bucket that is missing, no evidence or too much costs its minute.
	for (int what = 0; what < 3; ++what) {
		LateWorld holed;
		holed.add(noon, noon + 90s);
		auto row = LateWorld::row(noon + 90s);
		row.counts = what != 1;
		row.too_many = what == 2;
		if (what > 0)
			holed.counted.add(row);
		holed.add(noon + 100s, noon + 3min);
		const auto rest = holed.counted.window(noon + 1h);
		BOOST_TEST((rest.minutes == std::vector<Time>{noon, noon + 2min}));
		BOOST_TEST(LateWorld::bad_in(rest) == 120);
	}
	LateWorld begun;
	begun.add(noon + 50s, noon + 3min);
	BOOST_TEST((begun.counted.window(noon + 1h).minutes == std::vector<Time>{noon + 1min, noon + 2min}));
}

BOOST_AUTO_TEST_CASE(counts_that_wait_for_another_bucket_are_not_late) {
	// The last bucket of the first minute has 3 bad ones without any exposure; the second minute counts them.
	constexpr auto i = LateWorld::i;
	LateWorld world;
	world.add(noon, noon + 50s);
	auto row = LateWorld::row(noon + 50s);
	row.bucket.rates[i].raw.canary = row.bucket.rates[i].counts.n = 0;
	row.postponed[i] = {1, {{3, 0, 0, 0}, {3, 0, 0}}};
	row.bucket.rates[static_cast<std::size_t>(Comparison::full_state)].counts.n = 0;
	world.counted.add(row);
	const auto first = world.counted.window(noon + 3min);
	BOOST_TEST(LateWorld::bad_in(first) == 53);
	BOOST_TEST(LateWorld::active_in(first) == 500);
	row = LateWorld::row(noon + 60s);
	row.bucket.rates[i].raw.canary = 13;
	world.counted.add(row);
	world.add(noon + 70s, noon + 2min);
	BOOST_TEST(LateWorld::bad_in(world.counted.window(noon + 4min)) == 53 + 60);
	// What waits for a stretch that is no evidence is dropped there.
	LateWorld killed;
	auto waiting = LateWorld::row(noon + 40s);
	waiting.counts = false;
	waiting.postponed[i] = {1, {{3, 0, 0, 0}, {3, 0, 0}}};
	killed.counted.add(waiting);
	killed.add(noon + 60s, noon + 2min);
	BOOST_TEST(LateWorld::bad_in(killed.counted.window(noon + 4min)) == 60);
}

BOOST_AUTO_TEST_CASE(a_bucket_is_closed_25_s_after_its_begin_or_when_reports_have_had_their_grace) {
	BOOST_TEST((closed_after(2s) == 25s));
	BOOST_TEST((closed_after(5s) == 25s));
	BOOST_TEST((closed_after(5s + 1us) == 26s));
	BOOST_TEST((closed_after(10min) == 10min + 20s));
	BOOST_TEST((bucket_of(noon + 19s) == noon + 10s));
	BOOST_TEST((bucket_of(noon + 20s) == noon + 20s));
	BOOST_TEST((bucket_of(Time(-1s)) == Time(-10s)));
}

// ---- Units ----------------------------------------------------------------------------------------------------------

Uuid
numbered(std::uint64_t n) {
	Uuid id{};
	for (int i = 0; i < 8; ++i)
		id[static_cast<size_t>(15 - i)] = static_cast<std::uint8_t>(n >> 8 * i);
	return id;
}

// Hashes are stored, so they may never change.  Worked out apart from this code.
BOOST_AUTO_TEST_CASE(hashes_are_stable_and_differ_by_salt) {
	Uuid id{};
	for (size_t i = 0; i < id.size(); ++i)
		id[i] = static_cast<std::uint8_t>(17 * i);
	BOOST_TEST(unit_hash(id, 0) == 0x4CF943C1C09DAAF0u);
	BOOST_TEST(unit_hash(id, 1) == 0x8587F125D0179BFBu);
	BOOST_TEST(int{analysis::slice_of(id)} == 5);
}

BOOST_AUTO_TEST_CASE(slices_are_even_also_for_ids_that_count_upwards) {
	std::array<int, analysis::slice_count> seen{};
	constexpr int ids = 64'000;
	for (int i = 0; i < ids; ++i)
		++seen[analysis::slice_of(numbered(static_cast<std::uint64_t>(i)))];
	double x2 = 0;
	for (const int each : seen)
		x2 += (each - 1000.0) * (each - 1000.0) / 1000;
	BOOST_TEST(x2 < 103.4); // chi-square with 63 degrees of freedom, 1/1000
}

BOOST_AUTO_TEST_CASE(a_set_knows_what_was_put_in) {
	HashSet set;
	BOOST_TEST(!set.contains(1));
	for (std::uint64_t i = 1; i <= 10'000; ++i)
		BOOST_TEST(set.insert(i * 64)); // which all fall on the same places at first
	for (std::uint64_t i = 1; i <= 10'000; ++i)
		BOOST_TEST(!set.insert(i * 64));
	BOOST_TEST(set.size() == 10'000u);
	BOOST_TEST(!set.contains(63));
	BOOST_TEST(set.bytes() <= 10'000 * 32u);
}

BOOST_AUTO_TEST_CASE(a_unit_counts_once_a_comparison_until_there_is_no_room) {
	UnitMemory memory;
	memory.open(noon);
	using enum UnitMemory::Seen;
	const auto a = Comparison::write_rejects, b = Comparison::throttled;
	BOOST_TEST((memory.bad_unit(a, 1, 2) == first));
	BOOST_TEST((memory.bad_unit(a, 1, 2) == again));
	BOOST_TEST((memory.bad_unit(b, 1, 2) == first));
	BOOST_TEST((memory.bad_unit(a, 2, 2) == first));
	BOOST_TEST((memory.bad_unit(a, 3, 2) == no_room));
	BOOST_TEST((memory.bad_unit(a, 2, 2) == again));
	BOOST_TEST(memory.count(a) == 2u);
	// Whoever reads what was stored knows the same.
	UnitMemory other;
	other.add(noon, decode_units(encode(memory.added())));
	other.open(noon + 10s);
	BOOST_TEST((other.bad_unit(a, 1, 2) == again));
	BOOST_TEST((other.bad_unit(a, 3, 2) == no_room));
	BOOST_TEST((other.bad_unit(b, 2, 2) == first));
}

BOOST_AUTO_TEST_CASE(actors_are_counted_up_to_a_bound) {
	UnitMemory memory;
	memory.open(noon);
	std::size_t first = 0;
	for (std::uint64_t i = 1; i <= most_actors + 100; ++i)
		first += memory.first_seen(i) ? 1 : 0;
	BOOST_TEST(first == most_actors);
	BOOST_TEST(!memory.first_seen(1));
}

BOOST_AUTO_TEST_CASE(recent_units_are_those_of_300_s) {
	UnitMemory memory;
	for (int bucket = 0; bucket < 31; ++bucket) {
		memory.open(noon + bucket * bucket_length);
		memory.recent_unit(Comparison::full_state, Cohort::v11, static_cast<std::uint64_t>(bucket) + 1);
		BOOST_TEST(memory.recent_units(Comparison::full_state) == std::min(bucket + 1, 30));
	}
	BOOST_TEST(memory.recent_units(Comparison::throttled) == 0);
	for (std::uint64_t i = 100; i < 300; ++i)
		memory.recent_unit(Comparison::throttled, Cohort::v11, i);
	BOOST_TEST(memory.recent_units(Comparison::throttled) == most_recent_units);
}

// Who was counted within the same 300 s is no repetition, however often it comes.
BOOST_AUTO_TEST_CASE(repeats_are_those_counted_before_the_300_s) {
	UnitMemory memory;
	const auto a = Comparison::write_rejects;
	std::vector<NewUnits> stored;
	const auto bucket = [&](int number, std::initializer_list<std::uint64_t> canary,
							std::initializer_list<std::uint64_t> control) {
		memory.open(noon + number * bucket_length);
		for (const auto hash : canary) {
			memory.recent_unit(a, Cohort::v11, hash);
			memory.bad_unit(a, hash, 100);
		}
		for (const auto hash : control) {
			memory.recent_unit(a, Cohort::v10, hash);
			memory.bad_unit(a, hash, 100);
		}
		stored.push_back(decode_units(encode(memory.added())));
		return memory.repeats(a);
	};
	BOOST_CHECK((bucket(0, {1, 2}, {11}) == Repeats{2, 0, 1, 0}));
	BOOST_CHECK((bucket(10, {1, 3, 3}, {11, 12, 13}) == Repeats{3, 0, 3, 0}));
	BOOST_CHECK((bucket(29, {}, {11}) == Repeats{3, 0, 3, 0}));
	// The first bucket has left: 1 and 11 are there again, 2 is not, the others were counted since.
	BOOST_CHECK((bucket(30, {3, 4}, {}) == Repeats{3, 1, 3, 1}));
	BOOST_CHECK((bucket(100, {4, 5}, {}) == Repeats{2, 1, 0, 0}));
	BOOST_CHECK((memory.repeats(Comparison::throttled) == Repeats{}));
	// Whoever reads what was stored knows the same.
	UnitMemory other;
	const int numbers[] = {0, 10, 29, 30};
	for (size_t i = 0; i < 4; ++i)
		other.add(noon + numbers[i] * bucket_length, stored[i]);
	BOOST_CHECK((other.repeats(a) == Repeats{3, 1, 3, 1}));
}

BOOST_AUTO_TEST_CASE(damaged_units_are_refused) {
	NewUnits units;
	units.bad[1] = {1, 2, ~std::uint64_t{0}};
	units.recent[2] = {5};
	units.recent_control[3] = {6};
	units.actors = {7, 8};
	const auto bytes = encode(units);
	BOOST_TEST(encode(decode_units(bytes)) == bytes);
	for (std::size_t size = 0; size < bytes.size(); ++size)
		BOOST_CHECK_THROW(decode_units(std::string_view(bytes).substr(0, size)), CorruptBytes);
	BOOST_CHECK_THROW(decode_units(bytes + "x"), CorruptBytes);
	BOOST_CHECK_THROW(decode_units(std::string("\1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 10)), CorruptBytes);
	attack(bytes, decode_units, [](const NewUnits &each) { return encode(each); });
	BOOST_TEST(NewUnits().empty());
	BOOST_TEST(!units.empty());
}

// ---- Collecting -----------------------------------------------------------------------------------------------------

RawEvent
event(Kind kind, Cohort cohort, Duration after, std::uint64_t actor, std::uint64_t subject = 0, double value = -1) {
	RawEvent one;
	one.at = noon + after;
	one.kind = kind;
	one.cohort = cohort;
	one.has_actor = actor != 0;
	one.actor = numbered(actor);
	one.has_subject = subject != 0;
	one.subject = numbered(subject);
	one.has_value = value >= 0;
	one.value = value >= 0 ? value : 0;
	return one;
}

constexpr auto v10 = Cohort::v10, v11 = Cohort::v11;

Finish
evidence() {
	Finish finish;
	finish.counts = true;
	finish.percent = 10;
	finish.max_units = 1000;
	return finish;
}

const RateBucket &
rates(const BucketRow &row, Comparison comparison) {
	return row.bucket.rates[static_cast<size_t>(comparison)];
}

BOOST_AUTO_TEST_CASE(bad_units_count_once_and_raw_events_always) {
	Collector collector(noon, 2);
	UnitMemory units;
	for (int i = 0; i < 20; ++i)
		collector.add(event(Kind::write_started, i < 10 ? v11 : v10, 100ms * i, 50 + static_cast<std::uint64_t>(i)));
	for (const auto after : {1s, 2s, 11s})
		collector.add(event(Kind::write_rejected, v11, after, 1));
	collector.add(event(Kind::write_rejected, v11, 3s, 2));
	collector.add(event(Kind::write_rejected, v10, 3s, 1)); // the same id in control is another unit
	collector.add(event(Kind::write_rejected, v10, 4s, 0)); // each that cannot be told apart counts
	collector.add(event(Kind::write_rejected, v10, 4s, 0));
	collector.add(event(Kind::write_rejected, v10, 20s, 9)); // of no bucket
	collector.add(event(Kind::write_rejected, v10, -1us, 9));
	collector.add(event(Kind::write_started, v11, 12s, 60));
	collector.pair();
	const auto row = collector.finish(0, evidence(), units);
	const auto &first = rates(row, Comparison::write_rejects);
	BOOST_TEST(first.counts == (Counts{2, 10, 3, 10}));
	BOOST_TEST(first.raw.canary == 3);
	BOOST_TEST(first.raw.control == 3);
	BOOST_TEST(first.raw.canary_units == 2);
	auto finish = evidence();
	finish.postponed = &row.postponed;
	const auto later = collector.finish(1, finish, units);
	const auto &second = rates(later, Comparison::write_rejects);
	BOOST_TEST(second.counts == (Counts{0, 1, 0, 0}));
	BOOST_TEST(second.raw.canary == 1);
	BOOST_TEST(second.raw.canary_units == 2);
	BOOST_CHECK((second.repeats == Repeats{2, 0, 1, 0}));
}

// By the stream, where it is told; a forced resync is its user's.
BOOST_AUTO_TEST_CASE(refused_resyncs_go_by_their_stream) {
	Collector collector(noon, 1);
	UnitMemory units;
	for (const auto kind : {Kind::resync_request, Kind::session_active})
		collector.add(event(kind, v10, 1s, 9));
	for (std::uint64_t i = 1; i <= 4; ++i) {
		collector.add(event(Kind::resync_request, v11, 1s, i, 100));
		collector.add(event(Kind::session_active, v11, 1s, i));
		collector.add(event(Kind::resync_throttled, v11, 1s, i, 100));
		collector.add(event(Kind::resync_range_unavailable, v11, 1s, i));
		collector.add(event(Kind::forced_resync, v11, 1s, i, 100));
		collector.add(event(Kind::full_state, v11, 1s, 0, 100));
	}
	collector.pair();
	const auto row = collector.finish(0, evidence(), units);
	BOOST_TEST(rates(row, Comparison::throttled).counts.x == 1);
	BOOST_TEST(rates(row, Comparison::range_unavailable).counts.x == 4);
	BOOST_TEST(rates(row, Comparison::forced_resync).counts.x == 4);
	BOOST_TEST(rates(row, Comparison::full_state).counts.x == 1);
}

BOOST_AUTO_TEST_CASE(receipts_are_paired_by_key_in_any_order) {
	Collector collector(noon, 1);
	UnitMemory units;
	// answered by value; by the times; in time though the receipt lies in the next bucket; too late; never
	collector.add(event(Kind::write_receipt, v11, 2s, 0, 1, 480));
	collector.add(event(Kind::write_ack, v11, 1s, 5, 1));
	collector.add(event(Kind::write_ack, v11, 1s, 5, 2));
	collector.add(event(Kind::write_receipt, v11, 1s + 250ms, 0, 2));
	collector.add(event(Kind::write_ack, v10, 9s, 5, 3));
	collector.add(event(Kind::write_receipt, v10, 19s, 0, 3, 9900));
	collector.add(event(Kind::write_ack, v10, 9s, 5, 4));
	collector.add(event(Kind::write_receipt, v10, 19s + 1us, 0, 4, 100));
	collector.add(event(Kind::write_ack, v10, 9s, 5, 5));
	// acknowledged before, and again in this bucket: not of this one; a receipt without an ACK: of none
	collector.add(event(Kind::write_ack, v10, 3s, 5, 6));
	collector.add(event(Kind::write_ack, v10, -20s, 5, 6));
	collector.add(event(Kind::write_receipt, v10, 3s, 0, 7, 100));
	// twice in this bucket: once
	collector.add(event(Kind::write_ack, v11, 4s, 5, 2));
	collector.pair();
	const auto row = collector.finish(0, evidence(), units);
	const auto &durations = row.bucket.latencies[0];
	Histogram canary, control;
	canary.add(480);
	canary.add(250);
	control.add(9900);
	control.add_bin(Histogram::bin_count - 1, 2);
	BOOST_TEST((durations.canary == canary));
	BOOST_TEST((durations.control == control));
	BOOST_TEST(durations.slices.empty());
}

BOOST_AUTO_TEST_CASE(slices_are_control_alone_and_add_up) {
	Collector collector(noon, 1);
	UnitMemory units;
	for (std::uint64_t i = 1; i <= 500; ++i)
		collector.add(event(Kind::recovery_done, i % 5 ? v10 : v11, 1s, i, 0, i % 10 == 1 ? 300 : 100));
	collector.add(event(Kind::recovery_done, v10, 1s, 77)); // without a value it has no duration
	collector.pair();
	auto finish = evidence();
	finish.tau[static_cast<size_t>(Comparison::slow_recovery)] = 100;
	const auto row = collector.finish(0, finish, units);
	const auto &durations = row.bucket.latencies[static_cast<size_t>(Comparison::slow_recovery)];
	BOOST_TEST(durations.canary.count() == 100);
	BOOST_TEST(durations.control.count() == 400);
	double n = 0, k = 0;
	BOOST_REQUIRE(durations.slices.size() == analysis::slice_count);
	for (const auto &slice : durations.slices) {
		n += slice.n;
		k += slice.k;
	}
	BOOST_TEST(n == 400);
	BOOST_TEST(k == 50);
	BOOST_TEST(durations.slices_tau == 100);
}

BOOST_AUTO_TEST_CASE(first_seen_actors_and_those_in_the_wrong_cohort) {
	Collector collector(noon, 2);
	UnitMemory units;
	std::size_t in = 0;
	for (std::uint64_t i = 1; i <= 1000; ++i) {
		const auto text = to_text(numbered(i));
		const bool belongs = in_cohort(Bucketing::flagd_v2, 10, {text.data(), text.size()});
		in += belongs ? 1 : 0;
		// every fifth is told of in the other cohort; each of them twice, and again in the next bucket
		const auto cohort = belongs != (i % 5 == 0) ? v11 : v10;
		collector.add(event(Kind::session_active, cohort, 1s, i));
		collector.add(event(Kind::write_started, cohort, 2s, i));
		collector.add(event(Kind::write_started, cohort, 12s, i));
	}
	collector.add(event(Kind::resync_request, v11, 1s, 5000)); // which asks because of what differs
	collector.add(event(Kind::session_active, v11, 1s, 0));
	collector.pair();
	BOOST_TEST(in > 60u);
	const auto row = collector.finish(0, evidence(), units);
	BOOST_TEST(row.bucket.first_seen[0] + row.bucket.first_seen[1] == 1000);
	BOOST_TEST(row.bucket.active[0] + row.bucket.active[1] == 1000);
	BOOST_TEST(row.bucket.misplaced[0] + row.bucket.misplaced[1] == 200);
	BOOST_TEST(row.bucket.misplaced[static_cast<size_t>(v11)] > 100);
	// Nobody is new in the next bucket; who is there in which cohort is counted again.
	const auto later = collector.finish(1, evidence(), units);
	BOOST_TEST(later.bucket.first_seen[0] + later.bucket.first_seen[1] == 0);
	BOOST_TEST((later.bucket.active == row.bucket.active));
	BOOST_TEST((later.bucket.misplaced == row.bucket.misplaced));
}

BOOST_AUTO_TEST_CASE(of_very_many_actors_a_part_is_compared_with_the_hash) {
	Collector collector(noon, 1);
	UnitMemory units;
	for (std::uint64_t i = 1; i <= 3000; ++i)
		collector.add(event(Kind::write_started, i % 2 ? v10 : v11, 1s, i));
	collector.pair();
	const auto row = collector.finish(0, evidence(), units);
	BOOST_TEST(row.bucket.first_seen[0] == 1500);
	BOOST_TEST(row.bucket.active[0] == static_cast<double>(most_placed));
	BOOST_TEST(row.bucket.active[1] == static_cast<double>(most_placed));
}

BOOST_AUTO_TEST_CASE(outside_of_the_evidence_nobody_is_remembered) {
	Collector collector(noon, 1);
	UnitMemory units;
	collector.add(event(Kind::write_started, v11, 1s, 1));
	collector.add(event(Kind::write_started, v10, 1s, 2));
	collector.add(event(Kind::write_rejected, v11, 1s, 1));
	collector.add(event(Kind::write_ack, v11, 1s, 1, 1));
	collector.pair();
	Finish finish;
	finish.canary_too = false;
	finish.max_units = 1000;
	const auto row = collector.finish(0, finish, units);
	BOOST_TEST(rates(row, Comparison::write_rejects).counts == (Counts{0, 0, 0, 1}));
	BOOST_TEST(rates(row, Comparison::write_rejects).raw.canary == 0);
	BOOST_TEST(row.bucket.latencies[0].canary.count() == 0);
	BOOST_TEST(units.added().empty());
	BOOST_TEST(row.bucket.first_seen[1] == 0);
	BOOST_TEST(row.bucket.active[1] == 0);
}

// What the test passes over must not use up the units of the cohort that is there: it would be without them when the
// other one is back.
BOOST_AUTO_TEST_CASE(units_are_not_used_up_while_one_cohort_alone_is_told) {
	const auto count = [](std::vector<std::vector<Cohort>> buckets, unsigned percent, std::size_t passed_over = 9) {
		Collector collector(noon, buckets.size());
		for (std::size_t i = 0; i < buckets.size(); ++i)
			for (const auto cohort : buckets[i])
				for (std::uint64_t actor = 1; actor <= 4; ++actor) {
					const auto after = static_cast<std::int64_t>(i) * bucket_length + 1s;
					collector.add(event(Kind::write_started, cohort, after, actor));
					if (actor == 1)
						collector.add(event(Kind::write_rejected, cohort, after, actor));
				}
		collector.pair();
		UnitMemory units;
		auto finish = evidence();
		finish.percent = percent;
		std::vector<Counts> result;
		for (std::size_t i = 0; i < buckets.size(); ++i) {
			finish.passed_over.fill(i == passed_over);
			const auto row = collector.finish(i, finish, units);
			result.push_back(rates(row, Comparison::write_rejects).counts);
			BOOST_TEST(rates(row, Comparison::write_rejects).raw.control +
						   rates(row, Comparison::write_rejects).raw.canary ==
					   static_cast<double>(buckets[i].size()));
		}
		return result;
	};
	const Counts none{0, 4, 0, 4}, first{1, 4, 1, 4};
	BOOST_TEST(count({{v11, v10}, {v11, v10}}, 10) == (std::vector{first, none}), boost::test_tools::per_element());
	BOOST_TEST(count({{v10}, {v10}, {v11, v10}}, 10) == (std::vector{Counts{0, 0, 0, 4}, Counts{0, 0, 0, 4}, first}),
			   boost::test_tools::per_element());
	BOOST_TEST(count({{v11}, {v11, v10}}, 50) == (std::vector{Counts{0, 4, 0, 0}, first}),
			   boost::test_tools::per_element());
	// Nor while many events come late.
	BOOST_TEST(count({{v11, v10}, {v11, v10}}, 10, 0) == (std::vector{none, first}), boost::test_tools::per_element());
	// At `full` there is no control to wait for.
	BOOST_TEST(count({{v11}, {v11}}, 100) == (std::vector{Counts{1, 4, 0, 0}, Counts{0, 4, 0, 0}}),
			   boost::test_tools::per_element());
}

// Who was counted before makes no bucket wait for the canary's exposures.
BOOST_AUTO_TEST_CASE(a_unit_that_does_not_count_uses_up_none_of_control) {
	Collector collector(noon, 3);
	const auto add = [&](Duration after, Cohort cohort, std::uint64_t bad, bool exposed) {
		if (exposed)
			for (std::uint64_t actor = 1; actor <= 4; ++actor)
				collector.add(event(Kind::session_active, cohort, after, actor));
		collector.add(event(Kind::forced_resync, cohort, after, bad));
	};
	add(1s, v11, 1, true);
	add(1s, v10, 1, true);
	add(11s, v11, 1, false);
	add(11s, v10, 2, true);
	add(21s, v11, 1, true);
	add(21s, v10, 2, true);
	collector.pair();
	UnitMemory units;
	const auto finish = evidence();
	const Counts expected[] = {{1, 4, 1, 4}, {0, 0, 0, 4}, {0, 4, 1, 4}};
	for (std::size_t i = 0; i < std::size(expected); ++i)
		BOOST_TEST(rates(collector.finish(i, finish, units), Comparison::forced_resync).counts == expected[i]);
}

// What waits is not for a bucket that is passed over, and not lost with it.
BOOST_AUTO_TEST_CASE(what_waits_outlasts_a_bucket_that_is_passed_over) {
	Collector collector(noon, 3);
	for (const auto after : {1s, 11s, 21s})
		collector.add(event(Kind::session_active, v10, after, 1));
	collector.add(event(Kind::forced_resync, v11, 1s, 2));
	for (const auto after : {11s, 21s})
		collector.add(event(Kind::session_active, v11, after, 2));
	collector.pair();
	UnitMemory units;
	auto finish = evidence();
	const auto first = collector.finish(0, finish, units);
	BOOST_TEST(first.postponed[static_cast<std::size_t>(Comparison::forced_resync)].buckets == 1);
	finish.postponed = &first.postponed;
	finish.passed_over.fill(true);
	const auto second = collector.finish(1, finish, units);
	BOOST_TEST(rates(second, Comparison::forced_resync).counts == (Counts{0, 1, 0, 1}));
	BOOST_TEST(second.postponed[static_cast<std::size_t>(Comparison::forced_resync)].buckets == 1);
	// For spikes it is not too late.
	BOOST_TEST(rates(first, Comparison::forced_resync).raw.canary == 0);
	BOOST_TEST(rates(second, Comparison::forced_resync).raw.canary == 1);
	BOOST_TEST(second.postponed[static_cast<std::size_t>(Comparison::forced_resync)].sums.raw.canary == 0);
	finish.postponed = &second.postponed;
	finish.passed_over.fill(false);
	BOOST_TEST(rates(collector.finish(2, finish, units), Comparison::forced_resync).counts == (Counts{1, 1, 0, 2}));
}

// A bad event that comes before its exposure is not lost, nor what control had meanwhile.
BOOST_AUTO_TEST_CASE(a_bad_event_that_waits_keeps_what_control_had) {
	Collector collector(noon, 2);
	for (const auto after : {1s, 11s})
		for (std::uint64_t actor = 1; actor <= 4; ++actor)
			collector.add(event(Kind::session_active, v10, after, actor));
	collector.add(event(Kind::forced_resync, v10, 1s, 1));
	collector.add(event(Kind::forced_resync, v11, 1s, 2));
	collector.add(event(Kind::session_active, v11, 11s, 2));
	collector.pair();
	UnitMemory units;
	auto finish = evidence();
	const auto row = collector.finish(0, finish, units);
	BOOST_TEST(rates(row, Comparison::forced_resync).counts == (Counts{}));
	finish.postponed = &row.postponed;
	BOOST_TEST(rates(collector.finish(1, finish, units), Comparison::forced_resync).counts == (Counts{1, 1, 1, 8}));
}

BOOST_AUTO_TEST_CASE(without_room_a_comparison_has_no_evidence_and_says_so_for_good) {
	Collector collector(noon, 2);
	UnitMemory units;
	for (const auto kind : {Kind::write_started, Kind::session_active})
		collector.add(event(kind, v10, 1s, 9));
	for (std::uint64_t i = 1; i <= 5; ++i) {
		collector.add(event(Kind::write_started, v11, 1s, i));
		collector.add(event(Kind::write_rejected, v11, 1s, i));
		collector.add(event(Kind::session_active, v11, 1s, i));
		collector.add(event(Kind::forced_resync, v11, 1s, 1));
	}
	collector.pair();
	auto finish = evidence();
	finish.max_units = 4;
	const auto row = collector.finish(0, finish, units);
	BOOST_TEST(int{row.no_room} == 1 << static_cast<int>(Comparison::write_rejects));
	BOOST_TEST(rates(row, Comparison::write_rejects).counts == (Counts{0, 5, 0, 1}));
	BOOST_TEST(rates(row, Comparison::write_rejects).raw.canary == 5);
	BOOST_TEST(rates(row, Comparison::forced_resync).counts.x == 1);
	finish.no_room = row.no_room;
	BOOST_TEST(int{collector.finish(1, finish, units).no_room} == int{row.no_room});
}

BOOST_AUTO_TEST_CASE(silence_is_30_s_without_any_event) {
	Collector collector(noon, 6);
	collector.add(event(Kind::read_cursor, v10, -25s, 0));
	collector.add(event(Kind::read_cursor, v10, 25s, 0));
	const bool silent[] = {true, true, false, false, false, true};
	for (size_t i = 0; i < std::size(silent); ++i)
		BOOST_TEST_CONTEXT(i) {
			BOOST_TEST(collector.is_silent(i) == silent[i]);
		}
	// Also once they are finished.
	UnitMemory units;
	for (size_t i = 0; i < std::size(silent); ++i) {
		(void)collector.finish(i, Finish{}, units);
		BOOST_TEST_CONTEXT(i) {
			BOOST_TEST(collector.is_silent(std::size(silent) - 1));
		}
	}
	BOOST_TEST(!collector.is_silent(4));
}

BOOST_AUTO_TEST_CASE(too_many_events_are_noticed) {
	Collector collector(noon, 1, 4000);
	std::uint64_t i = 0;
	for (; i < 1000 && !collector.over_budget(); ++i)
		collector.add(event(Kind::write_ack, v10, 1s, i + 1, i + 1));
	BOOST_TEST(collector.over_budget());
	BOOST_TEST(i > 30u);
	BOOST_TEST(i < 100u);
}

// ---- Counts that wait -----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bad_events_wait_for_their_exposure) {
	Postponed before, after;
	RateBucket first{{1, 0, 0, 50}, {1, 4, 1}, {1, 2, 3, 4}};
	postpone(before, first, after);
	BOOST_TEST(first.counts == (Counts{}));
	BOOST_TEST(first.raw.canary_units == 1);
	BOOST_CHECK((first.repeats == Repeats{1, 2, 3, 4}));
	BOOST_CHECK((after.sums.repeats == Repeats{}));
	BOOST_TEST(after.buckets == 1);
	before = after;
	RateBucket second{{0, 2, 1, 60}, {0, 1, 1}};
	postpone(before, second, after);
	BOOST_TEST(second.counts == (Counts{1, 2, 1, 110}));
	BOOST_TEST(second.raw.canary == 1);
	BOOST_TEST(second.raw.control == 5);
	BOOST_TEST(after.buckets == 0);
}

BOOST_AUTO_TEST_CASE(what_has_no_exposure_for_a_minute_is_told_as_it_is) {
	Postponed waits;
	for (int i = 1; i <= 12; ++i) {
		RateBucket bucket{{1, 0, 0, 10}, {}};
		Postponed after;
		postpone(waits, bucket, after);
		waits = after;
		BOOST_TEST_CONTEXT(i) {
			BOOST_TEST(bucket.counts.valid() == (i % most_postponed != 0));
			BOOST_TEST(bucket.counts.x == (i % most_postponed ? 0 : most_postponed));
		}
	}
}

// ---- Stored form ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_row_is_what_it_was) {
	BucketRow row;
	row.bucket.begin = noon;
	row.counts = true;
	row.no_room = 5;
	row.bucket.rates[1] = {{1, 2, 3, 1e13}, {4, 5, 6}, {7, 8, 9, 10}};
	row.bucket.latencies[0].canary.add(120, 7);
	row.bucket.latencies[0].slices.resize(analysis::slice_count);
	row.bucket.latencies[0].slices[63] = {9, 2};
	row.bucket.latencies[0].slices_tau = 460.5;
	row.bucket.first_seen = {8, 9};
	row.bucket.active = {30, 40};
	row.bucket.misplaced = {3, 4};
	row.postponed[2] = {2, {{1, 0, 2, 3}, {4, 5, 0}}};
	row.has_baselines = true;
	row.baselines[6] = Baseline{0.05, 460, 1.3};
	const auto bytes = encode(row, 42);
	auto read = decode_row(bytes, noon);
	BOOST_TEST(read.chain == row.chain);
	BOOST_TEST(read.counts);
	BOOST_TEST(int{read.no_room} == 5);
	BOOST_TEST(read.bucket.rates[1].counts == row.bucket.rates[1].counts);
	BOOST_TEST(read.bucket.rates[1].raw.canary_units == 6);
	BOOST_CHECK((read.bucket.rates[1].repeats == row.bucket.rates[1].repeats));
	BOOST_TEST((read.bucket.latencies[0].canary == row.bucket.latencies[0].canary));
	BOOST_TEST((read.bucket.latencies[0].slices == row.bucket.latencies[0].slices));
	BOOST_TEST(read.bucket.latencies[0].slices_tau == 460.5);
	BOOST_TEST(read.bucket.latencies[6].slices.empty());
	BOOST_TEST(read.bucket.first_seen[1] == 9);
	BOOST_TEST((read.bucket.active == row.bucket.active));
	BOOST_TEST((read.bucket.misplaced == row.bucket.misplaced));
	BOOST_TEST(read.postponed[2].buckets == 2);
	BOOST_TEST(read.postponed[2].sums.raw.control == 5);
	BOOST_TEST(read.baselines[6]->phi == 1.3);
	BOOST_TEST(!read.baselines[0]);
	BOOST_TEST(encode(read, 42) == bytes);
	// The same content after another history is another row.
	BOOST_TEST(encode(read, 43) != bytes);
	for (std::size_t size = 0; size < bytes.size(); ++size)
		BOOST_CHECK_THROW(decode_row(std::string_view(bytes).substr(0, size), noon), CorruptBytes);
	BOOST_CHECK_THROW(decode_row(bytes + "x", noon), CorruptBytes);
	attack(
		bytes, [](std::string_view damaged) { return decode_row(damaged, noon); },
		[](BucketRow &each) { return encode(each, 0); });
	BucketRow full;
	full.too_many = true;
	BOOST_TEST(decode_row(encode(full, 0), noon).too_many);
	BOOST_TEST(encode(full, 0).size() == 11u);
}

// ---- Notes ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(notes_say_where_to_begin) {
	PageNotes notes;
	BOOST_TEST(notes.at(noon) == nullptr);
	for (int i = 0; i < 10; ++i)
		notes.add({noon + i * 10s, {{1, static_cast<std::uint32_t>(i)}}}, noon + i * 10s - 30s);
	BOOST_TEST(notes.at(noon + 59s) == nullptr); // forgotten, since nobody needs it any more
	BOOST_TEST(notes.at(noon + 69s)->leaves[0].length == 6u);
	BOOST_TEST(notes.at(noon + 1h)->leaves[0].length == 9u);
	BOOST_TEST(notes.all().size() == 4u);
	BOOST_TEST((PageNotes::decode(notes.encode()).all() == notes.all()));
	const auto bytes = notes.encode();
	for (std::size_t size = 0; size < bytes.size(); ++size)
		BOOST_CHECK_THROW(PageNotes::decode(std::string_view(bytes).substr(0, size)), CorruptBytes);
	attack(bytes, PageNotes::decode, [](const PageNotes &each) { return each.encode(); });
	// A clock that was set back: what it noted before is not of that time.
	notes.add({noon + 75s, {{1, 50}}}, noon);
	BOOST_TEST(notes.at(noon + 1h)->leaves[0].length == 50u);
	BOOST_TEST(notes.at(noon + 85s)->leaves[0].length == 50u);
	BOOST_TEST(notes.at(noon + 74s)->leaves[0].length == 7u);
	for (int i = 0; i < 1000; ++i)
		notes.add({noon + 80s + i * 1s, {{1, 60}}}, noon);
	BOOST_TEST(notes.all().size() <= most_notes);
	BOOST_TEST(notes.at(noon + 1h)->leaves[0].length == 60u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
