// Keys in Redis: as in the database, but for the transaction; times are the server's own.
#include "data/redis/redis_fixture.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

namespace kit::idempotency {

namespace {

using State = Found::State;

const http::Rendered answer{
    .status = 201, .content_type = "application/json", .body = std::string("{}\n\0\xff\xfe", 6)
};

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

class RedisKeys : public testing::Test {
protected:
    std::unique_ptr<Store> store(Times times = {}) { return redis_store(redis_.client, "v1:idem:", times); }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(redis_.loops.executor(0), std::move(task));
    }

    test::RedisServer server_;
    test::RedisClient redis_{test::options_for(server_.address())};
};

TEST_F(RedisKeys, ReplaysByteForByte)
{
    const auto keys = store();
    EXPECT_EQ(run(keys->begin(attempt("a"))).state, State::begun);
    EXPECT_EQ(run(keys->begin(attempt("b"))).state, State::in_progress);
    EXPECT_TRUE(run(keys->complete(attempt("a"), answer)));
    const auto found = run(keys->begin(attempt("c")));
    EXPECT_EQ(found.state, State::completed);
    EXPECT_EQ(found.answer.status, answer.status);
    EXPECT_EQ(found.answer.content_type, answer.content_type);
    EXPECT_EQ(found.answer.body, answer.body);
}

TEST_F(RedisKeys, FieldsAndTimesOfTheContract)
{
    const auto keys = store();
    const auto name = "v1:idem:admin.roles.create:sub:1:" + sha256_hex("key");
    run(keys->begin(attempt("a")));
    EXPECT_EQ(server_.command({"HGET", name, "status"}), "new");
    EXPECT_EQ(server_.command({"HGET", name, "fingerprint"}), sha256_hex("body"));
    EXPECT_LE(std::stoi(server_.command({"TTL", name})), 60);
    run(keys->complete(attempt("a"), answer));
    EXPECT_EQ(server_.command({"HGET", name, "status"}), "completed");
    EXPECT_EQ(server_.command({"HGET", name, "response_status"}), "201");
    EXPECT_EQ(server_.command({"HGET", name, "content_type"}), "application/json");
    EXPECT_EQ(server_.command({"HGET", name, "response_body"}), "e30KAP/+");
    EXPECT_GT(std::stoi(server_.command({"TTL", name})), 86'000);
}

TEST_F(RedisKeys, ReuseOtherActorsAndRelease)
{
    const auto keys = store();
    run(keys->begin(attempt("a")));
    auto other = attempt("b");
    other.fingerprint = sha256_hex("other body");
    EXPECT_EQ(run(keys->begin(other)).state, State::reused);
    EXPECT_EQ(run(keys->begin(attempt("c", "sub:2"))).state, State::begun);
    run(keys->release(attempt("x")));
    EXPECT_EQ(run(keys->begin(attempt("d"))).state, State::in_progress) << "another one's";
    run(keys->release(attempt("a")));
    EXPECT_EQ(run(keys->begin(attempt("d"))).state, State::begun);
    run(keys->complete(attempt("d"), answer));
    run(keys->release(attempt("d")));
    EXPECT_EQ(run(keys->begin(attempt("e"))).state, State::completed);
}

TEST_F(RedisKeys, ADeadHolderIsReplacedAfterItsLeaseAndFencedOff)
{
    const auto keys = store({.lease = std::chrono::milliseconds(50)});
    run(keys->begin(attempt("dead")));
    EXPECT_TRUE(test::eventually([&] { return run(keys->begin(attempt("next"))).state == State::begun; }));
    EXPECT_FALSE(run(keys->complete(attempt("dead"), answer)));
}

TEST_F(RedisKeys, WithoutRedisThereIsNoAnswerButAFailure)
{
    const auto keys = store();
    run(keys->begin(attempt("a")));
    server_.crash();
    EXPECT_THROW(run(keys->begin(attempt("b"))), redis::RedisUnavailable);
}

}  // namespace

}  // namespace kit::idempotency
