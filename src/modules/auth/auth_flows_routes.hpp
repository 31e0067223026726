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
http::RouteDoc flow_doc(Flow flow);

// Of an address, in any body that has one.
inline constexpr http::Field email_field{
    .name = "email", .required = true, .characters_max = email_characters_max, .format = "email"
};

// What the policy of new passwords asks beyond this, its answer says.
constexpr http::Field new_password_field(std::string_view name)
{
    return {
        .name = name,
        .note =
            "12 characters with upper, lower, digit and special ones, or a passphrase of 20; no common one",
        .required = true,
        .characters_min = 12,
        .format = "password"
    };
}

inline constexpr http::Refusal local_accounts_off{404, "local auth is disabled (NOT_ENABLED)"};

// What the contract says of a sign-in.
struct AuthResult {
    std::string csrf_token;
    Timestamp expires_at;
    users::User user;
};
BOOST_DESCRIBE_STRUCT(AuthResult, (), (csrf_token, expires_at, user))

// That, and the tokens as cookies.
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
