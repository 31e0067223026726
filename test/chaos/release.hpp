// The binary as it ships: a sanitized one has other times and other memory.
#pragma once

#include "support/process.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace kit::test {

inline std::filesystem::path release_binary()
{
    if (std::getenv("KIT_RELEASE_BINARY") != nullptr) {
        return path_from("KIT_RELEASE_BINARY");
    }
    auto built = std::filesystem::absolute("build/release/everything-backend");
    if (!std::filesystem::exists(built)) {
        throw std::runtime_error("there is no " + built.string() + ": ./dev build makes it");
    }
    return built;
}

}  // namespace kit::test
