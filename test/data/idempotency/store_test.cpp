// Where keys are kept: one suite for every store, and what only the database can.
#include "data/db/database_fixture.hpp"
#include "platform/db/migrations.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>

namespace kit::idempotency {

namespace {

using State = Found::State;
using test::ManualClock;

constexpr Times times{.lease = std::chrono::seconds(60), .ttl = std::chrono::hours(24)};

Attempt attempt(std::string holder, std::string actor = "sub:1")
{
    return {
        .scope = "admin.roles.create",
        .actor = std::move(actor),
        .key_hash = sha256_hex("key"),
        .fingerprint = sha256_hex("body"),
        .holder = std::move(holder)
    };
}

const http::Rendered answer{
    .status = 201,
    .content_type = "application/json",
    .body = std::string("{\"a\":\"\\u0000\"}\n\0\xff\xfe", 18)
};

class DatabaseKeys : public testing::TestWithParam<db::Engine> {
protected:
    DatabaseKeys()
    {
        opened_.run(db::migrate_up(*opened_, db::embedded_migrations(opened_->engine()), clock_.now()));
    }

    Found begin(const Attempt& what) { return opened_.run(store_->begin(what)); }

    bool complete(const Attempt& what) { return opened_.run(store_->complete(what, answer)); }

    // In a transaction that commits only if it is told to.
    bool complete_in_transaction(const Attempt& what, bool commit)
    {
        struct Body {
            Store& store;
            const Attempt& what;
            bool commit;

            Task<Result<bool>> operator()(db::Transaction& transaction) const
            {
                const bool stored = co_await store.complete(transaction, what, answer);
                if (!commit) {
                    co_return failure(Error::conflict("rolled back"));
                }
                co_return stored;
            }
        };

        return opened_.run(opened_->transaction(Body{*store_, what, commit})).value_or(false);
    }

    std::int64_t rows()
    {
        static constexpr db::Query count{"test.count", "SELECT count(*) AS n FROM idempotency_records"};
        return opened_.run(opened_->query<std::int64_t>(count)).front();
    }

