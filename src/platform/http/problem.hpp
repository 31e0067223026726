// Errors on the wire: the contract's envelope, or problem details (RFC 9457) where the client prefers them.
#pragma once

#include "platform/core/error.hpp"
#include "platform/http/types.hpp"

#include <string>
#include <string_view>

namespace kit::http {

// An error code's status and contract code. The one place where they meet.
struct WireCode {
    int status;
    std::string_view code;
};

WireCode wire_code(ErrorCode code);

// RFC 9110 section 15; "Unknown" for a status that this server never sends.
std::string_view reason_phrase(int status);

// Whether the Accept headers (RFC 9110 section 12.5.1) prefer application/problem+json to application/json.
// Only its own name selects it, never a wildcard; a quality of 0 excludes it; of equal qualities it wins.
bool prefers_problem(const Request& request);

// The JSON body of an error in the chosen form. `instance` is the decoded path.
struct ErrorBody {
    const Error* error;
    bool problem;
    std::string_view instance;
    std::string_view request_id;
    Timestamp now;
};

void write_error(std::string& out, const ErrorBody& body);

}  // namespace kit::http
