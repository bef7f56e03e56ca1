#include "pg/version.hpp"

namespace chat_v11::pg {

// The one file that is built anew with the control file, from which the Makefile has it.
std::string
library_version() {
	return CHAT_V11_VERSION;
}

} // namespace chat_v11::pg
