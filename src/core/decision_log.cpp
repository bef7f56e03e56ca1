#include "core/decision_log.hpp"

#include "core/refusal.hpp"
#include "core/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace chat_v11 {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> format_names = {"markdown", "csv", "jsonl"}; // as LogFormat has them

std::string
state_text(const std::string &stage, bool killed) {
	return stage + (killed ? ", killed" : ", live");
}

// As jsonb writes it; what cannot be read again stays a text.
Json
parse(const std::optional<std::string> &json) {
	if (!json)
		return nullptr;
	auto value = Json::parse(*json, nullptr, false);
	return value.is_discarded() ? Json(*json) : value;
}

// What the gates said, in a few words.
std::string
gates_text(const Json &gates, bool with_reason) {
	if (!gates.is_object())
		return "";
	if (gates.contains("unavailable"))
		return "not read: " + (gates["unavailable"].is_string() ? gates["unavailable"].get<std::string>() : "");
	const auto ok = [&](const char *key) { return gates.value(key, Json()) == Json(true) ? "ok" : "not ok"; };
	std::string text = std::string("P0 ") + ok("p0_ok") + ", P1 " + ok("p1_ok") + ", rollout " + ok("rollout_ok");
	const auto reasons = gates.find("reasons");
	if (with_reason && reasons != gates.end() && reasons->is_array() && !reasons->empty() &&
		reasons->front().is_string()) {
		text += ": " + reasons->front().get<std::string>();
		if (reasons->size() > 1)
			text += " (and " + std::to_string(reasons->size() - 1) + " more)";
	}
	return text;
}

