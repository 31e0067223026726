// From the bytes of a sound head to a Request.
#pragma once

#include "platform/http/head_guard.hpp"
#include "platform/http/types.hpp"

#include <expected>
#include <string_view>

namespace kit::http {

// Reads a head that check_head() accepted into `request`; its views point into `head`. Keeps the request's
// `peer` and the capacity of its vector. Refuses what Beast will not read although the guard did: two readers
// that disagree are the smuggler's tool.
std::expected<void, Refusal> parse_head(std::string_view head, const HeadFacts& facts, Request& request);

// The method of exactly that name.
Method method_from(std::string_view text);

}  // namespace kit::http
