#pragma once

// What checklist and postmortem are told from: the incident, and around it decision log, gate log and telemetry.

#include "core/postmortem.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

// Throws ERR_INVALID_ARGUMENT for an incident that there is not.
ChecklistInput read_checklist(std::int64_t incident);
PostmortemInput read_postmortem(std::int64_t incident);

} // namespace chat_v11::pg
