#pragma once

// The decision log: the canonical form that is hashed, and what a chain of rows must satisfy.

#include "core/transition.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

using Digest = std::array<std::uint8_t, 32>;

std::string to_hex(const Digest &digest);

// One row as chat_v11.rollout_history holds it.  Texts are UTF-8; jsonb columns are in PostgreSQL's own text form.
struct HistoryRow {
	std::int64_t id = 0;
	Time changed_at{};
	std::string transition;
	std::string from_stage;
	std::string to_stage;
	bool from_kill_switch = true;
	bool to_kill_switch = true;
	std::optional<std::string> decision; // null for transition "config"
	std::string approved_by;
	std::string changed_by;
	std::optional<std::string> note;
	std::int64_t version = 0;
	bool overridden = false;
	bool mock_clock = false;
	std::optional<std::string> gates;
	std::optional<std::string> change; // what a "config" row changed
	Digest prev_hash{};                // zeros in the first row
	Digest hash{};
};

// The bytes that are hashed: every column but `hash` in the order above, each as "<length in bytes>:<bytes>\n", a null
// as "-\n".  Numbers are decimal, truth values "true" and "false", times as format_iso(), digests lower-case hex.
std::string canonical_form(const HistoryRow &row);

// Walks a chain from its first row.  feed() returns what does not fit, or nothing.
class ChainWalker {
public:
	// `computed` is SHA-256 of canonical_form(row).
	std::optional<std::string> feed(const HistoryRow &row, const Digest &computed);

	// The state that the rows so far add up to.
	const State &
	state() const {
		return state_;
	}
	std::int64_t
	last_id() const {
		return last_id_;
	}

	// What the row that holds the present state must be, or a sentence that says how it differs.
	std::optional<std::string> compare(const State &present) const;

private:
	std::int64_t last_id_ = 0;
	Digest last_hash_{};
	Bucketing chosen_ = Bucketing::flagd_v2; // what the next first start would freeze
	State state_;
};

} // namespace chat_v11
