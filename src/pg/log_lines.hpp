#pragma once

// Lines for the server's log that must not be written before the change that they tell of is committed: a shipped log
// anchors the chain outside the database, so it must tell of nothing that did not happen.

#include <string>

namespace chat_v11::pg {

void register_log_callbacks();

// Written at level LOG when the transaction commits; forgotten when it, or its savepoint, rolls back.
void log_on_commit(const std::string &utf8_line);

// Written at once, to the server's log only.
void log_now(const std::string &utf8_line);

// Printable: what a caller typed cannot begin a line of its own.
std::string one_line(const std::string &text);

} // namespace chat_v11::pg
