// The page as a whole, and what people fill in.

#include "core/postmortem.hpp"

#include "core/postmortem_parts.hpp"

namespace chat_v11 {

using namespace postmortem;

namespace {

constexpr size_t most_items = 50;

// Nothing of this is known to a database; a quote stands out, and is easily written over.
std::string
for_people(const std::string &question) {
	return "> **For people to fill in.** " + question + "\n";
}

std::string
causes(const PostmortemInput &input) {
	std::string known;
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::check && note.point == 6)
			known = "The layer, as " + cell(note.author, name_bytes) + " noted at " + at_second(note.at) + ": \"" +
					cell(note.text, text_bytes) + "\"\n\n";
	return "### Technical\n\n" + known + for_people("What broke, since which change, and how is that known?") +
		   "\n### In the process\n\n" + for_people("Why did tests, review and the earlier stages let it pass?");
}

std::string
fixes(const PostmortemInput &input) {
	const auto &items = input.checklist.items;
	const auto id = std::to_string(incident_of(input).id);
	if (items.empty())
		return "None yet. A test, an alert, a guardrail: each with an owner and a date.\n\n    select "
			   "chat_v11.add_action_item('what', 'owner', '2026-12-31', " +
			   id + ");\n";
	std::string text = "| # | what | owner | until | state |\n| --- | --- | --- | --- | --- |\n";
	for (size_t i = 0; i < items.size() && i < most_items; ++i) {
		const auto &item = items[i];
		auto state = std::string("open");
		if (item.closed_at)
			state = item.resolution + " " + day_of(*item.closed_at) +
					(item.closing_text.empty() ? "" : ": " + cell(item.closing_text, line_bytes));
		else if (item.due && *item.due < day_of(input.now))
			state = "**overdue**";
		text += "| " + std::to_string(item.id) + " | " + cell(item.text, line_bytes) + " | " +
				(item.owner ? cell(*item.owner, name_bytes) : "**nobody**") + " | " + item.due.value_or("**no date**") +
				" | " + state + " |\n";
	}
	if (items.size() > most_items)
		text += "\n" + std::to_string(items.size() - most_items) +
				" more: `select * from chat_v11.action_item where incident = " + id + " order by id;`\n";
	return text + "\n" + for_people("Is each of them there: a test, an alert, a guardrail?");
}

// What a point rests on.  Where people ticked it their words stand in the time line already.
std::string
remark_of(const PostmortemInput &input, const ChecklistPoint &point) {
	const IncidentNote *tick = nullptr;
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::check && note.point == point.n)
			tick = &note;
	if (tick && point.remark.starts_with(tick->text))
		return "noted by " + cell(tick->author, name_bytes) + " at " + at_second(tick->at);
	return cell(point.remark, 2 * line_bytes);
}

std::string
points_table(const PostmortemInput &input) {
	std::string text;
	for (const auto &point : input.points)
		text += std::string("- [") + (point.done ? "x" : " ") + "] " + std::to_string(point.n) + ". " + point.point +
				": " + remark_of(input, point) + "\n";
	return text;
}

} // namespace

std::string
postmortem_text(const PostmortemInput &input) {
	std::string text = head(input);
	const auto section = [&](const char *heading, const std::string &body) {
		text += "\n## " + std::string(heading) + "\n\n" + body;
	};
	section("What happened", what_happened(input));
	section("Who was hit", who_was_hit(input));
	section("Time line", timeline(input));
	section("Decisions, and on what", decisions(input));
	section("The figures", figures(input));
	section("Causes", causes(input));
	section("What worked", for_people("What made it shorter or milder than it could have been?"));
	section("What did not work", for_people("What was late, missing or misleading?"));
	section("Permanent fixes", fixes(input));
	section("Checklist", points_table(input));
	return text +
		   "\nThe decision log holds the rest, and whether it is whole: `select * from chat_v11.verify_history();`\n";
}

} // namespace chat_v11
