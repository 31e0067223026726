// Cached answers and the changes that end them, on both engines.
#include "platform/cache/cache.hpp"

#include "data/db/database_fixture.hpp"
#include "platform/db/migrations.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace kit::cache {
namespace {

using Texts = Cache<std::string>;

class CacheData : public testing::TestWithParam<db::Engine> {
protected:
    CacheData() : database_(db::fresh_url(GetParam()))
    {
        database_.run(db::migrate_up(*database_, db::embedded_migrations(GetParam()), clock_.now()));
    }

    // What a node knows of the same database.
    struct Node {
        Node(db::Database& database, test::ManualClock& clock, Texts::Options options = {})
            : epochs(database, clock), space(epochs, "things"), texts(space, clock, options)
        {
        }

        Epochs epochs;
        Namespace space;
        Texts texts;
    };

    struct Fill {
        std::string value;
        std::atomic<int>& runs;

        Task<std::shared_ptr<const std::string>> operator()() const
        {
            ++runs;
            co_return std::make_shared<const std::string>(value);
        }
    };

    Texts::Read read(Node& node, const std::string& key, const std::string& value)
    {
        return database_.run(node.texts.read(key, Fill{.value = value, .runs = runs_}));
    }

    void change(Node& node) { node.epochs.publish(database_.run(Epochs::raise(*database_, {node.space}))); }

    test::ManualClock clock_;
    db::Opened database_;
    std::atomic<int> runs_{0};
};

INSTANTIATE_TEST_SUITE_P(
    Engines,
    CacheData,
    testing::Values(db::Engine::sqlite, db::Engine::postgres),
    [](const auto& info) { return info.param == db::Engine::sqlite ? "sqlite" : "postgres"; }
);

TEST_P(CacheData, KeepsForItsTime)
{
    Node node(*database_, clock_, {.ttl = std::chrono::seconds(30)});
    EXPECT_EQ(read(node, "a", "1").outcome, Outcome::led);
    clock_.advance(std::chrono::seconds(29));
    const auto hit = read(node, "a", "2");
    EXPECT_EQ(hit.outcome, Outcome::hit);
    EXPECT_EQ(*hit.value, "1");
    EXPECT_EQ(hit.age, std::chrono::seconds(29));
    EXPECT_EQ(*read(node, "b", "other").value, "other");
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(*read(node, "a", "2").value, "2");
    EXPECT_EQ(runs_, 3);
}

TEST_P(CacheData, AChangeCountsHereAtOnceAndElsewhereOnceLearned)
{
    Node here(*database_, clock_);
    Node elsewhere(*database_, clock_);
    read(here, "a", "old");
    read(elsewhere, "a", "old");
    change(here);
    EXPECT_EQ(*read(here, "a", "new").value, "new");
    EXPECT_EQ(*read(elsewhere, "a", "new").value, "old");
    database_.run(elsewhere.epochs.learn());
    EXPECT_EQ(*read(elsewhere, "a", "new").value, "new");
    EXPECT_EQ(here.space.epoch(), elsewhere.space.epoch());
}

// A fill that began before a change and ends after it is answered, and never found again.
TEST_P(CacheData, AFillThatRacesAChangeIsNotKept)
{
    struct RacingFill {
        db::Database& database;
        Node& node;

        Task<std::shared_ptr<const std::string>> operator()() const
        {
            node.epochs.publish(co_await Epochs::raise(database, {node.space}));
            co_return std::make_shared<const std::string>("old");
        }
    };

    Node node(*database_, clock_);
    EXPECT_EQ(*database_.run(node.texts.read("a", RacingFill{*database_, node})).value, "old");
    EXPECT_EQ(*read(node, "a", "new").value, "new");
}

TEST_P(CacheData, ANullIsNotKept)
{
    struct Nothing {
        Task<std::shared_ptr<const std::string>> operator()() const { co_return nullptr; }
    };

    Node node(*database_, clock_);
    EXPECT_EQ(database_.run(node.texts.read("a", Nothing())).value, nullptr);
    EXPECT_EQ(*read(node, "a", "1").value, "1");
}

TEST_P(CacheData, BoundedByBytesAndTheLeastUsedGoes)
{
    Node node(*database_, clock_, {.bytes_max = 8UL * 2'000, .size_of = [](const std::string& text) {
                                       return text.size();
                                   }});
    const std::string big(1'000, 'x');
    for (int key = 0; key < 100; ++key) {
        read(node, std::to_string(key), big);
    }
    runs_ = 0;
    for (int key = 0; key < 100; ++key) {
        read(node, std::to_string(key), big);
    }
    EXPECT_GE(runs_, 92) << "a shard has room for one";
    EXPECT_EQ(read(node, "huge", std::string(100'000, 'x')).outcome, Outcome::led);
    EXPECT_EQ(read(node, "huge", std::string(100'000, 'x')).outcome, Outcome::led) << "too large to keep";
}

TEST_P(CacheData, ARaisedEpochNeverGoesBack)
{
    Node node(*database_, clock_);
    const auto first = database_.run(Epochs::raise(*database_, {node.space}));
    const auto second = database_.run(Epochs::raise(*database_, {node.space}));
    node.epochs.publish(second);
    node.epochs.publish(first);
    EXPECT_GT(second.epochs.at(0).second, first.epochs.at(0).second);
    EXPECT_EQ(node.space.epoch(), second.epochs.at(0).second);
}

}  // namespace
}  // namespace kit::cache