    ManualClock clock_;
    db::Opened opened_{db::fresh_url(GetParam())};
    std::unique_ptr<Store> store_ = database_store(*opened_, clock_, times);
};

INSTANTIATE_TEST_SUITE_P(
    Engines,
    DatabaseKeys,
    testing::Values(db::Engine::sqlite, db::Engine::postgres),
    [](const auto& info) { return info.param == db::Engine::sqlite ? "sqlite" : "postgres"; }
);

TEST_P(DatabaseKeys, ReplaysByteForByte)
{
    EXPECT_EQ(begin(attempt("a")).state, State::begun);
    EXPECT_EQ(begin(attempt("b")).state, State::in_progress);
    EXPECT_TRUE(complete(attempt("a")));
    const auto found = begin(attempt("c"));
    EXPECT_EQ(found.state, State::completed);
    EXPECT_EQ(found.answer.status, answer.status);
    EXPECT_EQ(found.answer.content_type, answer.content_type);
    EXPECT_EQ(found.answer.body, answer.body);
}

TEST_P(DatabaseKeys, AnotherBodyIsReuseWhetherRunningOrDone)
{
    auto other = attempt("b");
    other.fingerprint = sha256_hex("other body");
    begin(attempt("a"));
    EXPECT_EQ(begin(other).state, State::reused);
    complete(attempt("a"));
    EXPECT_EQ(begin(other).state, State::reused);
}

TEST_P(DatabaseKeys, ScopeActorAndKeyNameIt)
{
    begin(attempt("a"));
    EXPECT_EQ(begin(attempt("b", "sub:2")).state, State::begun) << "two users with one key do not meet";
    auto elsewhere = attempt("c");
    elsewhere.scope = "admin.users.roles.patch";
    EXPECT_EQ(begin(elsewhere).state, State::begun);
    auto another = attempt("d");
    another.key_hash = sha256_hex("another key");
    EXPECT_EQ(begin(another).state, State::begun);
}

TEST_P(DatabaseKeys, ReleaseFreesOnlyWhatIsHeldAndRuns)
{
    begin(attempt("a"));
    opened_.run(store_->release(attempt("b")));
    EXPECT_EQ(begin(attempt("c")).state, State::in_progress) << "another one's";
    opened_.run(store_->release(attempt("a")));
    EXPECT_EQ(begin(attempt("c")).state, State::begun);
    complete(attempt("c"));
    opened_.run(store_->release(attempt("c")));
    EXPECT_EQ(begin(attempt("d")).state, State::completed);
}

TEST_P(DatabaseKeys, ADeadHolderIsReplacedAfterItsLeaseAndFencedOff)
{
    begin(attempt("dead"));
    clock_.advance(times.lease - std::chrono::seconds(1));
    EXPECT_EQ(begin(attempt("early")).state, State::in_progress);
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(begin(attempt("next")).state, State::begun);
    EXPECT_FALSE(complete(attempt("dead"))) << "it was only slow: its effect must not be committed";
    EXPECT_FALSE(complete_in_transaction(attempt("dead"), true));
    opened_.run(store_->release(attempt("dead")));
    EXPECT_EQ(begin(attempt("late")).state, State::in_progress);
    EXPECT_TRUE(complete(attempt("next")));
}

TEST_P(DatabaseKeys, AnswersLastForTheTtlFromCompletion)
{
    begin(attempt("a"));
    clock_.advance(std::chrono::seconds(30));
    complete(attempt("a"));
    clock_.advance(times.ttl - std::chrono::seconds(1));
    EXPECT_EQ(begin(attempt("b")).state, State::completed);
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(begin(attempt("c")).state, State::begun);
}

TEST_P(DatabaseKeys, CommitsWithTheEffectOrNotAtAll)
{
    begin(attempt("a"));
    complete_in_transaction(attempt("a"), false);
    EXPECT_EQ(begin(attempt("b")).state, State::in_progress);
    EXPECT_TRUE(complete_in_transaction(attempt("a"), true));
    EXPECT_EQ(begin(attempt("b")).state, State::completed);
}

TEST_P(DatabaseKeys, OfManyAtOnceOneBegins)
{
    std::vector<Attempt> attempts;
    for (int index = 0; index < 20; ++index) {
        attempts.push_back(attempt("holder-" + std::to_string(index)));
    }
    std::vector<Task<Found>> tasks;
    for (const auto& each : attempts) {
        tasks.push_back(store_->begin(each));
    }
    int begun = 0;
    for (auto& future : opened_.start_all(std::move(tasks))) {
        begun += future.get().state == State::begun ? 1 : 0;
    }
    EXPECT_EQ(begun, 1);
}

TEST_P(DatabaseKeys, SweepsInBatchesUntilNothingIsOver)
{
    const telemetry::Logger::Options quiet{.level = telemetry::LogLevel::error};
    telemetry::Logger logger(quiet, clock_);
    telemetry::Registry metrics({});
    Sweeper sweeper(
        {.database = *opened_, .clock = clock_, .logger = logger, .metrics = metrics},
        {.interval = std::chrono::minutes(5), .batch_rows_max = 3}
    );
    for (int index = 0; index < 8; ++index) {
        begin(attempt("a", "sub:" + std::to_string(index)));
    }
    complete(attempt("a", "sub:0"));
    EXPECT_EQ(opened_.run(sweeper.sweep()), 0);
    clock_.advance(times.lease);
    EXPECT_EQ(opened_.run(sweeper.sweep()), 7) << "more than one batch";
    EXPECT_EQ(rows(), 1);
    clock_.advance(times.ttl);
    EXPECT_EQ(opened_.run(sweeper.sweep()), 1);
}

}  // namespace

}  // namespace kit::idempotency
