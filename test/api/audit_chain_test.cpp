// The audit trail's chain: append-only rows, what `verify` finds, many writers, retention.
#include "api_fixture.hpp"
#include "platform/db/database.hpp"

#include <thread>

namespace kit::test {

namespace {

class AuditChain : public ApiTest {
protected:
    static audit::Event event(std::string target)
    {
        return {
            .kind = {"test.event", "test"},
            .outcome = audit::outcome::success,
            .reason = "tested",
            .target_type = "thing",
            .target_id = std::move(target)
        };
    }

    // Rows 1 to `rows` of the chain.
    static void fill(Api& api, int rows)
    {
        for (int row = 1; row <= rows; ++row) {
            api.product().audit().record(event(std::to_string(row)), {.ip = "192.0.2.1", .request_id = "r"});
        }
        api.run(api.product().audit().flush());
        api.run(api.product().audit().seal());
    }

    static std::string fault(Api& api) { return api.run(api.product().audit().verify()).fault; }
};

KIT_BOTH_ENGINES(AuditChain);

TEST_P(AuditChain, IsWholeAcrossBatches)
{
    Api api(GetParam());
    EXPECT_EQ(fault(api), "") << "an empty one, too";
    fill(api, static_cast<int>(audit::Service::batch_rows_max) * 2 + 10);
    const auto found = api.run(api.product().audit().verify());
    EXPECT_EQ(found.fault, "");
    EXPECT_EQ(found.rows, audit::Service::batch_rows_max * 2 + 10);
    EXPECT_EQ(found.chain.unsealed, 0);
    const auto trail = api.trail();
    EXPECT_EQ(trail.front().previous_hash, audit::genesis_hash);
    EXPECT_EQ(trail.back().hash, found.chain.head_hash);
}

TEST_P(AuditChain, RowsCanNeitherBeChangedNorDeleted)
{
    Api api(GetParam());
    fill(api, 3);
    api.product().audit().record(event("unsealed"), {});
    api.run(api.product().audit().flush());
    for (const auto* sql :
         {"UPDATE audit_events SET reason = 'x' WHERE sequence = 2",
          "UPDATE audit_events SET sequence = 9 WHERE sequence = 2",
          "UPDATE audit_events SET reason = 'x', sequence = 4, previous_hash = 'x', hash = 'x' "
          "WHERE sequence IS NULL",
          "UPDATE audit_events SET reason = 'x' WHERE sequence IS NULL",
          "DELETE FROM audit_events WHERE sequence = 2",
          "DELETE FROM audit_events WHERE sequence IS NULL"}) {
        EXPECT_THROW(api.script(sql), db::ConstraintViolation) << sql;
    }
    if (GetParam() == ApiEngine::postgres) {
        EXPECT_THROW(api.script("TRUNCATE audit_events"), db::ConstraintViolation);
    }
    EXPECT_EQ(api.trail().size(), 4U);
}

TEST_P(AuditChain, VerifyNamesTheRow)
{
    struct Case {
        const char* sql;
        const char* fault;
    };

    const std::vector<Case> cases{
        {"UPDATE audit_events SET target_id = '4' WHERE sequence = 5", "row 5 (id 5) was changed"},
        {"UPDATE audit_events SET hash = previous_hash WHERE sequence = 300", "row 300 (id 300) was changed"},
        {"UPDATE audit_events SET hash = NULL WHERE sequence = 5", "row 5 (id 5) was changed"},
        {"DELETE FROM audit_events WHERE sequence = 5", "row 5 is missing"},
        {"DELETE FROM audit_events WHERE sequence = 1", "row 1 is missing"},
        {"DELETE FROM audit_events WHERE sequence = 310", "row 310 is missing"},
        {"DELETE FROM audit_events", "row 1 is missing"},
        {"UPDATE audit_events SET sequence = -1 WHERE sequence = 5;"
         "UPDATE audit_events SET sequence = 5 WHERE sequence = 7;"
         "UPDATE audit_events SET sequence = 7 WHERE sequence = -1",
         "row 5 (id 7) does not follow the row before it: rows were reordered or removed"},
        {"DELETE FROM audit_events WHERE sequence = 310;"
         "UPDATE audit_chain SET head_sequence = 309",
         "row 309 is not the one at the chain's head"},
        {"UPDATE audit_events SET sequence = 999 WHERE sequence = 310;"
         "UPDATE audit_chain SET head_sequence = 309",
         "row 310 stands above the chain's head"},
        {"UPDATE audit_chain SET anchor_sequence = 2", "row 1 (id 1) stands below the chain's anchor"},
    };
    for (const auto& [sql, expected] : cases) {
        Api api(GetParam());
        fill(api, 310);
        ASSERT_EQ(fault(api), "");
        api.tamper(sql);
        EXPECT_EQ(fault(api), expected) << sql;
    }
}

TEST_P(AuditChain, VerifyNamesARowThatCannotBeRead)
{
    if (GetParam() == ApiEngine::postgres) {
        GTEST_SKIP() << "its columns hold nothing that cannot be read";
    }
    Api api(GetParam());
    fill(api, 10);
    api.tamper("UPDATE audit_events SET ts = '2026-03-01X00:00:00.000000Z' WHERE sequence = 5");
    EXPECT_EQ(fault(api), "row 5 was changed: it cannot be read");
}

TEST_P(AuditChain, EightWritersAndTwoSealersKeepOneChain)
{
    static constexpr int writers = 8;
    static constexpr int rows_each = 40;
    Api api(GetParam());
    const auto other = api.second_node();
    std::atomic<int> writing{writers};
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < writers; ++writer) {
        threads.emplace_back([&api, &writing, writer] {
            for (int row = 0; row < rows_each; ++row) {
                const auto entry = api.product().audit().entry(event(std::to_string(writer)), {});
                api.run(audit::Repository::insert(api.database(), entry));
            }
            --writing;
        });
    }
    for (auto* node : {&api.product(), other.get()}) {
        threads.emplace_back([&api, &writing, node] {
            while (writing > 0) {
                api.run(node->audit().seal());
            }
        });
    }
    threads.clear();
    api.run(api.product().audit().seal());
    const auto found = api.run(api.product().audit().verify());
    EXPECT_EQ(found.fault, "");
    EXPECT_EQ(found.rows, writers * rows_each);
    EXPECT_EQ(found.chain.unsealed, 0);
}

TEST_P(AuditChain, RetentionMovesTheAnchor)
{
    Api api(GetParam(), [](config::Config& config) { config.audit.retention = std::chrono::hours(24); });
    const int old = static_cast<int>(audit::Service::batch_rows_max) + 5;
    fill(api, old);
    api.clock().advance(std::chrono::hours(23));
    fill(api, 3);
    EXPECT_EQ(api.run(api.product().audit().prune()), 0);
    api.clock().advance(std::chrono::hours(2));
    EXPECT_EQ(api.run(api.product().audit().prune()), old);
    EXPECT_EQ(api.trail().size(), 3U + 2) << "and the record of two removals";
    fill(api, 1);
    const auto found = api.run(api.product().audit().verify());
    EXPECT_EQ(found.fault, "");
    EXPECT_EQ(found.rows, 4 + 2);
    EXPECT_EQ(found.chain.anchor_sequence, old);
    api.clock().advance(std::chrono::hours(48));
    EXPECT_EQ(api.run(api.product().audit().prune()), 4 + 2) << "to the last row";
    fill(api, 2);
    EXPECT_EQ(fault(api), "");
}

TEST_P(AuditChain, WithoutRetentionAllStays)
{
    Api api(GetParam());
    fill(api, 3);
    api.clock().advance(std::chrono::hours(24 * 365 * 10));
    EXPECT_EQ(api.run(api.product().audit().prune()), 0);
    EXPECT_EQ(api.trail().size(), 3U);
}

TEST_P(AuditChain, RefusalsWaitOnABoundedQueue)
{
    Api api(GetParam());
    for (std::size_t row = 0; row < audit::Service::waiting_max + 10; ++row) {
        api.product().audit().record(event("x"), {});
    }
    EXPECT_EQ(api.trail().size(), audit::Service::waiting_max);
}

}  // namespace

}  // namespace kit::test
