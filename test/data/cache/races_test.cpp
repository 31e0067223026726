// Reads, fills and changes in interleavings made by chance: nothing older than a finished change is found,
// whoever reads, and nobody gets what is another's.
#include "data/db/database_fixture.hpp"
#include "data/redis/redis_fixture.hpp"
#include "platform/cache/list_cache.hpp"
#include "platform/db/migrations.hpp"
#include "support/manual_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <random>

namespace kit::cache {
namespace {

// How many of the random interleavings: those of the everyday suite, unless ./dev check asks for more.
int interleavings()
{
    constexpr int everyday = 2'000;
    const char* asked = std::getenv("KIT_INTERLEAVINGS");
    return asked == nullptr ? everyday : std::atoi(asked);
}

// One node's list of one thing, whose state is a number that only grows. "Committed" is what a query finds;
// `published` what the node has answered a writer for.
class Interleaving {
public:
    Interleaving(Executor executor, Epochs& epochs, ListCache& lists, std::uint64_t seed)
        : executor_(std::move(executor)), epochs_(epochs), lists_(lists), chance_(seed)
    {
    }

    void run()
    {
        std::vector<std::future<void>> acts;
        const auto readers = 2 + pick(4);
        const auto writers = 1 + pick(3);
        for (std::uint64_t act = 0; act < readers + writers; ++act) {
            auto task = act < readers ? read_often(pick(turns_max), 1 + pick(4)) : write(pick(turns_max));
            acts.push_back(asio::co_spawn(executor_, std::move(task), asio::use_future));
        }
        for (auto& act : acts) {
            act.get();
        }
    }

    bool held() const { return held_; }

private:
    static constexpr std::uint64_t turns_max = 10;

    std::uint64_t pick(std::uint64_t below) { return chance_() % below; }

    Task<void> turns(std::uint64_t count)
    {
        for (std::uint64_t turn = 0; turn < count; ++turn) {
            co_await asio::post(executor_, use_task);
        }
    }

    // Queries the committed state at some moment, and answers with it at a later one.
    Task<ListBodyPtr> fill()
    {
        co_await turns(pick(turns_max));
        auto body = list_body(std::to_string(committed_), {});
        co_await turns(pick(turns_max));
        co_return body;
    }

    Task<void> read_often(std::uint64_t after, std::uint64_t times)
    {
        co_await turns(after);
        for (std::uint64_t time = 0; time < times; ++time) {
            const auto finished = published_;
            const auto body = co_await lists_.read("k", [this] { return fill(); });
            held_ = held_ && std::stoll(body->data) >= finished;
            co_await turns(pick(3));
        }
    }

    // Commits, and tells the node before the writer gets its answer.
    Task<void> write(std::uint64_t after)
    {
        co_await turns(after);
        const auto state = ++committed_;
        co_await turns(pick(turns_max));
        epochs_.publish({.epochs = {{"things", base_ + state}}});
        published_ = std::max(published_, state);
    }

    Executor executor_;
    Epochs& epochs_;
    ListCache& lists_;
    std::mt19937_64 chance_;
    std::int64_t committed_ = 0;
    std::int64_t published_ = 0;
    std::int64_t base_ = lists_.space().epoch();
    bool held_ = true;
};

class CacheRaces : public testing::Test {
protected:
    CacheRaces() : database_("sqlite::memory:")
    {
        database_.run(db::migrate_up(*database_, db::embedded_migrations(db::Engine::sqlite), clock_.now()));
    }

    test::ManualClock clock_;
    telemetry::Registry metrics_{{.workers = 2}};
    db::Opened database_;
};

TEST_F(CacheRaces, AFillThatRacesAChangeNeverWins)
{
    Epochs epochs(*database_, clock_);
    ListCache lists(Namespace(epochs, "things"), clock_, metrics_, {});
    for (int seed = 1; seed <= interleavings(); ++seed) {
        Interleaving interleaving(database_.executor(0), epochs, lists, static_cast<std::uint64_t>(seed));
        interleaving.run();
        ASSERT_TRUE(interleaving.held()) << "seed " << seed;
        // The next one begins with nothing kept.
        epochs.publish({.epochs = {{"things", lists.space().epoch() + 1}}});
    }
}

// What the list shows: the number of the latest change.
constexpr db::Query find_state{
    .name = "test.state",
    .sql = "SELECT epoch FROM cache_epochs WHERE namespace_name = 'things'",
    .brief = true
};

// Several people on two workers, and a node of its own for each worker where there are copies.
class Crowd {
public:
    struct Node {
        Epochs& epochs;
        ListCache& lists;
        Executor executor;
    };

    Crowd(db::Database& database, std::vector<Node> nodes) : database_(database), nodes_(std::move(nodes)) {}

