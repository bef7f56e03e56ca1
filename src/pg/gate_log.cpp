#include "pg/gate_log.hpp"

#include "core/text.hpp"
#include "pg/guard_state.hpp"
#include "pg/settings.hpp"

#include <algorithm>

namespace chat_v11::pg {

namespace {

bool appending = false;

// 0.3 had the table without them.
bool
has_verdicts(Oid log) {
	return call([&] { return get_attnum(log, "p0_ok") != InvalidAttrNumber; });
}

GateLogSample
sample_at(const Rows &rows, std::int64_t i) {
	GateLogSample sample;
	sample.at = *rows.time(i, 1);
	sample.by_guard = rows.boolean(i, 2).value_or(false);
	sample.p0_ok = rows.boolean(i, 3).value_or(true);
	sample.p1_ok = rows.boolean(i, 4).value_or(true);
	sample.decision = parse_decision(rows.text(i, 6).value_or(""));
	if (!sample.red())
		return sample;
	sample.failing = lines_of(rows.text(i, 5).value_or(""));
	return sample;
}

// The columns of a sample.  `gates` is large, and is never touched.
#define SAMPLES                                                                                                        \
	"SELECT g.at, g.cause = 'guard', g.p0_ok, g.p1_ok, CASE WHEN g.p0_ok AND g.p1_ok THEN NULL ELSE "                  \
	"pg_catalog.array_to_string(g.failing, E'\\n') END, g.decision FROM chat_v11.gate_log g "                          \
	"WHERE (NOT g.mock_clock OR $1) "
// Those in which the gates were read.
#define JUDGED "AND g.p0_ok IS NOT NULL AND g.p1_ok IS NOT NULL "

constexpr const char *newest_of_all = SAMPLES "AND g.at <= $2 ORDER BY g.at DESC LIMIT 1";
constexpr const char *newest_by_guard = SAMPLES "AND g.at <= $2 AND g.cause = 'guard' ORDER BY g.at DESC LIMIT 1";
constexpr const char *newest_judged = SAMPLES JUDGED "AND g.at <= $2 ORDER BY g.at DESC LIMIT 1";

std::optional<GateLogSample>
newest_row(Spi &spi, const char *sql, bool mock_clock, Time at) {
	const auto rows = spi.query(sql, Params() << mock_clock << at);
	return rows.empty() ? std::nullopt : std::optional(sample_at(rows, 0));
}

void
load_samples(Spi &spi, GateInput &input, Duration period) {
	const auto begin = input.now - period;
	if (auto before = newest_row(spi, newest_judged, input.mock_clock, begin))
		input.gate_log.push_back(std::move(*before));
	const auto rows = spi.query(SAMPLES JUDGED "AND g.at > $2 AND g.at <= $3 ORDER BY g.at",
								Params() << input.mock_clock << begin << input.now);
	for (std::int64_t i = 0; i < rows.size(); ++i)
		input.gate_log.push_back(sample_at(rows, i));
}

std::optional<GuardSign>
load_guard_sign(Spi &spi, const GateInput &input, bool past) {
	const auto guard = load_guard_state(spi);
	if (!guard)
		return std::nullopt;
	GuardSign sign{guard->expected, guard->expected_since};
	if (past)
		sign.expected = sign.newest && *sign.newest <= input.now &&
						(sign.expected || (guard->stopped_at && *guard->stopped_at > input.now));
	if (!sign.expected)
		return sign;
	// Also a row in which it could see nothing.
	std::optional<Time> seen;
	if (const auto row = newest_row(spi, newest_by_guard, input.mock_clock, input.now))
		seen = row->at;
	sign.newest = newest_sign(seen, sign.newest, input.now);
	return sign;
}

} // namespace

void
GateLogEntry::set_verdict(const GateAnswer &answer) {
	decision = answer.decision;
	// Who could see nothing has not seen that nothing failed.
	if (!answer.telemetry_error.empty())
		return;
	p0_ok = answer.p0_ok;
	p1_ok = answer.p1_ok;
	failing = answer.failing();
}

void
append_gate_log(Spi &spi, const GateLogEntry &entry) {
	struct Appending {
		Appending() { appending = true; }
		~Appending() { appending = false; }
	} const scope;
	Params params;
	params << entry.at << entry.version << name(entry.stage) << entry.kill_switch;
	params.optional(entry.decision ? std::optional(name(*entry.decision)) : std::nullopt, TEXTOID);
	params << entry.mock_clock << entry.gates;
	// Until its update an older version's table takes what it has columns for.
	if (!has_verdicts(find_table("gate_log"))) {
		spi.execute("INSERT INTO chat_v11.gate_log VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)", std::move(params));
		return;
	}
	params << entry.cause;
	params.optional(entry.p0_ok, BOOLOID).optional(entry.p1_ok, BOOLOID);
	params.add(TEXTARRAYOID, entry.p0_ok ? text_array_datum(entry.failing) : Datum{}, !entry.p0_ok);
	spi.execute("INSERT INTO chat_v11.gate_log (at, version, stage, kill_switch, decision, mock_clock, gates, cause, "
				"p0_ok, p1_ok, failing) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11)",
				std::move(params));
}

bool
appending_gate_log() {
	return appending;
}

std::optional<GateLogSample>
newest_gate_log(Spi &spi, bool mock_clock, bool guard_only) {
	IndexPlans plans;
	auto newest = newest_row(spi, guard_only ? newest_by_guard : newest_of_all, mock_clock, now());
	plans.end();
	return newest;
}

void
load_gate_log(Spi &spi, GateInput &input, bool past) {
	input.gate_log.clear();
	input.gate_log_error.clear();
	input.gate_log_outdated = false;
	input.guard.reset();
	if (!input.state.live())
		return;
	const auto log = find_table("gate_log");
	if (!OidIsValid(log)) {
		input.gate_log_error = "there is no table chat_v11.gate_log";
		return;
	}
	if (!has_verdicts(log)) {
		input.gate_log_error = "it is of an older version";
		input.gate_log_outdated = true;
		return;
	}
	if (!call([&] { return ConditionalLockRelationOid(log, AccessShareLock); })) {
		input.gate_log_error = "another session has locked it";
		return;
	}
	IndexPlans plans;
	const auto period = policy_of(input.policies, input.state.stage).quiet_period;
	if (period > Duration::zero())
		load_samples(spi, input, period);
	input.guard = load_guard_sign(spi, input, past);
	plans.end();
}

std::vector<Snapshot>
newest_snapshots(Spi &spi, bool mock_clock, Time at, std::int64_t count) {
	IndexPlans plans;
	std::vector<Snapshot> snapshots;
	const auto rows = spi.query("SELECT g.at, g.cause, g.stage, g.kill_switch, g.decision, "
								"pg_catalog.array_to_string(g.failing, E'\\n') FROM chat_v11.gate_log g "
								"WHERE g.at <= $2 AND (NOT g.mock_clock OR $1) ORDER BY g.at DESC LIMIT $3",
								Params() << mock_clock << at << count);
	for (std::int64_t i = 0; i < rows.size(); ++i)
		snapshots.push_back({*rows.time(i, 1), *rows.text(i, 2), *rows.text(i, 3), *rows.boolean(i, 4), rows.text(i, 5),
							 lines_of(rows.text(i, 6).value_or(""))});
	plans.end();
	return snapshots;
}

std::optional<GuardHealth>
read_guard_health(Spi &spi, bool mock_clock, Time at) {
	const auto guard = load_guard_state(spi);
	if (!guard)
		return std::nullopt;
	GuardHealth health{guard->expected, guard->expected_since, {}, guard->last_error, guard->last_error_at};
	IndexPlans plans;
	if (const auto row = newest_row(spi, newest_by_guard, mock_clock, at))
		health.last_sign = row->at;
	plans.end();
	return health;
}

std::int64_t
drop_old_gate_log(Spi &spi, Time at) {
	// A mocked clock that runs ahead must not drop what is young by the real one.
	const auto bound = std::min(at, real_now()) - bucket_retention();
	IndexPlans plans;
	std::int64_t dropped = 0;
	if (!spi.query_latest("SELECT FROM chat_v11.gate_log g WHERE g.at < $1 LIMIT 1", Params() << bound).empty())
		dropped = spi.execute("DELETE FROM chat_v11.gate_log g WHERE g.ctid = ANY (ARRAY(SELECT o.ctid FROM "
							  "chat_v11.gate_log o WHERE o.at < $1 ORDER BY o.at LIMIT 10000))",
							  Params() << bound);
	plans.end();
	return dropped;
}

} // namespace chat_v11::pg
