#include "pg/incident_story.hpp"

#include "core/series.hpp"
#include "pg/incidents.hpp"
#include "pg/telemetry.hpp"

#include <algorithm>
#include <set>

namespace chat_v11::pg {

namespace {

// What led to an incident lies a while before it, and what came of it a while after.
constexpr Duration prelude = std::chrono::minutes(30);
constexpr Duration aftermath = std::chrono::hours(1);
// A gate that was red when the incident was opened may have been so for long before.
constexpr Duration longest_prelude = std::chrono::hours(24);

constexpr int most_users = 200'000;
// Events have no index: where many are kept, who was hit may take longer to find than anybody waits.
constexpr int users_within_ms = 10'000;

#define STEPS                                                                                                          \
	"SELECT h.id, h.changed_at, h.transition, CASE WHEN h.transition = 'start' OR (h.version = 1 AND h.transition <> " \
	"'config') THEN 'not started' ELSE "                                                                               \
	"h.from_stage || CASE WHEN h.from_kill_switch THEN ', killed' ELSE ', live' END END, "                             \
	"h.to_stage || CASE WHEN h.to_kill_switch THEN ', killed' ELSE ', live' END, h.from_kill_switch, "                 \
	"h.to_kill_switch, h.decision, h.approved_by, h.changed_by, h.note, h.version, h.overridden, "                     \
	"coalesce((SELECT string_agg(r.reason, E'\\n') FROM jsonb_array_elements_text(CASE WHEN "                          \
	"jsonb_typeof(h.gates->'reasons') = 'array' THEN h.gates->'reasons' END) r(reason)), h.gates->>'unavailable'), "   \
	"(h.change->>'table') || ' ' || (h.change->>'key') || ': ' || coalesce((SELECT string_agg(n.key || ' ' || "        \
	"CASE WHEN jsonb_typeof(h.change->'old') = 'object' THEN coalesce(h.change->'old'->>n.key, 'none') || ' -> ' "     \
	"ELSE '' END || coalesce(n.value, 'none'), ', ' ORDER BY n.key) FROM jsonb_each_text(h.change->'new') n "          \
	"WHERE n.value IS DISTINCT FROM h.change->'old'->>n.key AND n.value IS DISTINCT FROM h.change->>'key' "            \
	"AND n.key !~ '_(at|by)$'), 'as it was') "                                                                         \
	"FROM chat_v11.rollout_history h "

void
append_steps(const Rows &rows, std::vector<Step> &steps) {
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		Step step;
		step.id = *rows.bigint(i, 1);
		step.at = *rows.time(i, 2);
		step.transition = *rows.text(i, 3);
		step.from = *rows.text(i, 4);
		step.to = *rows.text(i, 5);
		step.from_kill = *rows.boolean(i, 6);
		step.to_kill = *rows.boolean(i, 7);
		step.decision = rows.text(i, 8).value_or("");
		step.approved_by = *rows.text(i, 9);
		step.changed_by = *rows.text(i, 10);
		step.note = rows.text(i, 11).value_or("");
		step.version = *rows.bigint(i, 12);
		step.overridden = *rows.boolean(i, 13);
		step.reasons = rows.text(i, 14).value_or("");
		step.change = rows.text(i, 15).value_or("");
		steps.push_back(std::move(step));
	}
}

// The steps in [from, to]; where it was killed at the beginning, the kill before; where it was killed at the end of the
// incident, the resume that ended that, however late.
std::vector<Step>
load_steps(Spi &spi, Time from, Time end, Time to) {
	std::vector<Step> steps;
	if (load_state_at(spi, from - Duration(1)).killed())
		append_steps(spi.query(STEPS "WHERE h.to_kill_switch AND NOT h.from_kill_switch AND h.changed_at < $1 "
									 "ORDER BY h.id DESC LIMIT 1",
							   Params() << from),
					 steps);
	append_steps(spi.query(STEPS "WHERE h.changed_at BETWEEN $1 AND $2 ORDER BY h.id", Params() << from << to), steps);
	if (load_state_at(spi, end).killed()) {
		std::vector<Step> resumed;
		append_steps(spi.query(STEPS "WHERE h.from_kill_switch AND NOT h.to_kill_switch AND h.changed_at > $1 "
									 "ORDER BY h.id LIMIT 1",
							   Params() << end),
					 resumed);
		if (!resumed.empty() && resumed.front().at > to)
			steps.push_back(std::move(resumed.front()));
	}
	return steps;
}

std::vector<GateSight>
load_sights(Spi &spi, Time from, Time to, bool mock_clock) {
	// `gates` is large: only the rows that tell something new are read whole.
	const auto rows = spi.query(
		"SELECT s.at, s.decision, array_to_string(s.failing, E'\\n'), (SELECT string_agg(r.reason, E'\\n') FROM "
		"jsonb_array_elements_text(CASE WHEN jsonb_typeof(s.gates->'reasons') = 'array' THEN s.gates->'reasons' END) "
		"r(reason)), s.cause = 'guard' FROM (SELECT g.at, g.decision, g.failing, g.gates, g.cause, lag(g.decision) "
		"OVER w AS was, lag(g.failing) OVER w AS failed FROM chat_v11.gate_log g WHERE g.at BETWEEN $1 AND $2 AND "
		"g.p0_ok IS NOT NULL AND (NOT g.mock_clock OR $3) WINDOW w AS (ORDER BY g.at, g.version)) s "
		"WHERE (s.decision, s.failing) IS DISTINCT FROM (s.was, s.failed) ORDER BY s.at",
		Params() << from << to << mock_clock);
	std::vector<GateSight> sights;
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		GateSight sight;
		sight.at = *rows.time(i, 1);
		sight.decision = rows.text(i, 2).value_or("");
		sight.failing = lines_of(rows.text(i, 3).value_or(""));
		sight.reasons = rows.text(i, 4).value_or("");
		sight.by_guard = *rows.boolean(i, 5);
		sights.push_back(std::move(sight));
	}
	return sights;
}

