// Set-Cookie, RFC 6265 section 4.1, with the contract's order of attributes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace kit::http {

enum class SameSite : std::uint8_t { lax, strict, none };

// What all cookies of a deployment share.
struct CookiePolicy {
    std::string domain;  // empty: host-only
    bool secure = true;
    SameSite same_site = SameSite::lax;
};

struct Cookie {
    std::string_view name;
    std::string_view value;
    std::string_view path;
    std::chrono::seconds max_age{0};  // 0 removes the cookie
    bool http_only = true;
};

std::string set_cookie(const Cookie& cookie, const CookiePolicy& policy);

}  // namespace kit::http
