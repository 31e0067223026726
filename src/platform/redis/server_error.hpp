// What an error reply means.
#pragma once

#include "platform/redis/redis.hpp"

namespace kit::redis {

enum class ServerError : std::uint8_t {
    command,  // the command's own affair: a value for its caller
    moved,
    ask,
    no_script,
    try_again,     // a slot on the move holds only some of the keys
    cluster_down,  // also MASTERDOWN
    read_only,
    loading,
    out_of_memory,
    not_authenticated,
    no_permission,  // NOPERM: this command is not allowed to us, others may be
    refused,        // MISCONF, NOREPLICAS, BUSY, UNBLOCKED
};

ServerError classify(std::string_view error);

// For metrics: "moved", "read_only" ...
std::string_view to_string(ServerError error);

// The failure that the caller sees where nothing else can be done.
Failure failure_of(ServerError error);

// "MOVED 3999 127.0.0.1:6381", "ASK ...". A host left out is the one that was asked.
struct Redirect {
    std::uint16_t slot = 0;
    config::Endpoint endpoint;
};

std::optional<Redirect> parse_redirect(std::string_view error, const std::string& asked_host);

}  // namespace kit::redis
