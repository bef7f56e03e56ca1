#pragma once

// Numbers as the reasons of the canary analysis show them.

#include <string>

namespace chat_v11::analysis {

// "977,100"
std::string format_count(double count);

// "0.17 %"; three digits at most.
std::string format_percent(double rate);

// "0.27", "1.35", "4.2", "17": a ratio, as finely as it matters.
std::string format_ratio(double ratio);

// "probability below 1/213" of at most e^-x; in powers of ten where it is tiny.  "" where x says nothing.
std::string odds_text(double x);

} // namespace chat_v11::analysis
