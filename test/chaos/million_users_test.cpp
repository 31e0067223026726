// A million users on PostgreSQL: any page of them by cursor within 50 ms.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr int users = 1'000'000;
constexpr int depths = 25;  // of each order
constexpr std::chrono::milliseconds limit{50};

using Moment = std::chrono::steady_clock;

std::string next_of(const HttpResponse& response)
{
    static const std::regex link(R"(<([^>]*)>; rel="next")");
    std::smatch found;
    const auto header = response.header("Link").value_or("");
    return std::regex_search(header, found, link) ? found[1].str() : std::string();
}

class MillionUsers : public testing::Test {
protected:
    MillionUsers()
        // A page so far out that a cursor can be had there takes longer than a request may.
        : installation(Engine::postgres, {{"DB_QUERY_TIMEOUT", "60s"}}, release_binary()),
          server(installation.start()),
          client(server.client())
    {
        const auto url = installation.environment().at("DATABASE_URL");
        database = url.substr(url.rfind('/') + 1);
        database = database.substr(0, database.find('?'));
        EXPECT_EQ(sign_up(client, "ada@example.com").status, 201);
        execute(
            "INSERT INTO user_roles (user_id, role_id) SELECT 1, id FROM roles WHERE name = 'admin';"
            "UPDATE cache_epochs SET epoch = epoch + 1;"
            "INSERT INTO users (email, name, status, last_login_at, created_at, updated_at) "
            "SELECT md5(n::text) || n || '@example.com', 'name ' || n % 10000, "
            "CASE WHEN n % 5000 = 0 THEN 'disabled' ELSE 'active' END, "
            "CASE WHEN n % 3 = 0 THEN NULL ELSE now() - n * interval '1 second' END, "
            "now() - n * interval '1 minute', now() - n % 7777 * interval '1 minute' FROM "
            "generate_series(1, " +
            std::to_string(users) +
            ") n;"
            "INSERT INTO user_roles (user_id, role_id) SELECT id, 1 FROM users WHERE id > 1"
        );
        for (const std::string table : {"users", "user_roles", "roles"}) {
            execute("VACUUM ANALYZE " + table);
        }
    }

    void execute(const std::string& sql) { PostgresCluster::shared().execute(database, sql); }

    HttpResponse get(const std::string& path)
    {
        auto response = client.get(path);
        EXPECT_EQ(response.status, 200) << path << response.body;
        return response;
    }

    Moment::duration time(const std::string& path)
    {
        const auto started = Moment::now();
        get(path);
        return Moment::now() - started;
    }

    void time_filters()
    {
        for (const std::string query :
             {"?total=none",
              "?total=estimate",
              "?total=none&email=abc",
              "?total=none&email=abcdef12",
              "?total=none&status=disabled",
              "?total=none&role=admin",
              "?total=none&role=user",
              "?total=estimate&role=user&status=active"}) {
            const auto taken = time("/api/v1/admin/users" + query);
            std::printf("%-42s %.2f ms\n", query.c_str(), ms(taken));
            EXPECT_LT(taken, limit) << query;
        }
        std::printf("%-42s %.2f ms\n", "counted exactly", ms(time("/api/v1/admin/users")));
    }

    static double ms(Moment::duration time)
    {
        return std::chrono::duration<double, std::milli>(time).count();
    }

    Installation installation;
    Server server;
    HttpClient client;
    std::string database;
};

// Both in one test: the users take minutes to make.
TEST_F(MillionUsers, AnyPageByCursorFirstPagesAndFilters)
{
    const std::string list = "/api/v1/admin/users?page_size=100&total=none&sort_by=";
    std::vector<Moment::duration> times;
    for (const std::string field :
         {"id", "created_at", "updated_at", "email", "name", "status", "last_login_at"}) {
        std::vector<Moment::duration> of_field;
        for (int depth = 0; depth < depths; ++depth) {
            const auto page = 1 + static_cast<std::int64_t>(users / 100 - 10) * depth / depths;
            const auto next = next_of(get(list + field + "&page=" + std::to_string(page)));
            ASSERT_FALSE(next.empty()) << field << page;
            of_field.push_back(time(next));
        }
        std::ranges::sort(of_field);
        std::printf(
            "%-14s median %.2f ms, longest %.2f ms\n",
            field.c_str(),
            ms(of_field[depths / 2]),
            ms(of_field.back())
        );
        times.insert(times.end(), of_field.begin(), of_field.end());
    }
    EXPECT_LT(*std::ranges::max_element(times), limit);
    time_filters();
}

}  // namespace
