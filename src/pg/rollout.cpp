#include "pg/rollout.hpp"

#include "core/gate_json.hpp"
#include "core/refusal.hpp"
#include "core/varint.hpp"
#include "pg/analysis.hpp"
#include "pg/gate_log.hpp"
#include "pg/incidents.hpp"
#include "pg/settings.hpp"
#include "pg/telemetry.hpp"

#include <algorithm>
#include <climits>
#include <csignal>

namespace chat_v11::pg {

namespace {

OpenRequest *open_request = nullptr;

// A table that is gone, locked away by a missing right, damaged or on a failing disk is unreadable telemetry.  Anything
// else (a cancel, memory or stack that ran out, a conflict) says nothing of the telemetry and goes on as it came.
bool
is_unreadable(int sqlstate) {
	const int category = ERRCODE_TO_CATEGORY(sqlstate);
	return category == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR);
}

// Never "", which means that all went well.
std::string
text_of(const Error &e) {
	if (*e.what() == '\0')
		return std::string("an error without a text, SQLSTATE ") + unpack_sql_state(e.sqlstate());
	return to_utf8_lenient(e.what());
}

std::string
text_of(const std::exception &e) {
	return *e.what() == '\0' ? "an error without a text" : e.what();
}

// Runs f; "", or why what it reads cannot be read.  `locked_away`: a lock that did not come in time is a reason too.
template <typename F>
std::string
read_or_tell(F &&f, bool locked_away = false) {
	try {
		in_subtransaction([&] { with_spi([&](Spi &spi) { f(spi); }); });
	} catch (const Error &e) {
		if (!is_unreadable(e.sqlstate()) && !(locked_away && e.sqlstate() == ERRCODE_LOCK_NOT_AVAILABLE))
			throw;
		return text_of(e);
	} catch (const CorruptBytes &e) {
		return text_of(e);
	}
	return {};
}

void
add_telemetry(GateInput &input) {
	input.telemetry_error = read_or_tell([&](Spi &spi) { input.telemetry = read_telemetry(spi, input); });
	if (!input.telemetry_error.empty())
		input.telemetry.reset();
}

volatile sig_atomic_t time_is_up = false;

void
on_timeout() {
	time_is_up = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

// Cancels what runs within it when its time is up, and only that.
class TimeBudget {
public:
	explicit TimeBudget(int milliseconds) {
		static const TimeoutId timeout = call([] { return RegisterTimeout(USER_TIMEOUT, on_timeout); });
		id_ = timeout;
		time_is_up = false;
		call([&] { enable_timeout_after(id_, milliseconds); });
	}
	~TimeBudget() {
		disable_timeout(id_, false);
		// Too late to cancel anything but what comes next, which is not ours to cancel.
		if (time_is_up)
			QueryCancelPending = false;
	}
	TimeBudget(const TimeBudget &) = delete;
	TimeBudget &operator=(const TimeBudget &) = delete;
	static bool
	spent() {
		return time_is_up;
	}

private:
	TimeoutId id_;
};

} // namespace

void
add_gate_log(GateInput &input, bool past) {
	const auto error = read_or_tell([&](Spi &spi) { load_gate_log(spi, input, past); });
	if (error.empty())
		return;
	input.gate_log.clear();
	input.gate_log_error = error;
}

static void
add_incidents(GateInput &input, std::optional<Time> as_of) {
	const auto error = read_or_tell([&](Spi &spi) { load_open_incidents(spi, input, as_of); });
	if (error.empty())
		return;
	input.incidents.clear();
	input.incident_error = error;
}

// Only where a check asks for it: reading a day of buckets for the first time takes its time.
static void
add_analysis(GateInput &input) {
	const bool asked = std::any_of(input.checks.begin(), input.checks.end(),
								   [](const Check &check) { return check.enabled && check.judge != Judge::limit; });
	if (!asked)
		return;
	// What is optional holds up no round of the guard.
	const auto error = read_or_tell([&](Spi &spi) { read_analysis(spi, input); }, true);
	if (error.empty())
		return;
	input.analysis.reset();
	input.analysis_error = error;
}

static GateInput
load_input(const State &state, Time at, std::optional<Time> as_of, const std::string *overrides) {
	auto input = with_spi([&](Spi &spi) { return load_gate_input(spi, state, at, as_of); });
	input.mock_clock = mock_now().has_value();
	if (overrides)
		apply_overrides(input, *overrides);
	return input;
}

static Evaluation
evaluate_at(const State &state, Time at, std::optional<Time> as_of, const std::string *overrides) {
	Evaluation evaluation;
	auto &input = evaluation.input;
	input = load_input(state, at, as_of, overrides);
	add_telemetry(input);
	add_analysis(input);
	add_gate_log(input, as_of.has_value());
	add_incidents(input, as_of);
	evaluation.answer = evaluate(input);
	return evaluation;
}

Evaluation
evaluate_gates(const State &state, std::optional<Time> as_of, const std::string *overrides) {
	return evaluate_at(state, as_of ? *as_of : now(), as_of, overrides);
}

Evaluation
evaluate_gates_at(const State &state, Time before_snapshot) {
	return evaluate_at(state, before_snapshot, std::nullopt, nullptr);
}

// No more than half of what the caller's own statement_timeout leaves: what is optional must not use it up.
int
within_statement(int milliseconds) {
	if (!call([] { return get_timeout_active(STATEMENT_TIMEOUT); }))
		return milliseconds;
	const auto left = call([] { return get_timeout_finish_time(STATEMENT_TIMEOUT); }) - GetCurrentTimestamp();
	return std::max(1, std::min(milliseconds, static_cast<int>(std::min<TimestampTz>(left / 2000, INT_MAX))));
}

std::string
attempt(const std::function<void()> &f) {
	try {
		in_subtransaction(f);
	} catch (const Error &e) {
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED))
			throw;
		return text_of(e);
	} catch (const std::exception &e) {
		return text_of(e);
	}
	return {};
}

