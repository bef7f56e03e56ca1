#include "core/history.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11 {

namespace {

void
append_field(std::string &out, std::string_view bytes) {
	out += std::to_string(bytes.size());
	out += ':';
	out += bytes;
	out += '\n';
}

void
append_nullable(std::string &out, const std::optional<std::string> &text) {
	if (text)
		append_field(out, std::string_view(*text));
	else
		out += "-\n";
}

constexpr std::string_view
truth(bool value) {
	return value ? "true" : "false";
}

// The algorithm that a change of the setting "bucketing" chose.
std::optional<Bucketing>
chosen_bucketing(const std::string &change) {
	const auto json = nlohmann::json::parse(change, nullptr, false);
	const auto text = [&](const char *path) {
		const nlohmann::json::json_pointer pointer(path);
		return json.contains(pointer) && json[pointer].is_string() ? json[pointer].get<std::string>() : std::string();
	};
	if (text("/table") != "setting" || text("/key") != "bucketing")
		return std::nullopt;
	return parse_bucketing(text("/new/value"));
}

} // namespace

std::string
to_hex(const Digest &digest) {
	static constexpr char digits[] = "0123456789abcdef";
	std::string text;
	text.reserve(2 * digest.size());
	for (const auto byte : digest) {
		text += digits[byte >> 4];
		text += digits[byte & 15];
	}
	return text;
}

std::string
canonical_form(const HistoryRow &row) {
	std::string out;
	append_field(out, std::to_string(row.id));
	append_field(out, format_iso(row.changed_at));
	append_field(out, std::string_view(row.transition));
	append_field(out, std::string_view(row.from_stage));
	append_field(out, std::string_view(row.to_stage));
	append_field(out, truth(row.from_kill_switch));
	append_field(out, truth(row.to_kill_switch));
	append_nullable(out, row.decision);
	append_field(out, std::string_view(row.approved_by));
	append_field(out, std::string_view(row.changed_by));
	append_nullable(out, row.note);
	append_field(out, std::to_string(row.version));
	append_field(out, truth(row.overridden));
	append_field(out, truth(row.mock_clock));
	append_nullable(out, row.gates);
	append_nullable(out, row.change);
	append_field(out, to_hex(row.prev_hash));
	return out;
}

std::optional<std::string>
ChainWalker::feed(const HistoryRow &row, const Digest &computed) {
	if (row.id != last_id_ + 1)
		return row.id <= last_id_       ? "id " + std::to_string(row.id) + " comes twice"
			   : row.id == last_id_ + 2 ? "row " + std::to_string(last_id_ + 1) + " before it is missing"
										: "rows " + std::to_string(last_id_ + 1) + " to " + std::to_string(row.id - 1) +
											  " before it are missing";
	if (row.hash != computed)
		return "its content does not match its hash: it was rewritten";
	if (row.prev_hash != last_hash_)
		return "prev_hash is not the hash of row " + std::to_string(last_id_) + ": one of the two was replaced";

	const auto transition = parse_transition(row.transition);
	const auto from = parse_stage(row.from_stage);
	const auto to = parse_stage(row.to_stage);
	if (!transition || !from || !to)
		return "transition or stage is none that exists";
	if (*from != state_.stage || row.from_kill_switch != state_.kill_switch)
		return "it starts from " + row.from_stage + (row.from_kill_switch ? ", killed" : ", live") +
			   ", but the row before ends at " + std::string(name(state_.stage)) +
			   (state_.kill_switch ? ", killed" : ", live");
	if (!is_legal_step(*transition, state_, *to, row.to_kill_switch))
		return "no transition \"" + row.transition + "\" leads from " + row.from_stage + " to " + row.to_stage;
	const bool config = *transition == Transition::config;
	if (row.version != state_.version + (config ? 0 : 1))
		return "version " + std::to_string(row.version) + " does not follow version " + std::to_string(state_.version);
	if (config != !row.decision.has_value() || config != row.change.has_value())
		return "decision or change is missing, or out of place";

	last_id_ = row.id;
	last_hash_ = row.hash;
	if (config) {
		chosen_ = chosen_bucketing(*row.change).value_or(chosen_);
		return std::nullopt;
	}
	if (!state_.started_at)
		state_.bucketing = chosen_;
	state_.exists = true;
	state_.stage = *to;
	state_.kill_switch = row.to_kill_switch;
	state_.version = row.version;
	state_.history_id = row.id;
	if (*transition != Transition::rekill || !state_.entered_at || *state_.entered_at > row.changed_at)
		state_.entered_at = row.changed_at;
	if (!row.to_kill_switch && !state_.started_at)
		state_.started_at = row.changed_at;
	state_.updated_at = row.changed_at;
	state_.updated_by = row.changed_by;
	state_.note = row.note;
	if (*transition != Transition::hold)
		state_.overridden = row.overridden;
	return std::nullopt;
}

std::optional<std::string>
ChainWalker::compare(const State &present) const {
	if (!state_.exists && !present.exists)
		return std::nullopt;
	if (!present.exists)
		return "the state row is missing, and the log ends at " + describe(state_) + ", version " +
			   std::to_string(state_.version);
	if (!state_.exists)
		return "there is a state row, " + describe(present) + ", and the log tells of no change that made it";
	const auto differs = [&](const char *what) {
		return std::string("the present state differs from the newest row in ") + what + ": state is " +
			   describe(present) + ", version " + std::to_string(present.version) + ", and the log ends at " +
			   describe(state_) + ", version " + std::to_string(state_.version);
	};
	if (present.version != state_.version)
		return differs("version");
	if (present.stage != state_.stage || present.kill_switch != state_.kill_switch)
		return differs("stage or kill switch");
	if (present.entered_at != state_.entered_at)
		return differs("entered_at");
	if (present.started_at != state_.started_at)
		return differs("started_at");
	if (present.updated_at != state_.updated_at || present.updated_by != state_.updated_by)
		return differs("updated_at or updated_by");
	if (present.note != state_.note)
		return differs("note");
	if (present.history_id != state_.history_id)
		return differs("history_id");
	if (present.overridden != state_.overridden)
		return differs("overridden");
	if (present.bucketing != state_.bucketing)
		return differs("bucketing") + "; it is hashed by " + std::string(name(present.bucketing)) +
			   ", and the log chose " + std::string(name(state_.bucketing));
	return std::nullopt;
}

} // namespace chat_v11
