// Errors. What a caller can expect is a value, Result<T>; what it cannot expect is one of the exceptions
// below, which the HTTP server turns into 503 or 500 in one place.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit {

// What can be expected to go wrong. http/problem.cpp maps each to a status, a contract code and an RFC 9457
// type.
enum class ErrorCode : std::uint8_t {
    internal,
    invalid_input,
    invalid_or_expired_token,
    unauthenticated,
    forbidden,
    email_unverified,
    not_found,
    not_enabled,
    conflict,
    unprocessable,
    precondition_failed,  // 412: If-Match names another state
    rate_limited,
    method_not_allowed,
    request_timeout,      // 408: the request came too slowly
    expectation_failed,   // 417
    version_unsupported,  // 505
    payload_too_large,
    uri_too_long,
    headers_too_large,
    unsupported,  // a request form we do not speak: 501
    unavailable,  // a dependency is down: 503
};

// An expected failure: a code, a message for the client (never internal text), optional details as a JSON
// value, and how long to wait before trying again. Cheap to copy and move: one pointer and one byte.
class [[nodiscard]] Error {
public:
    Error(ErrorCode code, std::string message)
        : code_(code), detail_(std::make_shared<const Detail>(Detail{.message = std::move(message)}))
    {
    }

    static Error invalid(std::string message) { return {ErrorCode::invalid_input, std::move(message)}; }

    static Error unauthenticated(std::string message)
    {
        return {ErrorCode::unauthenticated, std::move(message)};
    }

    static Error forbidden(std::string message) { return {ErrorCode::forbidden, std::move(message)}; }

    static Error not_found(std::string message) { return {ErrorCode::not_found, std::move(message)}; }

    static Error conflict(std::string message) { return {ErrorCode::conflict, std::move(message)}; }

    static Error internal(std::string message) { return {ErrorCode::internal, std::move(message)}; }

    // The same error with `details`, a complete JSON value that the client sees.
    Error with_details(std::string json) &&
    {
        auto detail = *detail_;
        detail.details_json = std::move(json);
        detail_ = std::make_shared<const Detail>(std::move(detail));
        return std::move(*this);
    }

    // The same error with a Retry-After of at least `wait` (rounded up to whole seconds when sent).
    Error with_retry_after(std::chrono::milliseconds wait) &&
    {
        auto detail = *detail_;
        detail.retry_after = wait;
        detail_ = std::make_shared<const Detail>(std::move(detail));
        return std::move(*this);
    }

    // The same error under another contract code than the one its ErrorCode stands for, such as
    // "RBAC_UNAVAILABLE".
    Error with_wire_code(std::string code) &&
    {
        auto detail = *detail_;
        detail.wire_code = std::move(code);
        detail_ = std::make_shared<const Detail>(std::move(detail));
        return std::move(*this);
    }

    ErrorCode code() const noexcept { return code_; }

    const std::string& message() const noexcept { return detail_->message; }

    const std::string& details_json() const noexcept { return detail_->details_json; }  // empty: none

    const std::string& wire_code() const noexcept { return detail_->wire_code; }  // empty: the code's own

    std::chrono::milliseconds retry_after() const noexcept { return detail_->retry_after; }  // zero: none

private:
    struct Detail {
        std::string message;
        std::string details_json;
        std::string wire_code;
        std::chrono::milliseconds retry_after{0};
    };

    ErrorCode code_;
    std::shared_ptr<const Detail> detail_;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(Error error)
{
    return std::unexpected(std::move(error));
}

// A dependency cannot be used now (database or Redis gone, disk full). Becomes 503. `what()` goes to the log
// only.
class Unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A bounded queue is full. Becomes 503 with Retry-After.
class Overloaded final : public Unavailable {
public:
    explicit Overloaded(const std::string& what, std::chrono::seconds retry_after = std::chrono::seconds(1))
        : Unavailable(what), retry_after_(retry_after)
    {
    }

    std::chrono::seconds retry_after() const noexcept { return retry_after_; }

private:
    std::chrono::seconds retry_after_;
};

// The wait's deadline passed. Becomes 503.
class DeadlineExceeded final : public Unavailable {
public:
    using Unavailable::Unavailable;
};

// The caller went away or the process stops; nobody reads the answer.
class Cancelled final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace kit

// The value of a Result, or a co_return of its error. The one macro of the kit.
#define TRY(...)                                                       \
    ({                                                                 \
        auto _try_result = (__VA_ARGS__);                              \
        if (!_try_result) [[unlikely]] {                               \
            co_return std::unexpected(std::move(_try_result).error()); \
        }                                                              \
        *std::move(_try_result);                                       \
    })
