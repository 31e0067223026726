#include "modules/audit/audit.hpp"

#include "platform/core/block_on.hpp"
#include "platform/db/open.hpp"
#include "platform/telemetry/logger.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <unistd.h>

namespace kit::audit {

namespace {

using testing::HasSubstr;

Record sample()
{
    Record record;
    record.id = 7;
    record.event_name = "auth.local.login";
    record.actor_user_id = "anonymous";
    record.actor_ip = "192.0.2.7";
    record.target_type = "user";
    record.target_id = "unknown";
    record.action = "login";
    record.outcome = "failure";
    record.reason = "login_error";
    record.request_id = "abc";
    record.ts = parse_rfc3339("2026-11-24T15:04:05Z").value();
    record.extras = R"({"error":"\u00e9"})";
    return record;
}

// Made by another program from the document's description.
TEST(AuditChainHash, CoversEveryFieldWithItsLength)
{
    EXPECT_EQ(
        canonical(sample()),
        "11:audit-event,1:7,16:auth.local.login,1:1,9:anonymous,9:192.0.2.7,4:user,7:unknown,5:login,"
        "7:failure,11:login_error,3:abc,0:,0:,27:2026-11-24T15:04:05.000000Z,18:{\"error\":\"\\u00e9\"},"
    );
    EXPECT_EQ(
        chain_hash(genesis_hash, sample()), "173b18c36bdb64ab5a9bd3b0f4cb512948a81ad9eddf28ea912b4a266f32b907"
    );
}

TEST(AuditChainHash, TellsNeighbouringFieldsApart)
{
    auto moved = sample();
    moved.trace_id = "1";
    auto other = sample();
    other.span_id = "1";
    EXPECT_NE(chain_hash(genesis_hash, moved), chain_hash(genesis_hash, other));
    EXPECT_NE(chain_hash(genesis_hash, sample()), chain_hash("", sample()));
}

// An audit service that logs into a pipe.
class AuditLine : public testing::Test {
protected:
    AuditLine() : workers(1)
    {
        EXPECT_EQ(::pipe(ends.data()), 0);
        logger.emplace(telemetry::Logger::Options{.descriptor = ends[1], .readable = false}, clock);
        database = db::open_database("sqlite::memory:", workers, clock, {});
        service.emplace(
            Service::Deps{.database = *database, .clock = clock, .logger = *logger},
            std::chrono::milliseconds(0)
        );
    }

    ~AuditLine() override
    {
        database->close();
        ::close(ends[0]);
        ::close(ends[1]);
    }

    std::string line()
    {
        logger->flush();
        std::string text(4'096, '\0');
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], text.data(), text.size())))
        );
        return text;
    }

    std::array<int, 2> ends{};
    test::ManualClock clock;
    std::optional<telemetry::Logger> logger;
    Workers workers;
    std::unique_ptr<db::Database> database;
    std::optional<Service> service;
};

TEST_F(AuditLine, HasTheFieldsInTheirOrderAndThenTheExtras)
{
    service->record(
        {.kind = {"auth.local.login", "login"},
         .outcome = outcome::failure,
         .reason = "login_error",
         .target_type = "user",
         .target_id = "unknown",
         .extras = {{"error", "invalid credentials"}}},
        {.ip = "192.0.2.7", .request_id = "abc"}
    );
    EXPECT_THAT(
        line(),
        HasSubstr(
            R"("level":"INFO","msg":"audit.event","event_name":"auth.local.login","event_version":1,)"
            R"("actor_user_id":"anonymous","actor_ip":"192.0.2.7","target_type":"user","target_id":"unknown",)"
            R"("action":"login","outcome":"failure","reason":"login_error","request_id":"abc",)"
            R"("ts":"2026-03-01T00:00:00Z","error":"invalid credentials","trace_id":"","span_id":""})"
        )
    );
}

TEST_F(AuditLine, WithoutANameItIsNoEvent)
{
    service->record({.kind = {"", "login"}, .outcome = outcome::failure}, {.request_id = "abc"});
    EXPECT_THAT(
        line(),
        HasSubstr(
            R"("level":"ERROR","msg":"audit.schema.invalid","error":"event_name is missing","event_name":"","request_id":"abc")"
        )
    );
}

TEST_F(AuditLine, BlankFieldsHaveTheirNames)
{
    service->record({.kind = {"x", ""}, .outcome = "", .reason = "", .target_type = "", .target_id = ""}, {});
    EXPECT_THAT(
        line(),
        HasSubstr(
            R"("actor_ip":"unknown","target_type":"none","target_id":"none","action":"unknown","outcome":"unknown","reason":"none")"
        )
    );
}

}  // namespace

}  // namespace kit::audit
