#include "app/idempotency.hpp"

#include "platform/core/fail_point.hpp"
#include "platform/core/shielded.hpp"
#include "platform/http/claim.hpp"

namespace kit::app {

namespace {

using http::Middleware;
using http::Next;
using http::Reply;
using http::RequestContext;
using idempotency::Attempt;
using idempotency::Found;
using idempotency::Store;

constexpr telemetry::Instrument idempotency_events{
    .name = "http.idempotency.events",
    .description = "Requests on routes that ask for an Idempotency-Key.",
    .attributes = {"scope", "outcome"},
};

constexpr audit::Kind check_event{"idempotency.check", "check"};
constexpr audit::Kind replay_event{"idempotency.replay", "replay"};
constexpr audit::Kind complete_event{"idempotency.complete", "complete"};

constexpr std::size_t key_digits_shown = 12;

Error in_progress()
{
    return Error::conflict("request with this idempotency key is in progress")
        .with_retry_after(idempotency::retry_after);
}

// The key of a request whose handler runs.
class HeldKey final : public http::Claim {
public:
    HeldKey(Store& store, const Attempt& attempt) : store_(store), attempt_(attempt) {}

    Task<Result<void>> commit(db::Transaction& transaction, http::Rendered answer) override
    {
        if (!store_.is_transactional()) {
            co_return Result<void>();
        }
        KIT_FAIL_POINT("idempotency.effect");
        if (!co_await store_.complete(transaction, attempt_, std::move(answer))) {
            co_return failure(in_progress());
        }
        KIT_FAIL_POINT("idempotency.record");
        stored_ = true;
        co_return Result<void>();
    }

    // Whether a transaction stored the answer. If the handler succeeded, it was committed.
    bool stored() const { return stored_; }

private:
    Store& store_;
    const Attempt& attempt_;
    bool stored_ = false;
};

class Idempotent final : public Middleware {
public:
    Idempotent(std::string_view scope, const Idempotency& shared)
        : scope_(scope), shared_(shared), store_(*shared.store), events_(shared.metrics, idempotency_events)
    {
    }

    Task<Reply> handle(RequestContext& ctx, Next next) const override
    {
        const auto key = idempotency::read_key(ctx.request);
        if (!key) {
            const bool missing = key.error() == idempotency::KeyFault::missing;
            count(missing ? "missing_key" : "invalid_key");
            co_return failure(
                Error::invalid(missing ? "missing Idempotency-Key header" : "invalid Idempotency-Key header")
            );
        }
        const auto attempt = describe(ctx, *key);
        KIT_FAIL_POINT("idempotency.begin");
        const auto found = TRY(co_await begin(ctx, attempt));
        switch (found.state) {
            case Found::State::begun:
                KIT_FAIL_POINT("idempotency.begun");
                // The key is ours from here on: run() must be reached, also where the client went away
                // meanwhile.
                co_await asio::this_coro::throw_if_cancelled(false);
                co_return co_await run(ctx, next, attempt);
            case Found::State::completed:
                co_return co_await replay(ctx, found.answer, attempt);
            case Found::State::in_progress:
                co_return refuse(ctx, attempt, "in_progress", "request_in_progress", in_progress());
            case Found::State::reused:
                co_return refuse(ctx, attempt, "conflict", "fingerprint_conflict", reused());
        }
        std::unreachable();
    }

private:
    void count(std::string_view outcome) const { events_.add({scope_, outcome}); }

    Error reused() const
    {
        return {
            shared_.strict ? ErrorCode::unprocessable : ErrorCode::conflict,
            "idempotency key reuse with different payload"
        };
    }

    Attempt describe(const RequestContext& ctx, std::string_view key) const
    {
        auto actor = idempotency::actor_of(ctx);
        // With the query: what only asks for a change's effects is another request than the change.
        auto path = std::string(ctx.request.path);
        if (!ctx.request.query.empty()) {
            path += '?';
            path += ctx.request.query;
        }
        const idempotency::Subject subject{
            .scope = scope_,
            .method = http::to_string(ctx.request.method),
            .path = path,
            .actor = actor,
            .body = ctx.request.body
        };
        auto fingerprint = shared_.fingerprints.of(subject);
        return {
            .scope = std::string(scope_),
            .actor = std::move(actor),
            .key_hash = sha256_hex(key),
            .fingerprint = std::move(fingerprint),
            .holder = shared_.random.uuid_v4()
        };
    }

