#include "platform/http/cookies.hpp"

namespace kit::http {

std::string set_cookie(const Cookie& cookie, const CookiePolicy& policy)
{
    std::string out;
    out.reserve(cookie.value.size() + 128);
    out += cookie.name;
    out += '=';
    out += cookie.value;
    out += "; Path=";
    out += cookie.path;
    if (!policy.domain.empty()) {
        out += "; Domain=";
        out += policy.domain;
    }
    out += "; Max-Age=";
    out += std::to_string(cookie.max_age.count());
    if (cookie.http_only) {
        out += "; HttpOnly";
    }
    if (policy.secure) {
        out += "; Secure";
    }
    switch (policy.same_site) {
        case SameSite::lax:
            out += "; SameSite=Lax";
            break;
        case SameSite::strict:
            out += "; SameSite=Strict";
            break;
        case SameSite::none:
            out += "; SameSite=None";
            break;
    }
    return out;
}

}  // namespace kit::http
