#pragma once

// The decision log for people, spreadsheets and machines.  What somebody typed stays within its cell in each.

#include "core/history.hpp"

#include <vector>

namespace chat_v11 {

enum class LogFormat { markdown, csv, jsonl };

// Throws ERR_INVALID_ARGUMENT for any other word.
LogFormat parse_log_format(std::string_view text);

// The lines that come before the first row.
std::vector<std::string> decision_log_head(LogFormat format);

// One row of the log: a line, but for line breaks within the quotes of CSV.
std::string decision_log_row(LogFormat format, const HistoryRow &row);

} // namespace chat_v11