std::string
attempt_uncancelled(int milliseconds, const std::function<void()> &f) {
	std::string failure;
	try {
		failure = milliseconds > 0 ? attempt_within(milliseconds, f) : attempt(f);
	} catch (const Error &e) {
		failure = text_of(e);
	} catch (const std::exception &e) {
		failure = text_of(e);
	}
	// One that came too late for f would otherwise end what f came after.
	if (QueryCancelPending)
		try {
			in_subtransaction([] { check_for_interrupts(); });
		} catch (const Error &) {
		}
	return failure;
}

// "" where f ended before its time was up.
static std::string
in_time(int milliseconds, const std::function<void()> &f) {
	try {
		const TimeBudget budget(milliseconds);
		f();
		return {};
	} catch (const Error &e) {
		if (!TimeBudget::spent() || ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED))
			throw;
		return "it took longer than " + std::to_string(milliseconds) + " ms";
	}
}

std::string
attempt_within(int limit, const std::function<void()> &f) {
	std::string failure;
	const auto late = in_time(within_statement(limit), [&] { failure = attempt(f); });
	return late.empty() ? failure : late;
}

BoundedEvaluation
evaluate_within(const State &state, int milliseconds, bool is_kill) {
	BoundedEvaluation bounded;
	// What is read in a SERIALIZABLE transaction may undo it at its commit, in favour of one that reports an event.
	if (is_kill && IsolationIsSerializable()) {
		bounded.unavailable =
			"not read in a SERIALIZABLE transaction, where reading could undo the change at its commit";
		return bounded;
	}
	bounded.unavailable = attempt_within(milliseconds, [&] { bounded.evaluation = evaluate_gates(state); });
	if (!bounded.unavailable.empty())
		bounded.evaluation.reset();
	return bounded;
}

