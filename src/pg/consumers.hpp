#pragma once

// chat_v11.consumer: which version of the state each consumer runs by its own account.

#include "core/consumers.hpp"
#include "pg/spi.hpp"

#include <vector>

namespace chat_v11::pg {

struct Consumer {
	std::string name;
	std::int64_t version;
	Time since; // of this version
	Time seen_at;
	std::string role;
};

// Writes only what is news.  Never waits: of acknowledgements of one consumer at the same moment, one counts.
void ack_version(Spi &spi, const std::string &consumer, std::int64_t version, const std::string &role, Time now);

// Those heard of within consumer_silence, by name.
std::vector<Consumer> load_consumers(Spi &spi, Time now);

// Deletes the others, some thousand at most; how many.
std::int64_t drop_silent_consumers(Spi &spi, Time now);

} // namespace chat_v11::pg
