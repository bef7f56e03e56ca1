// The decision log: its canonical form, and what a walk along the chain finds.

#include "core/history.hpp"

#include "fixture.hpp"

#include <functional>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(canonical)

// Lengths counted by hand; docs and clients in other languages rest on these very bytes.
BOOST_AUTO_TEST_CASE(the_form_of_a_full_row) {
	HistoryRow row;
	row.id = 12;
	row.changed_at = noon + 1us;
	row.transition = "promote";
	row.from_stage = "canary_1";
	row.to_stage = "canary_10";
	row.from_kill_switch = false;
	row.to_kill_switch = false;
	row.decision = "PROCEED";
	row.approved_by = "d\u00e9v"; // 4 bytes of UTF-8, 3 characters
	row.changed_by = "oncall";
	row.note = "10:ok\n-\n"; // looks like fields and is none
	row.version = 13;
	row.overridden = true;
	row.mock_clock = false;
	row.gates = "{\"p0_ok\": true}";
	row.prev_hash.fill(0xab);
	row.hash.fill(0xff); // not part of it
	const std::string expected = "2:12\n"
								 "27:2026-03-01T12:00:00.000001Z\n"
								 "7:promote\n"
								 "8:canary_1\n"
								 "9:canary_10\n"
								 "5:false\n"
								 "5:false\n"
								 "7:PROCEED\n"
								 "4:d\u00e9v\n"
								 "6:oncall\n"
								 "8:10:ok\n-\n\n"
								 "2:13\n"
								 "4:true\n"
								 "5:false\n"
								 "15:{\"p0_ok\": true}\n"
								 "-\n"
								 "64:abababababababababababababababababababababababababababababababab\n";
	BOOST_TEST(canonical_form(row) == expected);
}

BOOST_AUTO_TEST_CASE(the_form_of_a_row_of_nulls) {
	HistoryRow row;
	row.id = 1;
	row.changed_at = Time{};
	row.transition = "config";
	row.from_stage = row.to_stage = "canary_1";
	row.change = "{}";
	const std::string expected =
		"1:1\n27:1970-01-01T00:00:00.000000Z\n6:config\n8:canary_1\n8:canary_1\n4:true\n4:true\n"
		"-\n0:\n0:\n-\n1:0\n5:false\n5:false\n-\n2:{}\n"
		"64:0000000000000000000000000000000000000000000000000000000000000000\n";
	BOOST_TEST(canonical_form(row) == expected);
}

// If two rows could share one form, one could be put in the other's place unseen.
BOOST_AUTO_TEST_CASE(every_column_but_the_hash_changes_it) {
	HistoryRow base;
	base.transition = "hold";
	base.from_stage = base.to_stage = "canary_1";
	const std::vector<std::function<void(HistoryRow &)>> changes = {
		[](HistoryRow &r) { r.id = 2; },
		[](HistoryRow &r) { r.changed_at += instant; },
		[](HistoryRow &r) { r.transition = "kill"; },
		[](HistoryRow &r) { r.from_stage = "full"; },
		[](HistoryRow &r) { r.to_stage = "full"; },
		[](HistoryRow &r) { r.from_kill_switch = false; },
		[](HistoryRow &r) { r.to_kill_switch = false; },
		[](HistoryRow &r) { r.decision = ""; },
		[](HistoryRow &r) { r.approved_by = "x"; },
		[](HistoryRow &r) { r.changed_by = "x"; },
		[](HistoryRow &r) { r.note = ""; }, // empty is not null
		[](HistoryRow &r) { r.note = "-"; },
		[](HistoryRow &r) { r.version = 1; },
		[](HistoryRow &r) { r.overridden = true; },
		[](HistoryRow &r) { r.mock_clock = true; },
		[](HistoryRow &r) { r.gates = ""; },
		[](HistoryRow &r) { r.change = ""; },
		[](HistoryRow &r) { r.prev_hash[31] = 1; },
	};
	std::set<std::string> forms = {canonical_form(base)};
	for (const auto &change : changes) {
		auto row = base;
		change(row);
		BOOST_TEST(forms.insert(canonical_form(row)).second);
	}
	auto row = base;
	row.hash.fill(7);
	BOOST_TEST(canonical_form(row) == canonical_form(base));
}