// Since when the gates had been red without a break at this moment; the moment itself where they were not.
Time
red_since(Spi &spi, Time at, bool mock_clock) {
	const auto rows = spi.query(
		"SELECT min(g.at) FROM chat_v11.gate_log g WHERE g.at <= $1 AND g.at >= $2 AND (NOT g.mock_clock OR $3) AND "
		"NOT (g.p0_ok AND g.p1_ok) AND g.at > coalesce((SELECT max(b.at) FROM chat_v11.gate_log b WHERE b.at <= $1 "
		"AND b.p0_ok AND b.p1_ok AND (NOT b.mock_clock OR $3)), '-infinity')",
		Params() << at << at - longest_prelude << mock_clock);
	return rows.time(0, 1).value_or(at);
}

Time
story_begin(Spi &spi, const Incident &incident) {
	const auto usual = incident.opened_at - prelude;
	const auto red = red_since(spi, incident.opened_at, incident.mock_clock);
	return red - usual < prelude ? red - prelude : usual;
}

Time
last_word(const Incident &incident) {
	return incident.closed_at ? *incident.closed_at + aftermath : now();
}

// The kind whose events are a metric's numerator; nothing for writes without a receipt, and for durations.
std::optional<Kind>
numerator_of(const std::string &metric) {
	static constexpr std::pair<std::string_view, Kind> kinds[] = {
		{"timeline_duplicate_detected_rate", Kind::timeline_duplicate},
		{"read_rollback_detected_rate", Kind::read_rollback},
		{"send_stall_rate", Kind::send_stall},
		{"write_reject_rate", Kind::write_rejected},
		{"forced_resync_rate", Kind::forced_resync},
		{"full_state_rate", Kind::full_state},
		{"err_resync_range_unavailable_rate", Kind::resync_range_unavailable},
		{"err_resync_throttled_rate", Kind::resync_throttled},
		{"pending_forever_count", Kind::pending_forever}};
	for (const auto &[name, kind] : kinds)
		if (name == metric)
			return kind;
	return std::nullopt;
}

// Who was hit, while events (chat_v11.raw_retention) and writes (chat_v11.write_retention) are kept.
class UserReader {
public:
	explicit UserReader(PostmortemInput &input) : input_(input) {}