    // Reads of many keys by many people, one in a hundred a change.
    Task<void> act(std::size_t node, int actor, int times, std::uint64_t seed)
    {
        std::mt19937_64 chance(seed);
        auto& here = nodes_[node];
        for (int time = 0; time < times; ++time) {
            if (chance() % 100 == 0) {
                co_await change(here);
                continue;
            }
            if (chance() % 100 == 0) {
                co_await here.epochs.learn();
            }
            const auto page = chance() % 5;
            const auto key = list_key("things", actor, {{"page", std::to_string(page)}});
            const auto finished = finished_[node].load();
            const auto body = co_await here.lists.read(key, Fill{*this, actor});
            const auto at = body->data.find(' ');
            shared_ += body->data.substr(0, at) == std::to_string(actor) ? 0 : 1;
            older_ += std::stoll(body->data.substr(at + 1)) >= finished ? 0 : 1;
        }
    }

    int shared() const { return shared_; }

    int older() const { return older_; }

    int fills() const { return fills_; }

private:
    struct Fill {
        Crowd& crowd;
        int actor;

        Task<ListBodyPtr> operator()() const
        {
            ++crowd.fills_;
            const auto rows = co_await crowd.database_.query<std::int64_t>(find_state);
            const auto state = rows.empty() ? 0 : rows.front();
            co_return list_body(std::to_string(actor) + ' ' + std::to_string(state), {});
        }
    };

    Task<void> change(Node& here)
    {
        struct Body {
            Node& here;

            Task<Epochs::Raised> operator()(db::Transaction& transaction) const
            {
                return Epochs::raise(transaction, {here.lists.space()});
            }
        };

        const auto raised = co_await database_.transaction(Body{here});
        here.epochs.publish(raised);
        advance(finished_[static_cast<std::size_t>(&here - nodes_.data())], raised.epochs.front().second);
    }

    static void advance(std::atomic<std::int64_t>& number, std::int64_t to)
    {
        auto current = number.load();
        while (current < to && !number.compare_exchange_weak(current, to)) {
        }
    }

    db::Database& database_;
    std::vector<Node> nodes_;
    std::array<std::atomic<std::int64_t>, 2> finished_{};
    std::atomic<int> shared_{0};
    std::atomic<int> older_{0};
    std::atomic<int> fills_{0};
};

constexpr int people = 10;

void let_loose(Crowd& crowd, const std::vector<std::pair<std::size_t, Executor>>& places, int each)
{
    std::vector<std::future<void>> acts;
    for (int person = 0; person < people; ++person) {
        const auto& [node, executor] = places[static_cast<std::size_t>(person) % places.size()];
        acts.push_back(asio::co_spawn(
            executor, crowd.act(node, person, each, static_cast<std::uint64_t>(person) + 1), asio::use_future
        ));
    }
    for (auto& act : acts) {
        act.get();
    }
}

TEST_F(CacheRaces, InAHundredThousandReadsAndChangesNobodyGetsAnothersBodyOrAnOlderOne)
{
    Epochs epochs(*database_, clock_);
    ListCache lists(Namespace(epochs, "things"), clock_, metrics_, {});
    Crowd crowd(*database_, {{epochs, lists, database_.executor(0)}});
    let_loose(crowd, {{0, database_.executor(0)}, {0, database_.executor(1)}}, 100'000 / people);
    EXPECT_EQ(crowd.shared(), 0);
    EXPECT_EQ(crowd.older(), 0);
    EXPECT_LT(crowd.fills(), 90'000) << "most were kept";
}

TEST_F(CacheRaces, NorOnTwoNodesThatShareARedis)
{
    test::RedisServer redis;
    auto options = test::options_for(redis.address());
    options.command_time_max = std::chrono::seconds(2);
    test::RedisClient client(options, 2);
    const Copies copies(client.client, clock_, {.prefix = "v1:lists", .secret = "shared"});
    Epochs one(*database_, clock_);
    Epochs two(*database_, clock_);
    ListCache lists_of_one(Namespace(one, "things"), clock_, metrics_, {.copies = &copies});
    ListCache lists_of_two(Namespace(two, "things"), clock_, metrics_, {.copies = &copies});
    Crowd crowd(
        *database_,
        {{one, lists_of_one, client.loops.executor(0)}, {two, lists_of_two, client.loops.executor(1)}}
    );
    let_loose(crowd, {{0, client.loops.executor(0)}, {1, client.loops.executor(1)}}, 1'000);
    EXPECT_EQ(crowd.shared(), 0);
    EXPECT_EQ(crowd.older(), 0);
    EXPECT_GT(redis.calls("set"), 0);
}

}  // namespace
}  // namespace kit::cache
