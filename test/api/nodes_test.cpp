// Nodes that share a PostgreSQL: what one ends dies on the other within a second, whatever happens to the
// connection that listens.
#include "api_fixture.hpp"
#include "platform/core/background.hpp"
#include "platform/db/open.hpp"

#include <algorithm>
#include <thread>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using Moment = std::chrono::steady_clock;

// Another process in all but name: a database, a product and the tasks in the background of its own.
class Node {
public:
    explicit Node(Api& api)
        : clock_(api.clock()),
          database_(db::open_database(api.url(), workers_, clock_, {})),
          product_(api.config(), app::Environment{clock_, api.random(), logger_, metrics_}, *database_)
    {
        workers_.start();
        background_.spawn(workers_.executor(0), "follow", sessions().follow_revocations());
        background_.spawn(workers_.executor(0), "hear", sessions().hear_revocations());
    }

    ~Node()
    {
        background_.stop();
        database_->close();
        workers_.stop();
    }

    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    sessions::Service& sessions() { return product_.sessions(); }

private:
    Clock& clock_;
    telemetry::Logger logger_{{.level = telemetry::LogLevel::error, .readable = false}, clock_};
    telemetry::Registry metrics_{{.workers = 1}};
    Workers workers_{1};
    std::unique_ptr<db::Database> database_;
    app::Product product_;
    Background background_{[](const std::string& name, const std::exception_ptr&) { ADD_FAILURE() << name; }};
};

class Nodes : public testing::Test {
protected:
    Nodes()
    {
        CookieJar jar;
        api.sign_up(jar);
        user = api.run(api.product().users().find(1)).value();
    }

    bool listens()
    {
        return api.postgres(
                      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN "
                      "session_ended' AND state = 'idle'"
               )
                   .size() == 1;
    }

    void cut_listener()
    {
        api.postgres(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
            "query = 'LISTEN session_ended'"
        );
    }

    template <class Condition>
    static bool eventually(Condition condition)
    {
        const auto limit = Moment::now() + 10s;
        while (!condition() && Moment::now() < limit) {
            std::this_thread::sleep_for(1ms);
        }
        return condition();
    }

    // How long the other node takes to refuse what this one has ended.
    template <class End>
    Moment::duration time_to_die(End end)
    {
        const auto issued = api.run(api.product().sessions().sign_in(user, {}, {})).value();
        const auto caller = *other.sessions().authenticate(issued.access_token);
        const auto start = Moment::now();
        end(caller);
        EXPECT_TRUE(eventually([&] { return !other.sessions().authenticate(issued.access_token); }));
        return Moment::now() - start;
    }

    void sign_out(const sessions::Identity& caller)
    {
        api.run(api.product().sessions().sign_out(caller, {}));
    }

    static Moment::duration p99(std::vector<Moment::duration> times)
    {
        std::ranges::sort(times);
        return times[times.size() * 99 / 100];
    }

    Api api{ApiEngine::postgres};
    users::User user;
    Node other{api};
};

TEST_F(Nodes, ARevocationReachesTheOtherNodeWithinASecond)
{
    ASSERT_TRUE(eventually([this] { return listens(); }));
    std::vector<Moment::duration> times;
    for (int round = 0; round < 200; ++round) {
        times.push_back(time_to_die([this](const sessions::Identity& caller) { sign_out(caller); }));
    }
    EXPECT_LT(p99(times), 1s);
    std::ranges::sort(times);
    EXPECT_LT(times[times.size() / 2], 250ms) << "told, not polled";
}

TEST_F(Nodes, AlsoWhereTheListeningConnectionWasCut)
{
    std::vector<Moment::duration> times;
    for (int round = 0; round < 20; ++round) {
        cut_listener();
        times.push_back(time_to_die([this](const sessions::Identity& caller) { sign_out(caller); }));
    }
    EXPECT_LT(*std::ranges::max_element(times), 1s);
    EXPECT_TRUE(eventually([this] { return listens(); })) << "it comes back";
}

TEST_F(Nodes, ADisabledUserIsOutWithinASecond)
{
    auto& users = api.product().users();
    const auto set = [&](const char* status) {
        EXPECT_TRUE(api.run(users.set_status({.email = "ada@example.com", .status = status, .actor = {}}, {}))
        );
    };
    for (int round = 0; round < 20; ++round) {
        EXPECT_LT(time_to_die([&](const sessions::Identity&) { set("disabled"); }), 1s);
        set("active");
    }
    EXPECT_LT(
        time_to_die([this](const sessions::Identity&) {
            api.postgres("UPDATE users SET status = 'disabled'");
        }),
        1s
    ) << "past the product";
}

TEST_F(Nodes, AStreamOnTheOtherNodeIsToldWhy)
{
    const auto issued = api.run(api.product().sessions().sign_in(user, {}, {})).value();
    const auto caller = *other.sessions().authenticate(issued.access_token);
    const auto watch = other.sessions().watch(caller).value();
    sign_out(caller);
    EXPECT_TRUE(eventually([&] { return watch->reason().has_value(); }));
    EXPECT_EQ(watch->reason(), "logout");
}

}  // namespace

}  // namespace kit::test
