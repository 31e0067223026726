// Whether a page of another site sent a request: what browsers say of it themselves, for requests that carry
// their cookies along unasked.
#pragma once

#include "platform/http/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kit::http {

class RequestOrigins {
public:
    struct Options {
        std::vector<std::string> allowed;  // origins, to the letter, as for CORS
        std::string cookie_domain;         // whose hosts share the cookies; empty: the request's own host
    };

    explicit RequestOrigins(Options options) : options_(std::move(options)) {}

    // An allowed Origin always does. Else Sec-Fetch-Site decides, where the browser sends it, and the host of
    // Origin where it does not. A request with neither comes from no browser, or from an old one.
    bool same_site(const Request& request) const;

private:
    bool own_host(std::string_view origin, const Request& request) const;

    Options options_;
};

}  // namespace kit::http
