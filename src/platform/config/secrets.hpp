// The secrets of a local-like profile: made once, kept beside the data.
#pragma once

#include "platform/config/load.hpp"

#include <expected>
#include <filesystem>
#include <map>
#include <string>

namespace kit::config {

using Secrets = std::map<std::string, Secret, std::less<>>;

// Makes the folder, and what leads to it, for its owner alone (0700). One that exists stays as it is.
std::expected<void, Fault> make_private_folder(const std::filesystem::path& folder);

// Reads `secrets.env` of the folder. Where there is none, `random` makes it with mode 0600, whole or not at
// all: of several processes that start together one wins and all answer with its secrets. Without `random` a
// missing file yields no secrets. Faults, all of DATA_DIR: the file is open to others, lacks a secret or has
// one too short, or cannot be read or written.
std::expected<Secrets, Fault> load_or_create_secrets(
    const std::filesystem::path& folder, const RandomBytes& random
);

}  // namespace kit::config
