#pragma once

// A refusal in the house's form: a stable token, one sentence, the facts, and the next command to type.

#include <stdexcept>
#include <string>
#include <utility>

namespace chat_v11 {

class Refusal : public std::runtime_error {
public:
	Refusal(const char *token, const char *sqlstate, const std::string &sentence, std::string detail, std::string hint)
		: std::runtime_error(std::string(token) + ": " + sentence), token_(token), sqlstate_(sqlstate),
		  detail_(std::move(detail)), hint_(std::move(hint)) {}

	const char *
	token() const noexcept {
		return token_;
	}
	const char *
	sqlstate() const noexcept {
		return sqlstate_;
	} // five characters
	const std::string &
	detail() const noexcept {
		return detail_;
	}
	const std::string &
	hint() const noexcept {
		return hint_;
	}

private:
	const char *token_;
	const char *sqlstate_;
	std::string detail_;
	std::string hint_;
};

// The codes PTxyz are what an HTTP gateway in front of PostgreSQL turns into status xyz.
inline Refusal
invalid_argument(const std::string &sentence, std::string detail = {}, std::string hint = {}) {
	return {"ERR_INVALID_ARGUMENT", "22023", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
invalid_transition(const std::string &sentence, std::string detail, std::string hint) {
	return {"ERR_INVALID_TRANSITION", "PT409", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
gate_closed(const std::string &sentence, std::string detail, std::string hint) {
	return {"ERR_GATE_CLOSED", "PT412", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
version_conflict(const std::string &sentence, std::string detail, std::string hint) {
	return {"ERR_VERSION_CONFLICT", "PT409", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
forbidden(const std::string &sentence, std::string detail = {}, std::string hint = {}) {
	return {"ERR_FORBIDDEN", "42501", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
resync_throttled(const std::string &sentence, std::string detail, std::string hint) {
	return {"ERR_RESYNC_THROTTLED", "PT429", sentence, std::move(detail), std::move(hint)};
}

inline Refusal
append_only(const std::string &sentence, std::string detail = {}, std::string hint = {}) {
	return {"ERR_APPEND_ONLY", "PT405", sentence, std::move(detail), std::move(hint)};
}

} // namespace chat_v11