    // Shielded, so that a client that goes away cannot leave a key taken that nobody releases. A full queue
    // is no failure of the check: it stays the 503 that it is everywhere.
    Task<Result<Found>> begin(const RequestContext& ctx, const Attempt& attempt) const
    {
        std::string failed;
        try {
            co_return co_await shielded(store_.begin(attempt));
        } catch (const Overloaded&) {
            throw;
        } catch (const std::exception& error) {
            failed = error.what();
        }
        log_failure("idempotency check failed", ctx, failed);
        count("store_error");
        report(ctx, attempt, check_event, audit::outcome::failure, "store_error");
        co_return failure(Error::internal("idempotency check failed"));
    }

    Reply refuse(
        const RequestContext& ctx,
        const Attempt& attempt,
        std::string_view outcome,
        std::string_view reason,
        Error error
    ) const
    {
        count(outcome);
        report(ctx, attempt, check_event, audit::outcome::rejected, reason);
        return failure(std::move(error));
    }

    Task<Reply> replay(RequestContext& ctx, http::Rendered answer, const Attempt& attempt) const
    {
        count("replayed");
        report(ctx, attempt, replay_event, audit::outcome::success, "cached_response");
        http::Response response{.status = answer.status};
        if (!answer.content_type.empty()) {
            response.payload = http::Payload::complete;
            response.body = std::move(answer.body);
            response.set("Content-Type", std::move(answer.content_type));
        }
        response.set("X-Idempotency-Replayed", "true");
        const auto& renew = ctx.route->options.on_replay;
        if (renew && response.status < 300) {
            co_await renew(ctx, response);
        }
        co_return response;
    }

    // Throws for a cancelled caller only where the handler waits: the key is given back in any case.
    Task<Reply> run(RequestContext& ctx, Next next, const Attempt& attempt) const
    {
        HeldKey held(store_, attempt);
        std::optional<Reply> reply;
        std::exception_ptr failed;
        ctx.claim = &held;
        try {
            co_await asio::this_coro::throw_if_cancelled(true);
            reply = co_await next(ctx);
        } catch (...) {
            failed = std::current_exception();
        }
        co_await asio::this_coro::throw_if_cancelled(false);
        ctx.claim = nullptr;
        count("created");
        KIT_FAIL_POINT("idempotency.committed");
        if (!failed && *reply && held.stored()) {
            co_await asio::this_coro::throw_if_cancelled(true);
            co_return *std::move(reply);
        }
        http::Rendered answer{.status = 500};
        if (reply) {
            answer = *reply ? http::render(ctx, **reply) : http::render(ctx, reply->error());
        }
        co_await shielded(conclude(ctx, attempt, std::move(answer)));
        if (failed) {
            std::rethrow_exception(failed);
        }
        co_return *std::move(reply);
    }

    // What no transaction stored: an answer without an effect, or a failure. The client keeps its answer
    // whatever happens here.
    Task<void> conclude(const RequestContext& ctx, const Attempt& attempt, http::Rendered answer) const
    {
        std::string failed;
        try {
            if (idempotency::is_kept(answer.status)) {
                co_await store_.complete(attempt, std::move(answer));
            } else {
                co_await store_.release(attempt);
            }
            co_return;
        } catch (const std::exception& error) {
            failed = error.what();
        }
        log_failure("idempotency completion failed", ctx, failed);
        report(ctx, attempt, complete_event, audit::outcome::failure, "store_error");
    }

    void log_failure(std::string_view message, const RequestContext& ctx, std::string_view error) const
    {
        shared_.logger.warn(message, {{"error", error}, {"scope", scope_}, {"request_id", ctx.request_id}});
    }

    void report(
        const RequestContext& ctx,
        const Attempt& attempt,
        const audit::Kind& kind,
        std::string_view outcome,
        std::string_view reason
    ) const
    {
        audit::Event event{
            .kind = kind,
            .outcome = outcome,
            .reason = reason,
            .target_type = "idempotency_key",
            .target_id = attempt.key_hash.substr(0, key_digits_shown),
            .extras = {{"scope", attempt.scope}}
        };
        if (ctx.principal.authenticated) {
            event.actor = ctx.principal.user_id;
        }
        if (outcome == audit::outcome::failure) {
            // The cause is in the log only.
            event.extras.emplace_back("error", "unavailable");
        }
        shared_.audit.record(event, audit::origin_of(ctx));
    }

    std::string_view scope_;
    Idempotency shared_;
    Store& store_;
    telemetry::Counter events_;
};

class Unconditional final : public Middleware {
public:
    Task<Reply> handle(RequestContext& ctx, Next next) const override { return next(ctx); }
};

}  // namespace

std::unique_ptr<http::Middleware> idempotent_middleware(std::string_view scope, const Idempotency& shared)
{
    if (shared.store == nullptr) {
        return std::make_unique<Unconditional>();
    }
    return std::make_unique<Idempotent>(scope, shared);
}

}  // namespace kit::app
