// What the handlers of this room share, and those of verification and of new passwords.
#pragma once

#include "modules/auth/auth.hpp"
#include "platform/http/body.hpp"
#include "platform/http/route.hpp"

namespace kit::auth {

enum class Flow : std::uint8_t {
    verify_request,
    verify_confirm,
    password_forgot,
    password_reset,
    password_change,
};

http::Handler flow_handler(Flow flow, Routes& handlers);

// The tokens as cookies, and what the contract says of the sign-in.
http::Response signed_in(const Routes& handlers, int status, sessions::Issued issued);

// The body; one that cannot be read is on record.
template <class T>
Result<T> read_body(const Routes& handlers, const http::RequestContext& ctx, Refusal refusal)
{
    auto body = ctx.json<T>();
    if (!body) {
        refusal.reason = "invalid_payload";
        handlers.audit.record(refused(refusal, ""), audit::origin_of(ctx));
    }
    return body;
}

}  // namespace kit::auth
