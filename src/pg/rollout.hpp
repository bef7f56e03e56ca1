#pragma once

// One evaluation of the gates, and one change of the state, as the functions and the triggers share them.

#include "core/transition.hpp"
#include "pg/store.hpp"

#include <functional>

namespace chat_v11::pg {

// Reads everything and evaluates, with the active snapshot.  Telemetry that cannot be read is no error: its checks say
// no_data, and why.
struct Evaluation {
	GateInput input;
	GateAnswer answer;
};
Evaluation evaluate_gates(const State &state, std::optional<Time> as_of = std::nullopt,
						  const std::string *overrides = nullptr);

// The same at a moment before the active snapshot was taken: however long this process stood still in between, no write
// is taken for unanswered whose answer the snapshot does not see.
Evaluation evaluate_gates_at(const State &state, Time before_snapshot);

// Reads the gate log for input.state and input.now; what cannot be read is told by the input.
void add_gate_log(GateInput &input, bool past);

// Runs f in a subtransaction, and for so long at most.  Its failure is undone and told, "" where there was none; only
// the caller's own cancel or time-out goes on as an exception.
std::string attempt(const std::function<void()> &f);
std::string attempt_within(int milliseconds, const std::function<void()> &f);
// The same after a change that must stand: also the caller's cancel or time-out ends f only, and is told as its
// failure.  0: with bounds of its own.
std::string attempt_uncancelled(int milliseconds, const std::function<void()> &f);

// For a change that no gate may refuse: an evaluation with a bound on its time, or why there is none.
struct BoundedEvaluation {
	std::optional<Evaluation> evaluation;
	std::string unavailable;
};
BoundedEvaluation evaluate_within(const State &state, int milliseconds, bool is_kill);
// For one that the gates may refuse: a kill that waits for it must not wait for a table that somebody locked.  What was
// not read in time is unknown to the answer; nothing where the configuration was not either.
BoundedEvaluation evaluate_gated(const State &state);

// What a function asks of the triggers beyond what a row can say.  Taken by the first row that is written while it is
// open, and by no other.
class OpenRequest {
public:
	explicit OpenRequest(Request request);
	~OpenRequest();
	OpenRequest(const OpenRequest &) = delete;
	OpenRequest &operator=(const OpenRequest &) = delete;

	static std::optional<Request> take();
	static bool is_waiting();

private:
	Request request_;
};

// Asks the triggers for a change, under the lock that orders them all; the state after it.  Whatever refuses it is
// written to the server's log.  With `still`, nothing is asked for where that says no to the state as it is under the
// lock.
std::optional<State> change_state(const Request &request, const std::function<bool(const State &)> &still);
State change_state(const Request &request);

// What the decision log keeps of it: the answer, or why there is none.
std::string gates_json(const BoundedEvaluation &gates, const std::vector<std::string> &unmet);

// What the deciding trigger hands to the logging one, and to the function that asked.
struct Change {
	State before;
	Accepted accepted;
	Transition transition;
	std::int64_t history_id = 0;
	std::string approved_by;
	BoundedEvaluation gates;
	std::vector<Precondition> unmet; // of a start
	bool restored = false;           // a dump's row, equal to the log's newest: nothing is logged
};
std::optional<Change> &last_change();

// What is written under a mocked clock says so, and so does its writer.
void warn_if_mocked();

// The row that public.chat_get_v11_rollout_state() answers with.
Datum state_answer(FunctionCallInfo fcinfo, const State &state, const Evaluation &evaluation);

} // namespace chat_v11::pg