	void
	read() {
		std::vector<std::pair<std::string, Kind>> counted;
		for (const auto &metric : harmful_metrics(input_)) {
			if (metric == "ack_without_receipt_10s_rate")
				read_writes(metric);
			else if (const auto kind = numerator_of(metric))
				counted.emplace_back(metric, *kind);
		}
		if (!counted.empty())
			read_events(counted);
		if (!input_.users.empty())
			input_.users_in_all = static_cast<std::int64_t>(all_.size()) + nameless_;
	}

private:
	void
	read_writes(const std::string &metric) {
		UsersHit hit{metric};
		std::set<Uuid> users;
		// A write counts when it can be judged, a while after its ACK.
		const auto delay = judged_after(input_.settings.report_grace);
		const auto missing = with_spi([&](Spi &spi) {
			return read_missing(spi, input_.now, input_.settings, input_.during_from - delay, story_end(input_) - delay,
								most_users);
		});
		for (const auto &write : missing) {
			add(hit, users, write.actor, 1, write.acked_at);
			hit.late += write.late_receipt_at.has_value();
		}
		put(std::move(hit), users);
	}

	void
	read_events(const std::vector<std::pair<std::string, Kind>> &counted) {
		std::string kinds;
		for (const auto &[metric, kind] : counted)
			kinds += (kinds.empty() ? "{" : ",") + std::string(name(kind));
		std::vector<UsersHit> hits;
		std::vector<std::set<Uuid>> users(counted.size());
		for (const auto &[metric, kind] : counted)
			hits.push_back({metric});
		with_spi([&](Spi &spi) {
			spi.for_each(
				"SELECT e.kind, e.actor, count(*), min(e.at) FROM chat_v11.event e WHERE e.at > $1 AND e.at <= "
				"$2 AND e.cohort = 'v11' AND e.kind = ANY ($3::chat_v11.event_kind[]) GROUP BY 1, 2 LIMIT $4",
				Params() << input_.during_from << story_end(input_) << kinds + "}" << most_users,
				[&](const Rows &rows, std::int64_t i) {
					for (size_t k = 0; k < counted.size(); ++k)
						if (static_cast<Kind>(*rows.character(i, 1)) == counted[k].second)
							add(hits[k], users[k], rows.uuid(i, 2), *rows.bigint(i, 3), *rows.time(i, 4));
					return true;
				});
		});
		for (size_t k = 0; k < hits.size(); ++k)
			put(std::move(hits[k]), users[k]);
	}

	void
	add(UsersHit &hit, std::set<Uuid> &users, const std::optional<Uuid> &actor, std::int64_t n, Time first) {
		hit.seen += n;
		hit.first = std::min(hit.first.value_or(first), first);
		if (actor) {
			users.insert(*actor);
			all_.insert(*actor);
		} else {
			hit.users += n;
			nameless_ += n;
		}
	}

	void
	put(UsersHit hit, const std::set<Uuid> &users) {
		hit.users += static_cast<std::int64_t>(users.size());
		input_.users.push_back(std::move(hit));
	}

	PostmortemInput &input_;
	std::set<Uuid> all_;
	std::int64_t nameless_ = 0;
};

class MetricReader {
public:
	MetricReader(PostmortemInput &input, const GateInput &gates)
		: input_(input), gates_(gates),
		  spans_(with_spi([&](Spi &spi) { return SpanReader(spi, input.now, gates.settings); })) {}

	void
	read() {
		const auto end = std::max(story_end(input_), first_sign(input_));
		begin_stories();
		set_begin();
		input_.metric_step = std::max<Duration>(minute, fitting_step(end - input_.during_from, most_steps));
		input_.after_to = input_.checklist.incident.closed_at ? std::min(end + prelude, input_.now) : end;
		put(&MetricStory::before, Cohort::v11, input_.before_from, input_.during_from);
		put(&MetricStory::during, Cohort::v11, input_.during_from, end);
		put(&MetricStory::control, Cohort::v10, input_.during_from, end);
		if (input_.after_to > end)
			put(&MetricStory::after, Cohort::v11, end, input_.after_to);
		const Steps steps{input_.during_from, end, input_.metric_step};
		for (std::int64_t i = 0; i < steps.count(); ++i)
			look_for_worst(steps.begin(i), steps.end(i));
	}

private:
	static constexpr Duration minute = std::chrono::minutes(1);
	static constexpr std::int64_t most_steps = 60;

