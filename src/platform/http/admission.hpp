// What stands before every row, and before what has none: the limits of the whole product.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/http/types.hpp"

#include <optional>

namespace kit::http {

// Used by all workers at once.
class Admission {
public:
    Admission() = default;
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    virtual ~Admission() = default;

    // Once the row is known, before its guards. An error answers the request.
    virtual Task<std::optional<Error>> enter(RequestContext& ctx) const = 0;

    // After the row's chain. An error replaces its answer.
    virtual Task<std::optional<Error>> leave(RequestContext& ctx) const = 0;
};

}  // namespace kit::http