BOOST_AUTO_TEST_CASE(a_digest_is_shown_in_lower_case_hex) {
	Digest digest{};
	digest[0] = 0x0f;
	digest[1] = 0xa0;
	digest[31] = 0xff;
	BOOST_TEST(to_hex(digest) == "0fa0" + std::string(58, '0') + "ff");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(chain)

// The walker never hashes itself, so any function of the bytes will do to test it.
Digest
digest_of(const HistoryRow &row) {
	Digest digest{};
	std::uint64_t state = 14695981039346656037u;
	const auto bytes = canonical_form(row);
	for (size_t i = 0; i < digest.size(); ++i) {
		for (const auto byte : bytes)
			state = (state ^ static_cast<unsigned char>(byte)) * 1099511628211u;
		digest[i] = static_cast<std::uint8_t>(state >> 56);
	}
	return digest;
}

struct Step {
	const char *transition;
	const char *to_stage;
	bool to_kill;
};

const std::vector<Step> whole_life = {
	{"start", "canary_1", false},    {"promote", "canary_10", false}, {"config", "canary_10", false},
	{"promote", "canary_50", false}, {"hold", "canary_50", false},    {"rollback", "canary_1", false},
	{"kill", "canary_1", true},      {"re-kill", "canary_1", true},   {"resume", "canary_1", false},
	{"promote", "canary_10", false}, {"promote", "canary_50", false}, {"promote", "full", false},
};

std::string
decision_of(const std::string &transition) {
	return transition == "hold" || transition == "rollback"  ? "HOLD"
		   : transition == "kill" || transition == "re-kill" ? "ROLLBACK"
															 : "PROCEED";
}

// Hashes a row and all after it anew, as somebody would who may write the table and knows the form.
void
rehash(std::vector<HistoryRow> &rows, size_t from = 0) {
	for (auto i = from; i < rows.size(); ++i) {
		rows[i].prev_hash = i ? rows[i - 1].hash : Digest{};
		rows[i].hash = digest_of(rows[i]);
	}
}

std::vector<HistoryRow>
make_chain(const std::vector<Step> &steps) {
	std::vector<HistoryRow> rows;
	std::string stage = "canary_1";
	bool kill = true;
	std::int64_t version = 0;
	for (const auto &step : steps) {
		HistoryRow row;
		row.id = static_cast<std::int64_t>(rows.size()) + 1;
		row.changed_at = noon + std::chrono::hours(rows.size());
		row.transition = step.transition;
		row.from_stage = stage;
		row.from_kill_switch = kill;
		row.to_stage = stage = step.to_stage;
		row.to_kill_switch = kill = step.to_kill;
		row.approved_by = "lead";
		row.changed_by = "oncall";
		row.note = "row " + std::to_string(row.id);
		if (row.transition == "config") {
			row.change = "{}";
		} else {
			row.decision = decision_of(row.transition);
			++version;
		}
		row.version = version;
		rows.push_back(std::move(row));
	}
	rehash(rows);
	return rows;
}

struct Finding {
	std::int64_t id = 0;
	std::string reason;
};

// The first row that does not fit; id 0 where all do.
Finding
walk(const std::vector<HistoryRow> &rows, ChainWalker &walker) {
	for (const auto &row : rows)
		if (const auto reason = walker.feed(row, digest_of(row)))
			return {row.id, *reason};
	return {};
}

Finding
walk(const std::vector<HistoryRow> &rows) {
	ChainWalker walker;
	return walk(rows, walker);
}

BOOST_AUTO_TEST_CASE(a_whole_life_fits) {
	const auto rows = make_chain(whole_life);
	ChainWalker walker;
	BOOST_TEST(walk(rows, walker).reason == "");
	BOOST_TEST(walker.last_id() == 12);
	const auto &state = walker.state();
	BOOST_TEST(state.live());
	BOOST_TEST(state.stage == Stage::full);
	BOOST_TEST(state.version == 11); // a change of settings is none of the state
	BOOST_CHECK(state.started_at == noon);
	BOOST_CHECK(state.entered_at == noon + 11h);
	BOOST_TEST(*state.note == "row 12");
}

BOOST_AUTO_TEST_CASE(an_empty_log_fits_a_missing_row_alone) {
	const ChainWalker walker;
	BOOST_CHECK(!walker.compare(State{}));
	BOOST_CHECK(walker.compare(live(Stage::canary_1, noon)).has_value());
}

// Every row, every column: rewritten in place, the row itself is the first that does not fit.
BOOST_AUTO_TEST_CASE(a_rewritten_row_is_found) {
	const auto good = make_chain(whole_life);
	const std::vector<std::function<void(HistoryRow &)>> edits = {
		[](HistoryRow &r) { r.changed_at += instant; },
		[](HistoryRow &r) { r.transition += " "; },
		[](HistoryRow &r) { r.from_stage = "full"; },
		[](HistoryRow &r) { r.to_stage = "no stage"; },
		[](HistoryRow &r) { r.to_kill_switch = !r.to_kill_switch; },
		[](HistoryRow &r) { r.decision = "HOLD?"; },
		[](HistoryRow &r) { r.approved_by = "intruder"; },
		[](HistoryRow &r) { r.changed_by = "intruder"; },
		[](HistoryRow &r) { r.note.reset(); },
		[](HistoryRow &r) { ++r.version; },
		[](HistoryRow &r) { r.overridden = true; },
		[](HistoryRow &r) { r.mock_clock = true; },
		[](HistoryRow &r) { r.gates = "{}"; },
		[](HistoryRow &r) { r.change = "{\"a\": 1}"; },
		[](HistoryRow &r) { r.prev_hash[0] ^= 1; },
		[](HistoryRow &r) { r.hash[0] ^= 1; },
	};
	for (size_t i = 0; i < good.size(); ++i)
		for (size_t edit = 0; edit < edits.size(); ++edit) {
			auto rows = good;
			edits[edit](rows[i]);
			BOOST_TEST_CONTEXT("row " << i + 1 << ", edit " << edit)
			BOOST_TEST(walk(rows).id == good[i].id);
		}
}

// With its hash made to fit, the row after it tells; only the newest needs the anchor in the server's log.
BOOST_AUTO_TEST_CASE(a_rewritten_and_rehashed_row_is_found_by_its_successor) {
	const auto good = make_chain(whole_life);
	for (size_t i = 0; i + 1 < good.size(); ++i) {
		auto rows = good;
		rows[i].note = "nothing happened";
		rows[i].hash = digest_of(rows[i]);
		const auto finding = walk(rows);
		BOOST_TEST(finding.id == good[i + 1].id);
		BOOST_TEST(contains(finding.reason, "prev_hash"));
	}
}

BOOST_AUTO_TEST_CASE(a_missing_row_is_found_at_the_next_one) {
	const auto good = make_chain(whole_life);
	for (size_t i = 0; i + 1 < good.size(); ++i) {
		auto rows = good;
		rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(i));
		const auto finding = walk(rows);
		BOOST_TEST(finding.id == good[i + 1].id);
		BOOST_TEST(contains(finding.reason, "row " + std::to_string(good[i].id) + " before it is missing"));
	}
	auto rows = good;
	rows.erase(rows.begin() + 2, rows.begin() + 5);
	BOOST_TEST(walk(rows).id == 6);
	BOOST_TEST(contains(walk(rows).reason, "rows 3 to 5"));
}