	void
	begin_stories() {
		for (const auto &rule : metric_rules()) {
			MetricStory story;
			story.metric = rule.name;
			for (const auto &check : gates_.checks)
				if (check.metric == rule.name && check.judge == Judge::limit && check.counts())
					story.limit = check.limit;
			input_.metrics.push_back(std::move(story));
		}
	}

	// A minute before the first sign; earlier where events that no single one of may be had come by then and were
	// noticed late.
	void
	set_begin() {
		auto begin = first_sign(input_) - minute;
		const auto harm_in = [&](Time from, Time to) {
			const auto span = read_span(from, to);
			for (size_t i = 0; i < input_.metrics.size(); ++i)
				if (is_broken_by_one(input_.metrics[i]) && figure(span, i, Cohort::v11).numerator > 0)
					return true;
			return false;
		};
		const auto earliest = begin - prelude;
		if (harm_in(earliest, begin))
			for (auto from = earliest; from < begin; from += minute)
				if (harm_in(from, from + minute))
					begin = from;
		input_.during_from = begin;
		input_.before_from = begin - prelude;
	}

	SpanTotals
	read_span(Time from, Time to) const {
		check_for_interrupts();
		return with_spi([&](Spi &spi) { return spans_.read(spi, from, to); });
	}

	static Figure
	figure(const SpanTotals &span, size_t metric, Cohort cohort) {
		const auto of = static_cast<size_t>(cohort);
		return metric_rules()[metric].of(span.totals[of], span.percentiles[of]);
	}

	void
	put(Figure MetricStory::*where, Cohort cohort, Time from, Time to) {
		if (from >= to)
			return;
		const auto span = read_span(from, to);
		for (size_t i = 0; i < input_.metrics.size(); ++i)
			input_.metrics[i].*where = figure(span, i, cohort);
	}

	void
	look_for_worst(Time from, Time to) {
		const auto span = read_span(from, to);
		for (size_t i = 0; i < input_.metrics.size(); ++i) {
			auto &story = input_.metrics[i];
			const auto now_so = figure(span, i, Cohort::v11);
			if (now_so.value && (!story.worst.value || *now_so.value > *story.worst.value)) {
				story.worst = now_so;
				story.worst_from = from;
			}
		}
	}

	PostmortemInput &input_;
	const GateInput &gates_;
	SpanReader spans_;
};

} // namespace

ChecklistInput
read_checklist(std::int64_t id) {
	ChecklistInput input;
	with_spi([&](Spi &spi) {
		input.incident = load_incident(spi, id);
		input.notes = load_notes(spi, id);
		input.items = load_action_items(spi, id);
		input.steps = load_steps(spi, story_begin(spi, input.incident), input.incident.closed_at.value_or(now()),
								 last_word(input.incident));
		input.killed_when_opened = load_state_at(spi, input.incident.opened_at).killed();
	});
	const auto state = with_spi([](Spi &spi) { return load_state(spi).state; });
	input.gates = evaluate_gates(state).answer;
	return input;
}

PostmortemInput
read_postmortem(std::int64_t id) {
	PostmortemInput input;
	input.checklist = read_checklist(id);
	const auto &incident = input.checklist.incident;
	input.now = now();
	input.points = checklist(input.checklist);
	const auto gates = with_spi([&](Spi &spi) {
		input.settings = load_gate_input(spi, State{}, input.now).settings;
		input.from = story_begin(spi, incident);
		input.to = last_word(incident);
		input.sights = load_sights(spi, input.from, input.to, incident.mock_clock);
		return load_gate_input(spi, State{}, input.now, incident.opened_at);
	});
	input.metrics_error = attempt([&] { MetricReader(input, gates).read(); });
	if (!input.metrics_error.empty())
		return input;
	input.users_error = attempt_within(users_within_ms, [&] { UserReader(input).read(); });
	if (!input.users_error.empty()) {
		input.users.clear();
		input.users_in_all.reset();
	}
	return input;
}

} // namespace chat_v11::pg
