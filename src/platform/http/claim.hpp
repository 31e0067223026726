// A handler's answer, committed together with its effect.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/http/rendering.hpp"
#include "platform/http/types.hpp"

namespace kit::db {
class Transaction;
}  // namespace kit::db

namespace kit::http {

// The idempotency key of a request that is being handled, on routes that ask for one. Where a handler does
// not use it, its answer is stored after it has returned, in a transaction of its own.
class Claim {
public:
    Claim() = default;
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    virtual ~Claim() = default;

    // Stores the answer in the effect's transaction. conflict: this request took so long that another one
    // holds the key now, and its effect must not be committed.
    virtual Task<Result<void>> commit(db::Transaction& transaction, Rendered answer) = 0;
};

// The last step of a transaction whose effect is answered by `response`; nothing on a route without
// idempotency. conflict, as above.
Task<Result<void>> commit_answer(RequestContext& ctx, db::Transaction& transaction, const Response& response);

}  // namespace kit::http
