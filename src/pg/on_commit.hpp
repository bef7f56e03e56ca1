#pragma once

// What is told only if a change commits: lines of the server's log, which anchor the chain outside the database and so
// must tell of nothing that did not happen, and notifications.

#include "core/text.hpp"

#include <string>

namespace chat_v11::pg {

void register_commit_callbacks();

// Written at level LOG when the transaction commits; forgotten when it, or its savepoint, rolls back.
void log_on_commit(const std::string &utf8_line);

// Sent on channel chat_v11 when the transaction commits.  Put to PostgreSQL only then, so that it never is what refuses
// a change: one that is prepared for COMMIT PREPARED, that finds the queue full, or another session's commit in its
// way, goes without, and the server's log says so.
void notify_on_commit(const std::string &utf8_payload);

// From here to the end of the transaction PREPARE TRANSACTION is refused: "a transaction that called CALLED cannot be
// prepared", and why.
void forbid_prepare(const char *called, const char *why);

// Written at once, to the server's log only.
void log_now(const std::string &utf8_line);

// Told at once to who called, at an ereport() level below ERROR; what is empty is left out.
void tell(int level, const std::string &sentence, const std::string &detail, const std::string &hint);

inline constexpr const char *notification_channel = "chat_v11";

} // namespace chat_v11::pg
