#pragma once

// How a function changes a row that is logged in the chain.

#include "core/refusal.hpp"
#include "pg/spi.hpp"

namespace chat_v11 {

// Writes one row under the lock, and returns it whole, as the table's row type.
Datum write_and_return(const char *sql, pg::Params params, const Refusal &if_missing);

} // namespace chat_v11
