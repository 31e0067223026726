// What the services of this room share.
#pragma once

#include "modules/auth/auth.hpp"

namespace kit::auth {

inline Error not_enabled()
{
    return {ErrorCode::not_enabled, "local auth is disabled"};
}

inline Error invalid_credentials()
{
    return Error::unauthenticated("invalid credentials");
}

inline Error weak_password()
{
    return Error::invalid(std::string(weak_password_text));
}

inline Error invalid_token()
{
    return {ErrorCode::invalid_or_expired_token, "invalid or expired token"};
}

inline Error address_taken()
{
    return Error::invalid("email already registered");
}

// Address and name as they are kept; the first fault in the contract's order.
std::optional<Error> normalise(Registration& registration);

// Taken note of, for whomever: the trail does not tell whether there is such a user.
inline audit::Event accepted(const audit::Kind& kind, std::string_view reason)
{
    return {
        .kind = kind,
        .outcome = audit::outcome::accepted,
        .reason = reason,
        .target_type = "user",
        .target_id = "unknown"
    };
}

// A one-time token has done what it was for. Its bearer has not said who he is.
inline audit::Event consumed(const audit::Kind& kind, std::string_view reason, std::string_view target_type)
{
    return {
        .kind = kind,
        .outcome = audit::outcome::success,
        .reason = reason,
        .target_type = target_type,
        .target_id = "consumed"
    };
}

// The attempt's result; its failure is put on record. Only texts that a client may see go into the trail: an
// outage's cause stays in the log.
template <class T>
Task<Result<T>> on_record(
    audit::Service& audit, Refusal refusal, audit::Origin origin, Task<Result<T>> attempt
)
{
    try {
        auto result = co_await std::move(attempt);
        if (!result) {
            audit.record(refused(refusal, result.error().message()), origin);
        }
        co_return result;
    } catch (const Cancelled&) {
        throw;
    } catch (const std::exception&) {
        audit.record(refused(refusal, "unavailable"), origin);
        throw;
    }
}

}  // namespace kit::auth
