#include "platform/http/claim.hpp"

namespace kit::http {

namespace {

Task<Result<void>> nothing_to_commit()
{
    co_return Result<void>();
}

}  // namespace

// Rendered here and now: the response may be gone when the task is awaited.
Task<Result<void>> commit_answer(RequestContext& ctx, db::Transaction& transaction, const Response& response)
{
    if (ctx.claim == nullptr) {
        return nothing_to_commit();
    }
    return ctx.claim->commit(transaction, render(ctx, response));
}

}  // namespace kit::http
