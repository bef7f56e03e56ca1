// The triggers on the state: the state machine enforced, and its log written, whoever writes the row.

#include "core/guard.hpp"
#include "core/refusal.hpp"
#include "pg/gate_log.hpp"
#include "pg/on_commit.hpp"
#include "pg/preflight.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/trigger.hpp"

#include <algorithm>
#include <array>

namespace chat_v11 {

namespace {

const std::string kill_hint = set_command(Stage::canary_1, true, "kill switch enabled");

// What somebody asks who writes the row by hand.
Request
written_request(const pg::TriggerCall &trigger) {
	const auto row = trigger.new_row();
	Request request;
	request.stage = trigger.text(row, "stage");
	request.kill_switch = trigger.boolean(row, "kill_switch");
	request.caller = pg::session_role();
	// An update that does not name the note has the one of the change before.
	if (trigger.is_insert() || trigger.differs("note"))
		request.note = trigger.text(row, "note");
	return request;
}

// What follows from a transition.
constexpr std::array managed_columns = {"version",    "started_at", "entered_at", "updated_at",
										"updated_by", "overridden", "history_id"};

[[noreturn]] void
refuse_bucketing() {
	throw append_only("column bucketing of rollout_state is not written by hand",
					  "It is what the setting of that name was at the first start, and frozen from then on.",
					  "Before the first start: select chat_v11.set_setting('bucketing', 'unleash', 'why');");
}

// Only stage, kill switch and note can be asked for; the rest follows from them.
void
refuse_managed_columns(const pg::TriggerCall &trigger) {
	for (const auto *column : managed_columns)
		if (trigger.differs(column))
			throw append_only(std::string("column ") + column + " of rollout_state is not written by hand",
							  "It follows from the transition.", "select * from public.chat_get_v11_rollout_state();");
	if (trigger.has("bucketing") && trigger.differs("bucketing"))
		refuse_bucketing();
}

// 0.2 had no column for it, and one algorithm.
Bucketing
stored_bucketing(const pg::TriggerCall &trigger, HeapTuple row) {
	const auto text = trigger.has("bucketing") ? trigger.text(row, "bucketing") : std::nullopt;
	return parse_bucketing(text.value_or("")).value_or(Bucketing::flagd_v2);
}

// The column's default says nothing; anything else must be what was chosen.
void
refuse_other_bucketing(const pg::TriggerCall &trigger, Bucketing chosen) {
	const auto written = trigger.has("bucketing") ? trigger.text(trigger.new_row(), "bucketing") : std::nullopt;
	if (written && *written != name(chosen) && *written != name(Bucketing::flagd_v2))
		refuse_bucketing();
}

// What a row says, which somebody may have written by hand: what cannot be read is the cautious answer.
State
state_of(const pg::TriggerCall &trigger, HeapTuple row) {
	State state;
	state.exists = true;
	state.stage = parse_stage(trigger.text(row, "stage").value_or("")).value_or(Stage::canary_1);
	state.kill_switch = trigger.boolean(row, "kill_switch").value_or(true);
	state.version = trigger.bigint(row, "version").value_or(0);
	state.started_at = trigger.time(row, "started_at");
	state.entered_at = trigger.time(row, "entered_at");
	state.updated_at = trigger.time(row, "updated_at");
	state.updated_by = trigger.text(row, "updated_by").value_or("");
	state.note = trigger.text(row, "note");
	state.overridden = trigger.boolean(row, "overridden").value_or(false);
	state.bucketing = stored_bucketing(trigger, row);
	state.history_id = trigger.bigint(row, "history_id").value_or(0);
	return state;
}

// A dump's row: it must be what its log adds up to, to the last column.
bool
is_restored_row(pg::Spi &spi, const pg::TriggerCall &trigger, pg::Change &change) {
	const auto row = trigger.new_row();
	if (!trigger.bigint(row, "version") || !trigger.bigint(row, "history_id"))
		return false;
	ChainWalker walker;
	std::optional<std::string> broken;
	pg::walk_history(spi, [&](const HistoryRow &each) {
		broken = walker.feed(each, pg::sha256(canonical_form(each)));
		if (broken)
			broken = "row " + std::to_string(each.id) + " of the log: " + *broken;
		return !broken;
	});
	const auto state = state_of(trigger, row);
	if (!broken)
		broken = walker.compare(state);
	if (broken) {
		if (state.kill_switch)
			return false; // then it is a kill like any other
		throw append_only(
			"a state row with a version is taken only as a restore, and must equal the newest row of the log", *broken,
			"select * from chat_v11.verify_history();");
	}
	change.accepted.state = state;
	change.history_id = state.history_id;
	change.restored = true;
	return true;
}

// Whether a subscription brings the row: it was decided where it comes from, and refusing it here would only stop the
// subscription, and the next kill with it.  It comes whole; a write that leaves alone what follows from a transition,
// or that our function asked for, is somebody's own, even if a subscription's worker runs it.
bool
is_replicated(const pg::TriggerCall &trigger) {
	if (!trigger.is_applied() || pg::OpenRequest::is_waiting())
		return false;
	if (trigger.is_insert())
		return trigger.bigint(trigger.new_row(), "version").has_value();
	return trigger.is_delete() || std::any_of(managed_columns.begin(), managed_columns.end(),
											  [&](const char *column) { return trigger.differs(column); });
}

// True while a subscription's row takes the place of the one that stands here.
bool making_room = false;

// A first copy takes the place of what was started here before: else it would fail, and be tried again for ever.
void
make_room() {
	struct Scope {
		Scope() { making_room = true; }
		~Scope() { making_room = false; }
	} const scope;
	if (pg::with_spi([](pg::Spi &spi) { return spi.execute("DELETE FROM chat_v11.rollout_state"); }) > 0)
		pg::log_on_commit("chat_v11: the state that stood here gave way to a subscription");
}

HeapTuple
decided_row(const pg::TriggerCall &trigger, const State &state, std::int64_t history_id) {
	pg::TriggerCall::Replacement row(trigger);
	row.set("singleton", BoolGetDatum(true));
	row.set("stage", pg::text_datum(std::string(name(state.stage))));
	row.set("kill_switch", BoolGetDatum(state.kill_switch));
	row.set("version", Int64GetDatum(state.version));
	row.set<Time>("started_at", state.started_at, pg::time_datum);
	row.set<Time>("entered_at", state.entered_at, pg::time_datum);
	row.set<Time>("updated_at", state.updated_at, pg::time_datum);
	row.set("updated_by", pg::text_datum(state.updated_by));
	if (state.note)
		row.set("note", pg::text_datum(*state.note));
	else
		row.set_null("note");
	row.set("overridden", BoolGetDatum(state.overridden));
	row.set("history_id", Int64GetDatum(history_id));
	if (trigger.has("bucketing"))
		row.set("bucketing", pg::text_datum(std::string(name(state.bucketing))));
	return row.apply();
}

// An incident that is being opened cannot be seen yet.  Whoever writes the row by hand has the lock that a kill needs,
// so it is refused, and waits for nobody.
void
require_no_freeze(Transition transition) {
	if (pg::lock_against_freeze())
		return;
	throw gate_closed(std::string(name(transition)) + " is refused, an incident is being opened", pg::who_freezes(),
					  "Try again when it is: select * from chat_v11.incidents();");
}

// A kill takes what there is: the first start chooses.
Bucketing
bucketing_to_be(const Request &request) {
	auto bucketing = Bucketing::flagd_v2;
	const auto failure = pg::attempt_within(pg::kill_gate_timeout_ms(), [&] {
		pg::with_spi([&](pg::Spi &spi) { bucketing = pg::chosen_bucketing(spi); });
	});
	if (!failure.empty() && !request.kill_switch.value_or(false))
		throw gate_closed("the setting bucketing cannot be read", failure,
						  "Find who locks it: select * from pg_locks where not granted;");
	return bucketing;
}

void
decide_change(const State &state, const Request &request, bool log_has_state, pg::Change &change) {
	const auto classified = classify(state, request, log_has_state);
	if (!classified.notice.empty())
		pg::tell(NOTICE, classified.notice, {}, {});

	if (is_gated(classified.transition)) {
		require_no_freeze(classified.transition);
		// What was opened until now is seen.
		pg::with_latest_snapshot([&] { change.gates = pg::evaluate_gated(state); });
		if (!change.gates.evaluation)
			throw gate_closed(std::string(name(classified.transition)) + " is refused, the gates cannot be read",
							  "Their configuration: " + change.gates.unavailable + ".",
							  "Find who locks it: select * from pg_locks where not granted;");
	} else
		change.gates = pg::evaluate_within(state, pg::kill_gate_timeout_ms(), classified.target_kill);
	const auto *evaluation = change.gates.evaluation ? &*change.gates.evaluation : nullptr;
	// Who forces a promotion is not held to it; a start's record has it all the same.
	if (evaluation && !(request.forced && classified.transition == Transition::promote))
		change.unmet = unmet(pg::binding_rows(*evaluation, classified, pg::SelfTest::yes));
	const auto preflight = evaluation ? evaluation->input.settings.preflight : Preflight::warn;
	change.before = state;
	change.transition = classified.transition;
	change.accepted = decide(state, request, classified, evaluation ? &evaluation->answer : nullptr, change.unmet,
							 preflight, pg::now());
	change.approved_by = request.approved_by && !request.approved_by->empty()
							 ? truncate_utf8(*request.approved_by, max_name_bytes)
							 : pg::default_approver();
	if (!change.unmet.empty())
		pg::tell(WARNING, "started although preconditions are not met", join(sentences(change.unmet), "\n"), {});
}

HistoryRow
history_of(const pg::Change &change) {
	const auto &state = change.accepted.state;
	HistoryRow row;
	row.changed_at = *state.updated_at;
	row.transition = name(change.transition);
	row.from_stage = name(change.before.stage);
	row.to_stage = name(state.stage);
	row.from_kill_switch = change.before.kill_switch;
	row.to_kill_switch = state.kill_switch;
	row.decision = std::string(name(change.accepted.decision));
	row.approved_by = change.approved_by;
	row.changed_by = state.updated_by;
	row.note = state.note;
	row.version = state.version;
	row.overridden = change.accepted.overridden;
	row.mock_clock = pg::mock_now().has_value();
	row.gates = pg::gates_json(change.gates, sentences(change.unmet));
	return row;
}

std::string
change_notification(const pg::Change &change) {
	const auto reason =
		change.gates.evaluation ? change.gates.evaluation->answer.first_reason() : change.gates.unavailable;
	return state_notification(change.before, change.accepted.state, name(change.transition), change.accepted.decision,
							  reason);
}

// What a subscription brings was decided elsewhere, on gates that are not known here.
std::string
applied_notification(const pg::TriggerCall &trigger) {
	return state_notification(trigger.is_insert() ? State{} : state_of(trigger, trigger.old_row()),
							  state_of(trigger, trigger.new_row()), "subscription", std::nullopt, {});
}

pg::GateLogEntry
gate_log_entry(const pg::Change &change, const HistoryRow &row) {
	const auto &state = change.accepted.state;
	pg::GateLogEntry entry{row.changed_at, state.version, state.stage, state.kill_switch,
						   row.mock_clock, *row.gates,    "change"};
	if (const auto &evaluation = change.gates.evaluation)
		entry.set_verdict(evaluation->answer);
	return entry;
}

} // namespace

// BEFORE STATEMENT: the one lock, before any row's.
CHAT_V11_ENTRY(chat_v11_rollout_serialize) {
	const pg::TriggerCall trigger(fcinfo);
	if (!creating_extension)
		pg::lock_rollout();
	return PointerGetDatum(nullptr);
}

// BEFORE ROW: decides, and puts the row as it must be.
CHAT_V11_ENTRY(chat_v11_rollout_decide) {
	const pg::TriggerCall trigger(fcinfo);
	if (making_room)
		return PointerGetDatum(trigger.old_row());
	if (is_replicated(trigger)) {
		pg::last_change().reset();
		if (trigger.is_insert())
			make_room();
		return PointerGetDatum(trigger.is_delete() ? trigger.old_row() : trigger.new_row());
	}
	if (trigger.is_delete())
		throw append_only("the state row cannot be deleted", "A missing row would mean that nobody gets v1.1.",
						  kill_hint);
	auto asked = pg::OpenRequest::take();
	const bool by_hand = !asked.has_value();
	const auto request = by_hand ? written_request(trigger) : std::move(*asked);
	if (by_hand && trigger.is_update() && !request.kill_switch.value_or(false))
		refuse_managed_columns(trigger);

	pg::Change change;
	std::optional<State> conflict;
	pg::with_spi([&](pg::Spi &spi) {
		pg::with_latest_snapshot([&] {
			const auto stored = pg::load_state(spi);
			if (trigger.is_insert() && stored.state.exists && request.kill_switch.value_or(false)) {
				// An upsert that kills: let it meet the row that there is, and be decided as an update.
				conflict = stored.state;
				conflict->stage = Stage::canary_1;
				conflict->kill_switch = true;
				return;
			}
			if (trigger.is_insert() && stored.state.exists)
				throw invalid_transition("there is a state row already: " + describe(stored.state),
										 "There is one row at most.",
										 "select * from public.chat_get_v11_rollout_state();");
			if (by_hand && trigger.is_insert() && is_restored_row(spi, trigger, change))
				return;
			const bool frozen = stored.state.exists && stored.state.started_at;
			const auto bucketing = frozen ? stored.state.bucketing : bucketing_to_be(request);
			if (by_hand && trigger.is_insert() && !request.kill_switch.value_or(false))
				refuse_other_bucketing(trigger, bucketing);
			decide_change(stored.state, request, stored.log_has_state, change);
			change.accepted.state.bucketing = bucketing;
			change.history_id = pg::next_history_id(spi);
		});
	});
	if (conflict)
		return PointerGetDatum(decided_row(trigger, *conflict, conflict->history_id));
	const auto row = decided_row(trigger, change.accepted.state, change.history_id);
	pg::last_change() = std::move(change);
	return PointerGetDatum(row);
}

// AFTER ROW: the log's row, in the same transaction.
CHAT_V11_ENTRY(chat_v11_rollout_log) {
	const pg::TriggerCall trigger(fcinfo);
	const auto row = trigger.new_row();
	if (!pg::last_change() && is_replicated(trigger)) {
		pg::notify_on_commit(applied_notification(trigger));
		pg::log_on_commit("chat_v11: version " + std::to_string(trigger.bigint(row, "version").value_or(0)) +
						  " came by subscription: " + one_line(trigger.text(row, "stage").value_or("")) +
						  (trigger.boolean(row, "kill_switch").value_or(true) ? ", killed" : ", live"));
		return PointerGetDatum(nullptr);
	}
	auto &change = pg::last_change();
	// Some later trigger may have put a row that nobody decided upon.
	const auto &decided = change ? change->accepted.state : State{};
	if (!change || trigger.bigint(row, "version") != decided.version ||
		trigger.text(row, "stage") != name(decided.stage) ||
		trigger.boolean(row, "kill_switch") != decided.kill_switch ||
		trigger.time(row, "entered_at") != decided.entered_at)
		throw append_only("the state row is not the one that was decided upon", "Another trigger changed it.",
						  "Drop that trigger from chat_v11.rollout_state.");
	if (change->restored) {
		change.reset();
		return PointerGetDatum(nullptr);
	}
	auto logged = history_of(*change);
	pg::with_spi([&](pg::Spi &spi) { pg::append_history(spi, logged); });
	if (logged.id != change->history_id)
		throw append_only("state and policy cannot be changed in one statement",
						  "The decision log moved on between the decision and its entry.", "Use two statements.");
	// The gate log repeats for charts what the decision log has; it must not be what refuses a kill.
	const auto failure = pg::attempt_within(pg::kill_gate_timeout_ms(), [&] {
		pg::with_spi([&](pg::Spi &spi) { pg::append_gate_log(spi, gate_log_entry(*change, logged)); });
	});
	if (!failure.empty())
		pg::tell(WARNING, "the gate log was not written: " + failure, {}, {});
	pg::log_on_commit("chat_v11: version " + std::to_string(logged.version) + ": " + logged.transition + " " +
					  logged.from_stage + " -> " + logged.to_stage + (logged.to_kill_switch ? ", killed" : ", live") +
					  ", row " + std::to_string(logged.id) + ", by " + one_line(logged.changed_by) + ", hash " +
					  to_hex(logged.hash));
	pg::notify_on_commit(change_notification(*change));
	pg::warn_if_mocked();
	// What was answered must outlive a crash, also where synchronous_commit is off.
	ForceSyncCommit();
	return PointerGetDatum(nullptr);
}

// BEFORE any rewrite of what is append-only, and BEFORE TRUNCATE.
CHAT_V11_ENTRY(chat_v11_refuse_write) {
	const pg::TriggerCall trigger(fcinfo);
	const auto table = trigger.table();
	// As with the rows: a subscription that is refused stands still, and the next kill with it.
	if (trigger.is_applied() && (table == "rollout_state" || table.starts_with("full_state")))
		return PointerGetDatum(nullptr);
	const auto complaint = "chat_v11." + table + " takes no " + trigger.operation();
	if (table.starts_with("event"))
		throw append_only(complaint, "Events are dropped by the fold once they are older than chat_v11.raw_retention.",
						  "select chat_v11.fold();");
	if (table.starts_with("full_state"))
		throw append_only(complaint, "It would be published, and empty the table of every subscriber too.",
						  "The guard empties it, and so does: select chat_v11.fold();");
	throw append_only(complaint, {}, table == "rollout_state" ? kill_hint : "select * from chat_v11.verify_history();");
}

// BEFORE ROW of tables that are each server's own.
CHAT_V11_ENTRY(chat_v11_keep_own) {
	const pg::TriggerCall trigger(fcinfo);
	if (trigger.is_applied())
		return pg::pass_over(trigger);
	return PointerGetDatum(trigger.is_delete() ? trigger.old_row() : trigger.new_row());
}

// BEFORE INSERT into the gate log, which decides when a stage was quiet.
CHAT_V11_ENTRY(chat_v11_own_only) {
	const pg::TriggerCall trigger(fcinfo);
	if (!pg::appending_gate_log() && !trigger.is_applied() && !pg::is_restoring())
		throw append_only("chat_v11." + trigger.table() + " is written by the extension only",
						  "A row comes with each accepted change, and once a minute from the guard.",
						  "select chat_v11.start_guard();");
	return PointerGetDatum(nullptr);
}

// BEFORE DELETE, row by row: what is past its retention may go.
CHAT_V11_ENTRY(chat_v11_refuse_young_delete) {
	const pg::TriggerCall trigger(fcinfo);
	const auto at = trigger.time(trigger.old_row(), "at");
	const auto bound = pg::now() - pg::bucket_retention();
	if (at && *at >= bound)
		throw append_only("rows of chat_v11." + trigger.table() + " younger than the retention are kept",
						  "This one is of " + format_utc(*at) + "; those before " + format_utc(bound) +
							  " may be deleted.",
						  "delete from chat_v11." + trigger.table() + " where at < '" + format_iso(bound) + "';");
	return PointerGetDatum(trigger.old_row());
}

} // namespace chat_v11
