// 200 times kill -9 in the middle of SQLite writes: the file stays sound and what was acknowledged is there.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

using namespace kit::test;

namespace {

constexpr int kills = 200;
constexpr int browsers_count = 8;

// What the server has acknowledged so far, in all its lives.
struct Acknowledged {
    std::mutex mutex;
    std::vector<std::string> addresses;
    std::atomic<int> refreshes{0};
    std::atomic<int> registrations{0};
    std::atomic<int> wrong{0};  // answers that deny something acknowledged
};

// A browser: its jar holds the last refresh token that the server acknowledged.
struct Browser {
    HttpClient::Jar jar;
};

// The answer; nothing where the server died before it came.
std::optional<HttpResponse> answer_of(const std::function<HttpResponse()>& request)
{
    try {
        return request();
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

// Refreshes until the server dies. A refresh that was not answered may have happened: its token is then the
// previous one, which the grace still accepts.
void refresh_on(const Endpoint& endpoint, Browser& browser, Acknowledged& acknowledged)
{
    HttpClient client(endpoint);
    client.set_jar(browser.jar);
    while (const auto response = answer_of([&client] { return refresh(client); })) {
        if (response->status != 200) {
            ++acknowledged.wrong;
            ADD_FAILURE() << "an acknowledged refresh token is refused: " << response->body;
            return;
        }
        browser.jar = client.jar();
        ++acknowledged.refreshes;
    }
}

void register_on(const Endpoint& endpoint, int life, Acknowledged& acknowledged)
{
    for (int i = 0;; ++i) {
        HttpClient client(endpoint);
        auto address = fmt::format("life-{}-{}@example.com", life, i);
        const auto response = answer_of([&] { return sign_up(client, address); });
        if (!response) {
            return;
        }
        if (response->status == 201) {
            const std::scoped_lock lock(acknowledged.mutex);
            acknowledged.addresses.push_back(std::move(address));
            ++acknowledged.registrations;
        }
    }
}

// The dead server's database, copied with its log: looking at the original would do the recovery that is the
// server's to do.
class Autopsy {
public:
    explicit Autopsy(const std::filesystem::path& database)
    {
        const auto copy = folder_.path() / "copy.db";
        std::filesystem::copy_file(database, copy);
        if (std::filesystem::exists(database.string() + "-wal")) {
            std::filesystem::copy_file(database.string() + "-wal", copy.string() + "-wal");
        }
        if (sqlite3_open(copy.c_str(), &database_) != SQLITE_OK) {
            throw std::runtime_error(sqlite3_errmsg(database_));
        }
    }

    Autopsy(const Autopsy&) = delete;
    Autopsy& operator=(const Autopsy&) = delete;

    ~Autopsy() { sqlite3_close(database_); }

    // The first column of every row.
    std::vector<std::string> column(const std::string& sql) const
    {
        std::vector<std::string> values;
        const auto collect = [](void* into, int, char** texts, char**) {
            static_cast<std::vector<std::string>*>(into)->emplace_back(texts[0] == nullptr ? "" : texts[0]);
            return 0;
        };
        char* error = nullptr;
        if (sqlite3_exec(database_, sql.c_str(), collect, &values, &error) != SQLITE_OK) {
            values.emplace_back(error);
            sqlite3_free(error);
        }
        return values;
    }

private:
    TempDir folder_;
    sqlite3* database_ = nullptr;
};

void examine(const Installation& installation, Acknowledged& acknowledged)
{
    const Autopsy autopsy(installation.sqlite_path());
    EXPECT_EQ(autopsy.column("PRAGMA integrity_check"), std::vector<std::string>{"ok"});
    EXPECT_EQ(autopsy.column("PRAGMA foreign_key_check"), std::vector<std::string>{});
    auto there = autopsy.column("SELECT email FROM users ORDER BY email");
    std::ranges::sort(there);
    auto promised = acknowledged.addresses;
    std::ranges::sort(promised);
    EXPECT_TRUE(std::ranges::includes(there, promised)) << "an acknowledged registration is missing";
}

std::vector<Browser> sign_up_browsers(const Installation& installation, Acknowledged& acknowledged)
{
    auto server = installation.start();
    std::vector<Browser> browsers;
    for (int i = 0; i < browsers_count; ++i) {
        auto client = server.client();
        auto address = fmt::format("browser-{}@example.com", i);
        EXPECT_EQ(sign_up(client, address).status, 201);
        acknowledged.addresses.push_back(std::move(address));
        browsers.push_back({client.jar()});
    }
    return browsers;
}

// One life: all refresh and one registers until enough was acknowledged; then the kill.
void live_and_die(
    const Installation& installation,
    int life,
    int refreshes,
    int registrations,
    std::vector<Browser>& browsers,
    Acknowledged& acknowledged
)
{
    auto server = installation.start();
    const int refreshes_before = acknowledged.refreshes;
    const int registrations_before = acknowledged.registrations;
    std::vector<std::jthread> threads;
    threads.reserve(browsers.size() + 1);
    for (auto& browser : browsers) {
        threads.emplace_back(refresh_on, server.endpoint(), std::ref(browser), std::ref(acknowledged));
    }
    threads.emplace_back(register_on, server.endpoint(), life, std::ref(acknowledged));
    EXPECT_TRUE(eventually([&] {
        return acknowledged.wrong > 0 || (acknowledged.refreshes - refreshes_before >= refreshes &&
                                          acknowledged.registrations - registrations_before >= registrations);
    })) << "life "
        << life;
    server.process().signal(SIGKILL);
    EXPECT_EQ(server.process().wait(), 128 + SIGKILL);
}

TEST(Crash, KilledTwoHundredTimesInTheMiddleOfWrites)
{
    const Installation installation(Engine::sqlite, {{"AUTH_REFRESH_GRACE", "1m"}}, release_binary());
    Acknowledged acknowledged;
    auto browsers = sign_up_browsers(installation, acknowledged);
    std::mt19937 random(std::random_device{}());
    std::uniform_int_distribution<int> refreshes(browsers_count, 200);

    for (int life = 0; life < kills && !HasFailure(); ++life) {
        // A registration is a hash and takes long: every fourth life waits for one, the others die whenever.
        live_and_die(installation, life, refreshes(random), life % 4 == 0 ? 1 : 0, browsers, acknowledged);
        examine(installation, acknowledged);
    }
    auto server = installation.start();
    for (const auto& browser : browsers) {
        auto client = server.client();
        client.set_jar(browser.jar);
        EXPECT_EQ(refresh(client).status, 200) << "an acknowledged refresh is lost";
    }
    RecordProperty("refreshes", acknowledged.refreshes);
    RecordProperty("registrations", acknowledged.registrations);
}

}  // namespace
