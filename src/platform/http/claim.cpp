#include "platform/http/claim.hpp"

namespace kit::http {

Task<Result<void>> commit_answer(RequestContext& ctx, db::Transaction& transaction, const Response& response)
{
    if (ctx.claim == nullptr) {
        co_return Result<void>();
    }
    co_return co_await ctx.claim->commit(transaction, render(ctx, response));
}

}  // namespace kit::http
