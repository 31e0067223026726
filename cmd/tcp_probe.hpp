// Does something listen there?
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace kit::cmd {

// Nothing if a TCP connection to host:port succeeds, else why not. Tries every address of the host; blocks at
// most `limit` for each.
std::optional<std::string> probe_tcp(const std::string& endpoint, std::chrono::milliseconds limit);

}  // namespace kit::cmd
