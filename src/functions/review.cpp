// What comes after: checklist, postmortem, action items, and whether the rollout is complete.

#include "core/postmortem.hpp"
#include "core/refusal.hpp"
#include "pg/incident_story.hpp"
#include "pg/incidents.hpp"
#include "pg/on_commit.hpp"

namespace chat_v11 {

namespace {

std::int64_t
id_arg(FunctionCallInfo fcinfo, const char *what, const char *hint) {
	if (PG_ARGISNULL(0))
		throw invalid_argument(std::string(what) + " is null", {}, hint);
	return PG_GETARG_INT64(0);
}

std::optional<std::string>
filled(const std::optional<std::string> &text) {
	if (!text || text->find_first_not_of(" \t\r\n") == std::string::npos)
		return std::nullopt;
	return text;
}

void
require_short(const std::optional<std::string> &text, const char *what, size_t bytes) {
	if (text && text->size() > bytes)
		throw invalid_argument(std::string(what) + " is longer than " + std::to_string(bytes) + " bytes");
}

constexpr const char *add_example = "select chat_v11.add_action_item('what', 'owner', '2026-12-31', 1);";

} // namespace

CHAT_V11_ENTRY(chat_v11_checklist) {
	const auto input = pg::read_checklist(id_arg(fcinfo, "p_incident", "select * from chat_v11.incidents();"));
	const auto settings =
		pg::with_spi([](pg::Spi &spi) { return pg::load_gate_input(spi, State{}, pg::now()).settings; });
	const auto due = decision_due(input.incident, settings.decision_interval, pg::now());
	pg::ResultSet results(fcinfo);
	for (const auto &point : checklist(input)) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << point.n << point.point << point.done << point.remark << due.overdue;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

CHAT_V11_ENTRY(chat_v11_postmortem) {
	const auto id = id_arg(fcinfo, "p_incident", "select id, title from chat_v11.incident order by id;");
	return pg::text_datum(postmortem_text(pg::read_postmortem(id)));
}

CHAT_V11_ENTRY(chat_v11_completion) {
	CompletionInput input;
	pg::with_spi([&](pg::Spi &spi) {
		const auto state = pg::load_state(spi).state;
		input.gates = pg::load_gate_input(spi, state, pg::now());
		pg::load_open_incidents(spi, input.gates, std::nullopt);
		input.incidents = pg::load_incidents_since(spi, state.entered_at.value_or(input.gates.now));
		input.items = pg::load_action_items(spi, std::nullopt);
		const auto review = spi.query("SELECT a.attested_at, a.ref FROM chat_v11.attestation a "
									  "WHERE a.what = 'review' AND a.ok");
		if (!review.empty()) {
			input.review_attested = review.time(0, 1);
			input.review_ref = review.text(0, 2).value_or("");
		}
	});
	pg::ResultSet results(fcinfo);
	for (const auto &each : completion(input)) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << each.criterion << each.met << each.why;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

CHAT_V11_ENTRY(chat_v11_add_action_item) {
	const auto text = filled(pg::text_arg(fcinfo, 0));
	if (!text)
		throw invalid_argument("an action item needs a text", {}, add_example);
	const auto owner = filled(pg::text_arg(fcinfo, 1));
	require_short(text, "p_text", max_note_bytes);
	require_short(owner, "p_owner", max_name_bytes);
	const auto incident = PG_ARGISNULL(3) ? std::nullopt : std::optional<std::int64_t>(PG_GETARG_INT64(3));
	const auto id = pg::with_spi([&](pg::Spi &spi) {
		if (incident)
			pg::with_latest_snapshot([&] { (void)pg::load_incident(spi, *incident); });
		return pg::insert_action_item(spi, *text, owner, PG_ARGISNULL(2) ? Datum{} : PG_GETARG_DATUM(2),
									  PG_ARGISNULL(2), incident);
	});
	return Int64GetDatum(id);
}

CHAT_V11_ENTRY(chat_v11_assign_action_item) {
	const auto id = id_arg(fcinfo, "p_item", "select id, text from chat_v11.action_item;");
	const auto owner = filled(pg::text_arg(fcinfo, 1));
	if (!owner || PG_ARGISNULL(2))
		throw invalid_argument("an owner and a date are needed", {},
							   "select chat_v11.assign_action_item(" + std::to_string(id) +
								   ", 'owner', '2026-12-31');");
	require_short(owner, "p_owner", max_name_bytes);
	pg::with_spi([&](pg::Spi &spi) {
		(void)pg::load_action_item(spi, id);
		pg::assign_action_item(spi, id, *owner, PG_GETARG_DATUM(2));
	});
	PG_RETURN_VOID();
}

CHAT_V11_ENTRY(chat_v11_close_action_item) {
	const auto id = id_arg(fcinfo, "p_item", "select id, text from chat_v11.action_item where closed_at is null;");
	const auto resolution = pg::text_arg(fcinfo, 1).value_or("");
	const auto text = filled(pg::text_arg(fcinfo, 2));
	require_short(text, "p_text", max_note_bytes);
	const auto command = "select chat_v11.close_action_item(" + std::to_string(id) + ", 'accepted', 'why');";
	if (resolution != "closed" && resolution != "accepted")
		throw invalid_argument("unknown resolution \"" + truncate_utf8(resolution, 64) + "\"",
							   "closed: it is done. accepted: it stays undone, and that is accepted.", command);
	if (resolution == "accepted" && !text)
		throw invalid_argument("what is accepted needs a reason", {}, command);
	pg::with_spi([&](pg::Spi &spi) {
		const auto item = pg::load_action_item(spi, id);
		if (item.closed_at)
			throw invalid_transition("action item " + std::to_string(id) + " is " + item.resolution + " already",
									 "Since " + format_utc(floor_second(*item.closed_at)) + ".",
									 "select * from chat_v11.completion();");
		pg::resolve_action_item(spi, id, resolution, text);
	});
	PG_RETURN_VOID();
}

} // namespace chat_v11