std::string
plain(const Json &value) {
	return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// From where to where; for a config row what was changed, and the fields that differ.
std::string
step_text(const HistoryRow &row, const Json &change) {
	if (!change.is_object())
		return state_text(row.from_stage, row.from_kill_switch) + " -> " + state_text(row.to_stage, row.to_kill_switch);
	const auto part = [&](const char *key) { return change.value(key, Json()); };
	std::string text = plain(part("table")) + " " + plain(part("key"));
	// Who and when stand in the row's own columns.
	constexpr std::array<std::string_view, 4> stamps = {"since", "assigned_by", "attested_at", "attested_by"};
	const auto before = part("old");
	std::string fields;
	const auto after = part("new");
	for (const auto &[key, value] : after.items()) {
		const auto old = before.is_object() ? before.value(key, Json()) : Json();
		if (old == value || value == part("key") || std::find(stamps.begin(), stamps.end(), key) != stamps.end())
			continue;
		fields +=
			(fields.empty() ? ": " : ", ") + key + " " + (before.is_object() ? plain(old) + " -> " : "") + plain(value);
	}
	return text + fields;
}

std::string
flags_text(const HistoryRow &row) {
	return std::string(row.overridden ? ", break-glass" : "") + (row.mock_clock ? ", mocked clock" : "");
}

std::string
markdown_row(const HistoryRow &row) {
	const auto gates = parse(row.gates);
	std::string line = "|";
	const auto cell = [&](const std::string &text) { line += " " + markdown_text(text) + " |"; };
	cell(std::to_string(row.id));
	cell(format_utc(floor_second(row.changed_at)));
	cell(row.transition + flags_text(row));
	cell(step_text(row, parse(row.change)));
	cell(gates_text(gates, !row.change));
	cell(row.decision.value_or(""));
	cell(row.approved_by);
	cell(row.changed_by);
	cell(row.note.value_or(""));
	cell(std::to_string(row.version));
	line += " `" + to_hex(row.hash) + "` |";
	return line;
}

// A spreadsheet takes a cell that begins with one of these for a formula, and runs it; an apostrophe makes it text.
bool
looks_like_formula(std::string_view text) {
	text.remove_prefix(std::min(text.find_first_not_of(" \xC2\xA0"), text.size()));
	for (const std::string_view sign :
		 {"=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"})
		if (text.starts_with(sign))
			return true;
	return false;
}

// RFC 4180.
std::string
csv_cell(std::string text) {
	if (looks_like_formula(text))
		text.insert(0, 1, '\'');
	if (text.find_first_of(",\"\r\n '") == std::string::npos)
		return text;
	std::string quoted = "\"";
	for (const char c : text) {
		if (c == '"')
			quoted += '"';
		quoted += c;
	}
	return quoted + "\"";
}

constexpr std::array<const char *, 19> columns = {"id",
												  "changed_at",
												  "transition",
												  "from_stage",
												  "from_kill_switch",
												  "to_stage",
												  "to_kill_switch",
												  "decision",
												  "gate_p0_ok",
												  "gate_p1_ok",
												  "gate_rollout_ok",
												  "approved_by",
												  "changed_by",
												  "note",
												  "version",
												  "overridden",
												  "mock_clock",
												  "gates",
												  "change"};

std::string
truth(bool value) {
	return value ? "true" : "false";
}

std::string
csv_row(const HistoryRow &row) {
	const auto gates = parse(row.gates);
	const auto verdict = [&](const char *key) {
		const auto value = gates.is_object() ? gates.find(key) : gates.end();
		return gates.is_object() && value != gates.end() && value->is_boolean() ? truth(value->get<bool>())
																				: std::string();
	};
	const std::array<std::string, columns.size()> cells = {std::to_string(row.id),
														   format_iso(row.changed_at),
														   row.transition,
														   row.from_stage,
														   truth(row.from_kill_switch),
														   row.to_stage,
														   truth(row.to_kill_switch),
														   row.decision.value_or(""),
														   verdict("p0_ok"),
														   verdict("p1_ok"),
														   verdict("rollout_ok"),
														   row.approved_by,
														   row.changed_by,
														   row.note.value_or(""),
														   std::to_string(row.version),
														   truth(row.overridden),
														   truth(row.mock_clock),
														   row.gates.value_or(""),
														   row.change.value_or("")};
	std::string line;
	for (const auto &cell : cells)
		line += csv_cell(cell) + ",";
	return line + to_hex(row.hash);
}

std::string
json_row(const HistoryRow &row) {
	const auto maybe = [](const std::optional<std::string> &text) { return text ? Json(*text) : Json(nullptr); };
	Json json;
	json["id"] = row.id;
	json["changed_at"] = format_iso(row.changed_at);
	json["transition"] = row.transition;
	json["from"] = {{"stage", row.from_stage}, {"kill_switch", row.from_kill_switch}};
	json["to"] = {{"stage", row.to_stage}, {"kill_switch", row.to_kill_switch}};
	json["decision"] = maybe(row.decision);
	json["approved_by"] = row.approved_by;
	json["changed_by"] = row.changed_by;
	json["note"] = maybe(row.note);
	json["version"] = row.version;
	json["overridden"] = row.overridden;
	json["mock_clock"] = row.mock_clock;
	json["gates"] = parse(row.gates);
	json["change"] = parse(row.change);
	json["prev_hash"] = to_hex(row.prev_hash);
	json["hash"] = to_hex(row.hash);
	// ASCII alone: some readers of lines also break them at U+0085 or U+2028.
	return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace

LogFormat
parse_log_format(std::string_view text) {
	const auto found = std::find(format_names.begin(), format_names.end(), text);
	if (found == format_names.end())
		throw invalid_argument("unknown format \"" + std::string(text.substr(0, 64)) + "\"", {},
							   "Formats are markdown, csv and jsonl.");
	return static_cast<LogFormat>(found - format_names.begin());
}

std::vector<std::string>
decision_log_head(LogFormat format) {
	switch (format) {
	case LogFormat::markdown:
		return {"| id | UTC time | transition | from -> to | gates | decision | approved by | changed by | note | "
				"version | hash |",
				"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"};
	case LogFormat::csv: {
		std::string line;
		for (const auto *column : columns)
			line += std::string(column) + ",";
		return {line + "hash"};
	}
	case LogFormat::jsonl: return {};
	}
	return {};
}

std::string
decision_log_row(LogFormat format, const HistoryRow &row) {
	switch (format) {
	case LogFormat::markdown: return markdown_row(row);
	case LogFormat::csv: return csv_row(row);
	case LogFormat::jsonl: return json_row(row);
	}
	return {};
}

} // namespace chat_v11
