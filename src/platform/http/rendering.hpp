// Bodies as the client gets them.
#pragma once

#include "platform/http/types.hpp"

#include <string>
#include <string_view>

namespace kit::http {

// An answer's status, type and body, byte for byte.
struct Rendered {
    int status = 0;
    std::string content_type;  // empty where there is no body
    std::string body;
};

// Renders the answer ahead of time, so that it can be stored; what is sent later has these very bytes. An
// answer with Payload::complete has its Content-Type among its headers; a stream has no body ahead of time.
Rendered render(RequestContext& ctx, const Response& response);
Rendered render(RequestContext& ctx, const Error& error);

// The contract's envelope around a JSON value.
void append_envelope(std::string& out, std::string_view data, const RequestContext& ctx, Timestamp now);

// An error's body in the form that the client prefers; returns its Content-Type.
std::string_view error_type(const RequestContext& ctx);
void append_error(std::string& out, const RequestContext& ctx, const Error& error, Timestamp now);

}  // namespace kit::http
