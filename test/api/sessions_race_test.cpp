// Refresh against every way to end a session, and sign-ins against new passwords, interleaved by chance: no
// session is left.
#include "api_fixture.hpp"
#include "platform/db/database.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdlib>
#include <future>
#include <random>

namespace kit::test {

namespace {

// How many of the random interleavings: those of the everyday suite, unless ./dev check asks for more.
int interleavings()
{
    constexpr int everyday = 2'000;
    const char* asked = std::getenv("KIT_INTERLEAVINGS");
    return asked == nullptr ? everyday : std::atoi(asked);
}

// What the session's tokens became.
struct Tokens {
    std::vector<std::string> access;
    std::vector<std::string> refresh;
};

struct EndAll {
    sessions::Service& sessions;

    Task<sessions::Ended> operator()(db::Transaction& transaction) const
    {
        return sessions.end_all(transaction, 1, sessions::reason::password_change);
    }
};

class Race {
public:
    Race(Api& api, std::uint64_t seed) : api_(api), sessions_(api.product().sessions()), chance_(seed)
    {
        user_ = api_.run(api_.product().users().find(1)).value();
    }

    // Several tabs refresh, each with whatever token it can have, while the session is ended.
    void run()
    {
        tokens_ = {};
        const auto issued = api_.run(sessions_.sign_in(user_, {}, {})).value();
        keep(issued);
        std::vector<std::future<void>> acts;
        const auto tabs = 1 + pick(3);
        const auto end_at = pick(tabs + 1);
        for (std::uint64_t tab = 0; tab <= tabs; ++tab) {
            auto act = tab == end_at ? end(pick(turns_max), pick(4)) : refresh(pick(turns_max), 1 + pick(3));
            acts.push_back(asio::co_spawn(api_.executor(), std::move(act), asio::use_future));
        }
        for (auto& act : acts) {
            act.get();
        }
        api_.clock().advance(std::chrono::milliseconds(pick(12'000)));
    }

    // Whether any token still opens anything.
    bool is_over()
    {
        for (const auto& token : tokens_.refresh) {
            sessions::RefreshOutcome outcome{};
            if (api_.run(sessions_.refresh(token, {}, {}, outcome))) {
                return false;
            }
        }
        return std::ranges::none_of(tokens_.access, [this](const std::string& token) {
            return sessions_.authenticate(token).has_value();
        });
    }

private:
    static constexpr std::uint64_t turns_max = 12;

    std::uint64_t pick(std::uint64_t below) { return chance_() % below; }

    void keep(const sessions::Issued& issued)
    {
        tokens_.access.push_back(issued.access_token);
        tokens_.refresh.push_back(issued.refresh_token);
    }

    Task<void> turns(std::uint64_t count)
    {
        for (std::uint64_t turn = 0; turn < count; ++turn) {
            co_await asio::post(api_.executor(), use_task);
        }
    }

    Task<void> refresh(std::uint64_t after, std::uint64_t times)
    {
        co_await turns(after);
        for (std::uint64_t time = 0; time < times; ++time) {
            sessions::RefreshOutcome outcome{};
            auto token = tokens_.refresh[pick(tokens_.refresh.size())];
            const auto issued = co_await sessions_.refresh(std::move(token), {}, {}, outcome);
            if (issued) {
                keep(*issued);
            }
            co_await turns(pick(3));
        }
    }

    Task<void> end(std::uint64_t after, std::uint64_t way)
    {
        co_await turns(after);
        const auto caller = sessions_.authenticate(tokens_.access.front());
        if (!caller) {
            co_return;  // a refresh with an old token has ended it already
        }
        if (way == 0) {
            co_await sessions_.sign_out(*caller, {});
        } else if (way == 1) {
            co_await sessions_.sign_out_everywhere(caller->user_id, {});
        } else if (way == 2) {
            const auto devices = co_await sessions_.list(*caller, {});
            static_cast<void>(co_await sessions_.end_one(*caller, devices.current_id, {}));
        } else {
            sessions_.announce(co_await api_.database().transaction(EndAll{sessions_}));
        }
    }

    Api& api_;
    sessions::Service& sessions_;
    std::mt19937_64 chance_;
    users::User user_;
    Tokens tokens_;
};

TEST(SessionRaces, RefreshAgainstRevokeNeverRevivesASession)
{
    Api api(ApiEngine::sqlite);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int seed = 1; seed <= interleavings(); ++seed) {
        Race race(api, static_cast<std::uint64_t>(seed));
        race.run();
        ASSERT_TRUE(race.is_over()) << "seed " << seed;
    }
}

struct ReplacePassword {
    sessions::Service& sessions;
    auth::Repository::NewHash hash;

    Task<sessions::Ended> operator()(db::Transaction& transaction) const
    {
        EXPECT_TRUE(co_await auth::Repository::replace_hash(transaction, hash));
        co_return co_await sessions.end_all(transaction, hash.user_id, sessions::reason::password_change);
    }
};

// A password that was found right, and a new one that comes before the session does.
class LoginRace {
public:
    LoginRace(Api& api, std::string hash, std::uint64_t seed)
        : api_(api), sessions_(api.product().sessions()), hash_(std::move(hash)), chance_(seed)
    {
        user_ = api_.run(api_.product().users().find(1)).value();
    }

    bool signed_in() const { return issued_.has_value(); }

    void run(const std::string& next)
    {
        auto login = asio::co_spawn(api_.executor(), sign_in(pick(login_turns_max)), asio::use_future);
        auto change =
            asio::co_spawn(api_.executor(), replace(pick(change_turns_max), next), asio::use_future);
        login.get();
        change.get();
    }

    bool is_over()
    {
        const auto listed = api_.run(sessions_.list({.user_id = user_.id}, {}));
        return listed.sessions.empty() && !(issued_ && sessions_.authenticate(issued_->access_token));
    }

private:
    static constexpr std::uint64_t login_turns_max = 200;
    static constexpr std::uint64_t change_turns_max = 40;

    std::uint64_t pick(std::uint64_t below) { return chance_() % below; }

    Task<void> turns(std::uint64_t count)
    {
        for (std::uint64_t turn = 0; turn < count; ++turn) {
            co_await asio::post(api_.executor(), use_task);
        }
    }

    Task<void> sign_in(std::uint64_t after)
    {
        co_await turns(after);
        auto issued = co_await sessions_.sign_in(user_, {}, {}, {.password_hash = hash_});
        if (issued) {
            issued_ = *std::move(issued);
        }
    }

    Task<void> replace(std::uint64_t after, std::string next)
    {
        co_await turns(after);
        sessions_.announce(co_await api_.database().transaction(ReplacePassword{
            sessions_, {.user_id = user_.id, .current = hash_, .next = next, .now = api_.clock().now()}
        }));
    }

    Api& api_;
    sessions::Service& sessions_;
    std::string hash_;
    std::mt19937_64 chance_;
    users::User user_;
    std::optional<sessions::Issued> issued_;
};

class LoginRaces : public ApiTest {};

KIT_BOTH_ENGINES(LoginRaces);

TEST_P(LoginRaces, ALoginInFlightDuringANewPasswordLeavesNoSession)
{
    constexpr int rounds = 300;
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    auto hash = api.run(auth::Repository::find_holder(api.database(), 1)).value().password_hash;
    int signed_in = 0;
    for (int seed = 1; seed <= rounds; ++seed) {
        LoginRace race(api, hash, static_cast<std::uint64_t>(seed));
        hash = "hash " + std::to_string(seed);
        race.run(hash);
        ASSERT_TRUE(race.is_over()) << "seed " << seed;
        signed_in += race.signed_in() ? 1 : 0;
    }
    EXPECT_GT(signed_in, 0);
    EXPECT_LT(signed_in, rounds);
}

}  // namespace

}  // namespace kit::test
