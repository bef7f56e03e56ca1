#pragma once

#include <string>

namespace chat_v11::pg {

// The extension's default version when this library was built.
std::string library_version();

} // namespace chat_v11::pg