BoundedEvaluation
evaluate_gated(const State &state) {
	BoundedEvaluation bounded;
	const auto within = [](int milliseconds, const std::function<void()> &f) {
		return in_time(milliseconds, [&] { in_subtransaction(f); });
	};
	const int limit = gate_timeout_ms();
	Evaluation evaluation;
	auto &input = evaluation.input;
	bounded.unavailable = within(limit, [&] { input = load_input(state, now(), std::nullopt, nullptr); });
	if (!bounded.unavailable.empty())
		return bounded;
	// What takes little time is not left out for what takes much.
	if (const auto late = within(limit / 4, [&] { add_incidents(input, std::nullopt); }); !late.empty()) {
		input.incidents.clear();
		input.incident_error = late;
	}
	if (const auto late = within(limit / 4, [&] { add_gate_log(input, false); }); !late.empty()) {
		input.gate_log.clear();
		input.gate_log_error = late;
	}
	if (const auto late = within(limit, [&] { add_telemetry(input); }); !late.empty()) {
		input.telemetry.reset();
		input.telemetry_error = late + " (chat_v11.gate_timeout)";
	}
	if (const auto late = within(limit / 2, [&] { add_analysis(input); }); !late.empty()) {
		input.analysis.reset();
		input.analysis_error = late + " (chat_v11.gate_timeout)";
	}
	evaluation.answer = evaluate(input);
	bounded.evaluation = std::move(evaluation);
	return bounded;
}

std::string
gates_json(const BoundedEvaluation &gates, const std::vector<std::string> &unmet) {
	return gates.evaluation ? to_json(gates.evaluation->answer, gates.evaluation->input.settings, unmet)
							: unavailable_json(gates.unavailable);
}

OpenRequest::OpenRequest(Request request) : request_(std::move(request)) {
	open_request = this;
}

OpenRequest::~OpenRequest() {
	if (open_request == this)
		open_request = nullptr;
}

bool
OpenRequest::is_waiting() {
	return open_request != nullptr;
}

std::optional<Request>
OpenRequest::take() {
	if (!open_request)
		return std::nullopt;
	auto *taken = open_request;
	open_request = nullptr;
	return std::move(taken->request_);
}

std::optional<Change> &
last_change() {
	static std::optional<Change> change;
	return change;
}

void
warn_if_mocked() {
	const auto at = mock_now();
	if (!at)
		return;
	const auto text = format_utc(*at);
	call([&] { ereport(WARNING, (errmsg("the rule clock is mocked: it stands at %s", text.c_str()))); });
}

Datum
state_answer(FunctionCallInfo fcinfo, const State &state, const Evaluation &evaluation) {
	const auto &input = evaluation.input;
	const auto &gates = evaluation.answer;
	const auto &policy = policy_of(input.policies, state.stage);
	const auto upper = next(state.stage);

	std::optional<Time> earliest;
	if (state.live() && upper) {
		earliest = *state.entered_at + policy.min_duration;
		if (const auto *quiet = gates.find("quiet"); quiet && quiet->clears_at)
			earliest = std::max(*earliest, *quiet->clears_at);
	}
	const bool overdue = state.live() && policy.max_duration && input.now > *state.entered_at + *policy.max_duration;

	Row row(result_columns(fcinfo));
	RowWriter out(row);
	out << name(state.stage) << state.kill_switch << (state.live() ? policy.percent : 0) << state.version << state.note
		<< state.updated_at;
	if (state.exists)
		out << state.updated_by;
	else
		out.null();
	out << state.entered_at;
	if (upper)
		out << name(*upper);
	else
		out.null();
	out << earliest << overdue << gates.p0_ok << gates.p1_ok << gates.rollout_ok << name(gates.decision)
		<< next_step(state, gates) << state.overridden << state.started_at << gates.mock_clock;
	return return_row(fcinfo, row);
}

} // namespace chat_v11::pg