// The newest rows cut off leave a chain that fits, and a state that does not.
BOOST_AUTO_TEST_CASE(missing_newest_rows_are_found_by_the_state) {
	auto rows = make_chain(whole_life);
	ChainWalker whole;
	walk(rows, whole);
	rows.pop_back();
	ChainWalker cut;
	BOOST_TEST(walk(rows, cut).id == 0);
	BOOST_CHECK(!whole.compare(whole.state()));
	BOOST_CHECK(cut.compare(whole.state()).has_value());
}

BOOST_AUTO_TEST_CASE(a_row_that_comes_twice_is_found) {
	const auto good = make_chain(whole_life);
	for (size_t i = 0; i < good.size(); ++i) {
		auto rows = good;
		rows.insert(rows.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
		const auto finding = walk(rows);
		BOOST_TEST(finding.id == good[i].id);
		BOOST_TEST(contains(finding.reason, "twice"));
	}
}

BOOST_AUTO_TEST_CASE(rows_that_changed_places_are_found) {
	const auto good = make_chain(whole_life);
	for (size_t i = 0; i + 1 < good.size(); ++i) {
		auto rows = good;
		std::swap(rows[i], rows[i + 1]);
		BOOST_TEST(walk(rows).id == good[i + 1].id); // the first that is out of place
		// Renumbered as well, so that only the links tell.
		std::swap(rows[i].id, rows[i + 1].id);
		BOOST_TEST(walk(rows).id == good[i].id);
	}
}

BOOST_DATA_TEST_CASE(a_chain_begins_with_row_1, bdata::make({-1, 0, 2, 100}), id) {
	auto rows = make_chain({whole_life[0]});
	rows[0].id = id;
	rehash(rows);
	BOOST_TEST(walk(rows).reason != "");
}

BOOST_AUTO_TEST_CASE(a_first_row_with_a_predecessor_is_found) {
	auto rows = make_chain({whole_life[0]});
	rows[0].prev_hash.fill(1);
	rows[0].hash = digest_of(rows[0]);
	BOOST_TEST(walk(rows).id == 1);
}

// A forger who hashes the whole chain anew still has to keep to the state machine.
struct ForgedCase {
	const char *what;
	std::vector<Step> steps;
	std::int64_t found_at;
};

std::ostream &
operator<<(std::ostream &out, const ForgedCase &c) {
	return out << c.what;
}

const std::vector<ForgedCase> forged = {
	{"a skip", {{"start", "canary_1", false}, {"promote", "canary_50", false}}, 2},
	{"a step down to the middle",
	 {{"start", "canary_1", false},
	  {"promote", "canary_10", false},
	  {"promote", "canary_50", false},
	  {"rollback", "canary_10", false}},
	 4},
	{"a promotion while killed",
	 {{"start", "canary_1", false}, {"kill", "canary_1", true}, {"promote", "canary_10", false}},
	 3},
	{"a kill above canary_1", {{"start", "canary_1", false}, {"kill", "canary_10", true}}, 2},
	{"a start above canary_1", {{"start", "canary_10", false}}, 1},
	{"a promotion first", {{"promote", "canary_10", false}}, 1},
	{"a hold that moves", {{"start", "canary_1", false}, {"hold", "canary_10", false}}, 2},
	{"settings that move", {{"start", "canary_1", false}, {"config", "canary_10", false}}, 2},
	{"settings that kill", {{"start", "canary_1", false}, {"config", "canary_1", true}}, 2},
	{"an unknown transition", {{"start", "canary_1", false}, {"jump", "canary_10", false}}, 2},
	{"an unknown stage", {{"start", "canary_1", false}, {"promote", "canary_100", false}}, 2},
	{"a kill in the name of hold", {{"start", "canary_1", false}, {"hold", "canary_1", true}}, 2},
	{"a re-kill of the living", {{"start", "canary_1", false}, {"re-kill", "canary_1", true}}, 2},
	{"a rollback at the bottom", {{"start", "canary_1", false}, {"rollback", "canary_1", false}}, 2},
	{"a rollback in the name of start",
	 {{"start", "canary_1", false}, {"promote", "canary_10", false}, {"start", "canary_1", false}},
	 3},
	{"a resume in the name of start",
	 {{"start", "canary_1", false}, {"kill", "canary_1", true}, {"start", "canary_1", false}},
	 3},
	{"a start in the name of resume", {{"resume", "canary_1", false}}, 1},
	{"a first kill in the name of re-kill", {{"re-kill", "canary_1", true}}, 1},
};

BOOST_DATA_TEST_CASE(a_step_that_the_machine_has_not_is_found, bdata::make(forged), c) {
	BOOST_TEST(walk(make_chain(c.steps)).id == c.found_at);
}

BOOST_AUTO_TEST_CASE(a_kill_before_any_start_fits) {
	BOOST_TEST(
		walk(make_chain({{"kill", "canary_1", true}, {"re-kill", "canary_1", true}, {"resume", "canary_1", false}}))
			.reason == "");
	BOOST_TEST(walk(make_chain({{"config", "canary_1", true}, {"start", "canary_1", false}})).reason == "");
	// After a row of a killed rollout was lost, the state reads as absent, and a kill is a first kill again.
	BOOST_TEST(walk(make_chain({{"kill", "canary_1", true}, {"kill", "canary_1", true}})).reason == "");
}

struct SpoiltCase {
	const char *what;
	void (*spoil)(HistoryRow &);
};

std::ostream &
operator<<(std::ostream &out, const SpoiltCase &c) {
	return out << c.what;
}

const std::vector<SpoiltCase> spoilt = {
	{"version skipped", [](HistoryRow &r) { ++r.version; }},
	{"version repeated", [](HistoryRow &r) { --r.version; }},
	{"from another stage", [](HistoryRow &r) { r.from_stage = "full"; }},
	{"from killed", [](HistoryRow &r) { r.from_kill_switch = !r.from_kill_switch; }},
	{"decision taken away or added",
	 [](HistoryRow &r) { r.decision = r.decision ? std::nullopt : std::optional<std::string>("HOLD"); }},
	{"change taken away or added",
	 [](HistoryRow &r) { r.change = r.change ? std::nullopt : std::optional<std::string>("{}"); }},
};

BOOST_DATA_TEST_CASE(a_forged_row_that_does_not_follow_is_found, bdata::make(spoilt), c) {
	const auto good = make_chain(whole_life);
	for (size_t i = 0; i < good.size(); ++i) {
		auto rows = good;
		c.spoil(rows[i]);
		rehash(rows, i);
		BOOST_TEST(walk(rows).id == good[i].id);
	}
}

struct StateCase {
	const char *what;
	void (*spoil)(State &);
};

std::ostream &
operator<<(std::ostream &out, const StateCase &c) {
	return out << c.what;
}

const std::vector<StateCase> states = {
	{"version", [](State &s) { ++s.version; }},
	{"stage", [](State &s) { s.stage = Stage::canary_50; }},
	{"kill switch", [](State &s) { s.kill_switch = true; }},
	{"entered_at", [](State &s) { s.entered_at = noon - 48h; }}, // a way to shorten the dwell
	{"started_at", [](State &s) { s.started_at.reset(); }},
	{"updated_at", [](State &s) { *s.updated_at += instant; }},
	{"updated_by", [](State &s) { s.updated_by = "intruder"; }},
	{"note", [](State &s) { s.note.reset(); }},
	{"history_id", [](State &s) { --s.history_id; }},
	{"overridden", [](State &s) { s.overridden = true; }},
	{"row", [](State &s) { s = {}; }},
};

BOOST_DATA_TEST_CASE(a_state_that_is_not_the_newest_row_is_found, bdata::make(states), c) {
	ChainWalker walker;
	walk(make_chain(whole_life), walker);
	auto present = walker.state();
	BOOST_CHECK(!walker.compare(present));
	c.spoil(present);
	BOOST_CHECK(walker.compare(present).has_value());
}

// The walker and the state machine must agree on what each transition makes of the state.
BOOST_AUTO_TEST_CASE(a_walk_adds_up_to_what_the_machine_made) {
	auto input = not_started();
	std::vector<HistoryRow> rows;
	ChainWalker walker;
	const auto change = [&](const Request &request) {
		const auto before = input.state;
		const auto classified = classify(before, request, before.exists);
		const auto accepted = apply(input, request);
		HistoryRow row;
		row.id = static_cast<std::int64_t>(rows.size()) + 1;
		row.changed_at = input.now;
		row.transition = std::string(name(classified.transition));
		row.from_stage = std::string(name(before.stage));
		row.from_kill_switch = before.kill_switch;
		row.to_stage = std::string(name(accepted.state.stage));
		row.to_kill_switch = accepted.state.kill_switch;
		row.decision = std::string(name(accepted.decision));
		row.approved_by = request.caller;
		row.changed_by = accepted.state.updated_by;
		row.note = accepted.state.note;
		row.version = accepted.state.version;
		row.overridden = accepted.overridden;
		rows.push_back(row);
		rehash(rows, rows.size() - 1);
		const auto reason = walker.feed(rows.back(), digest_of(rows.back()));
		BOOST_TEST(!reason, reason.value_or(""));
		auto made = accepted.state;
		made.history_id = row.id;
		const auto differs = walker.compare(made);
		BOOST_TEST(!differs, differs.value_or(""));
		input.state = accepted.state;
		input.now += 1s;
	};
	auto wordless = ask("full", true);
	wordless.note.reset();
	change(wordless);                // a kill before any start
	change(ask("canary_1", true));   // killed again
	change(ask_forced("canary_1"));  // resumed without the wait
	change(ask("canary_1", false));  // held
	change(ask_forced("canary_10")); // promoted without the gates
	change(ask("canary_10", false)); // held there
	change(ask("canary_1", false));  // stepped down
	change(ask("canary_50", true));  // killed
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
