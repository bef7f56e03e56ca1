// The decision log in each format: nothing that somebody typed leaves its cell.

#include "core/decision_log.hpp"
#include "fixture.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11::test {

namespace {

using Json = nlohmann::json;

HistoryRow
promotion(std::string note) {
	HistoryRow row;
	row.id = 4;
	row.changed_at = noon;
	row.transition = "promote";
	row.from_stage = "canary_1";
	row.to_stage = "canary_10";
	row.from_kill_switch = row.to_kill_switch = false;
	row.decision = "PROCEED";
	row.approved_by = "ic";
	row.changed_by = "oncall";
	row.note = std::move(note);
	row.version = 2;
	row.gates = R"({"p0_ok": true, "p1_ok": true, "rollout_ok": false, "reasons": ["one | two", "three"]})";
	row.hash.fill(0xAB);
	return row;
}

const std::string hex(64, 'a');

// Fields of the first record, as RFC 4180 has them; nothing where it is not well-formed.
std::optional<std::vector<std::string>>
read_csv(const std::string &text) {
	std::vector<std::string> cells(1);
	for (size_t i = 0; i < text.size(); ++i) {
		if (text[i] == ',') {
			cells.emplace_back();
		} else if (text[i] == '"') {
			if (!cells.back().empty())
				return std::nullopt;
			for (++i;; ++i) {
				if (i >= text.size())
					return std::nullopt;
				if (text[i] == '"' && (i + 1 >= text.size() || text[i + 1] != '"'))
					break;
				if (text[i] == '"')
					++i;
				cells.back() += text[i];
			}
			if (i + 1 < text.size() && text[i + 1] != ',')
				return std::nullopt;
		} else if (text[i] == '\n' || text[i] == '\r') {
			return std::nullopt;
		} else {
			cells.back() += text[i];
		}
	}
	return cells;
}

size_t
unescaped_pipes(const std::string &line) {
	size_t count = 0;
	for (size_t i = 0; i < line.size(); ++i) {
		if (line[i] == '\\')
			++i;
		else if (line[i] == '|')
			++count;
	}
	return count;
}

constexpr std::string_view hostile[] = {"=cmd|' /C calc'!A0",
										"+1",
										"-1",
										"@SUM(1)",
										"\t=1",
										"  =1",
										"\r\n=1",
										"a,b\"c\"\nnext,line",
										"| injected | cell |\n| --- |",
										"`code` <script>alert(1)</script> [x](javascript:1) \\| *b*",
										"\"",
										"\\",
										"",
										"x\xE2\x80\xA8y",
										"＝1"};

} // namespace

BOOST_AUTO_TEST_SUITE(decision_log)

BOOST_AUTO_TEST_CASE(formats_by_name) {
	BOOST_TEST((parse_log_format("csv") == LogFormat::csv));
	for (const auto *wrong : {"", "CSV", "html"})
		BOOST_TEST(refusal_of([&] { (void)parse_log_format(wrong); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_DATA_TEST_CASE(csv_keeps_each_text_in_its_cell, bdata::make(hostile), text) {
	auto row = promotion(std::string(text));
	row.approved_by = std::string(text);
	const auto head = read_csv(decision_log_head(LogFormat::csv).front());
	const auto cells = read_csv(decision_log_row(LogFormat::csv, row));
	BOOST_TEST_REQUIRE(cells.has_value());
	BOOST_TEST_REQUIRE(cells->size() == head->size());
	BOOST_TEST(head->back() == "hash");
	for (const size_t i : {size_t{11}, size_t{13}}) {
		const auto &cell = (*cells)[i];
		const auto plain = !cell.empty() && cell.front() == '\'' ? cell.substr(1) : cell;
		BOOST_TEST(plain == text);
		const auto first = cell.find_first_not_of(' ');
		BOOST_TEST((first == std::string::npos ||
					std::string_view("=+-@\t\r\n|").find(cell[first]) == std::string_view::npos));
		BOOST_TEST(!cell.starts_with("＝"));
	}
}

BOOST_DATA_TEST_CASE(jsonl_is_one_line_of_ascii, bdata::make(hostile), text) {
	const auto line = decision_log_row(LogFormat::jsonl, promotion(std::string(text)));
	for (const char c : line)
		BOOST_REQUIRE((c >= 0x20 && c < 0x7F));
	const auto json = Json::parse(line);
	BOOST_TEST(json["note"].get<std::string>() == text);
	BOOST_TEST(json["gates"]["reasons"][0] == "one | two");
	BOOST_TEST(json["hash"].get<std::string>().size() == 64u);
}

BOOST_DATA_TEST_CASE(markdown_is_one_row_of_as_many_cells, bdata::make(hostile), text) {
	auto row = promotion(std::string(text));
	row.changed_by = std::string(text);
	const auto line = decision_log_row(LogFormat::markdown, row);
	const auto &head = decision_log_head(LogFormat::markdown);
	BOOST_TEST(line.find('\n') == std::string::npos);
	for (size_t i = line.find('<'); i != std::string::npos; i = line.find('<', i + 1))
		BOOST_TEST(line[i - 1] == '\\');
	BOOST_TEST(unescaped_pipes(line) == unescaped_pipes(head[0]));
	BOOST_TEST(unescaped_pipes(line) == unescaped_pipes(head[1]));
}

BOOST_AUTO_TEST_CASE(a_row_for_people) {
	auto row = promotion("promote to 10%");
	row.hash.fill(0xAA);
	BOOST_TEST(
		decision_log_row(LogFormat::markdown, row) ==
		"| 4 | 2026-03-01 12:00:00 UTC | promote | canary_1, live -> canary_10, live | P0 ok, P1 ok, rollout not ok: "
		"one \\| two (and 1 more) | PROCEED | ic | oncall | promote to 10% | 2 | `" +
			hex + "` |");
	row.gates = R"({"unavailable": "it took longer than 1000 ms"})";
	row.overridden = row.mock_clock = true;
	const auto line = decision_log_row(LogFormat::markdown, row);
	BOOST_TEST(contains(line, "| not read: it took longer than 1000 ms |"));
	BOOST_TEST(contains(line, "| promote, break-glass, mocked clock |"));
}

BOOST_AUTO_TEST_CASE(a_changed_setting_says_what_changed) {
	auto row = promotion("why");
	row.transition = "config";
	row.decision.reset();
	row.change = R"({"table": "gate_check", "key": "full_state_rate", "old": {"name": "full_state_rate",
		"limit_value": 0.05, "enabled": true}, "new": {"name": "full_state_rate", "limit_value": 0.1, "enabled": true}})";
	BOOST_TEST(contains(decision_log_row(LogFormat::markdown, row),
						"| gate_check full_state_rate: limit_value 0.05 -> 0.1 | P0 ok, P1 ok, rollout not ok |  |"));
	row.change = R"({"table": "oncall", "key": "IC", "old": null, "new": {"role": "IC", "person": "ic", "since": "x",
		"assigned_by": "y"}})";
	BOOST_TEST(contains(decision_log_row(LogFormat::markdown, row), "| oncall IC: person ic |"));
	row.gates = "no json";
	row.change = "no json";
	BOOST_TEST(contains(decision_log_row(LogFormat::jsonl, row), R"("gates":"no json","change":"no json")"));
	BOOST_TEST(contains(decision_log_row(LogFormat::markdown, row), "| config |"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
