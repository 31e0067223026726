// How PostgreSQL reads pages of users: by an index, in every order and with every filter.
#include "data/db/database_fixture.hpp"
#include "modules/users/users.hpp"
#include "platform/db/migrations.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>

#include <deque>

namespace kit::users {
namespace {

using testing::HasSubstr;
using testing::Not;

// Runs what it is given, and asks for its plan besides.
class PlanReader final : public db::Session {
public:
    explicit PlanReader(db::Database& database) : database_(database) {}

    db::Engine engine() const override { return database_.engine(); }

    Task<db::Rows> run(db::Statement statement) override
    {
        co_await explain(statement);
        co_return co_await database_.run(statement);
    }

    Task<std::vector<db::Rows>> run_all(std::span<const db::Statement> statements) override
    {
        for (const auto& statement : statements) {
            co_await explain(statement);
        }
        co_return co_await database_.run_all(statements);
    }

    // The plans since the last call.
    std::string take() { return std::exchange(plans_, {}); }

private:
    struct Explained {
        std::string sql;
        db::Query query;
    };

    Task<void> explain(db::Statement statement)
    {
        if (statement.query->sql.starts_with("EXPLAIN")) {
            co_return;
        }
        // Kept: a driver knows a statement by its address.
        auto& explained = explained_.emplace_back();
        explained.sql = "EXPLAIN " + std::string(statement.query->sql);
        explained.query = {.name = "test.explain", .sql = explained.sql};
        const auto rows = co_await database_.run({&explained.query, statement.values});
        for (std::size_t row = 0; row < rows.size(); ++row) {
            plans_ += std::string(rows.cell(row, 0).text) + '\n';
        }
    }

    db::Database& database_;
    std::deque<Explained> explained_;
    std::string plans_;
};

constexpr int users = 50'000;

// A thousandth is disabled, two are administrators.
class Plans : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        database_ = new db::Opened(db::fresh_url(db::Engine::postgres));
        auto& database = *database_;
        database.run(db::migrate_up(
            *database, db::embedded_migrations(db::Engine::postgres), test::ManualClock().now()
        ));
        db::run_script(
            database,
            "INSERT INTO roles (name, created_at, updated_at) VALUES ('user', now(), now()), ('admin', "
            "now(), "
            "now());"
            "INSERT INTO users (email, name, status, last_login_at, created_at, updated_at) "
            "SELECT md5(n::text) || n || '@example.com', 'name ' || n % 1000, "
            "CASE WHEN n % 1000 = 0 THEN 'disabled' ELSE 'active' END, "
            "CASE WHEN n % 3 = 0 THEN NULL ELSE now() - n * interval '1 second' END, "
            "now() - n * interval '1 minute', now() - n % 777 * interval '1 minute' "
            "FROM generate_series(1, " +
                std::to_string(users) +
                ") n;"
                "INSERT INTO user_roles (user_id, role_id) SELECT id, 1 FROM users;"
                "INSERT INTO user_roles (user_id, role_id) SELECT id, 2 FROM users WHERE id IN (7, 40000);"
                "ANALYZE users; ANALYZE roles; ANALYZE user_roles"
        );
    }

    static void TearDownTestSuite()
    {
        delete database_;
        database_ = nullptr;
    }

    Page read(const ListFilter& filter, const ListView& view)
    {
        return database_->run(Repository::page(reader_, filter, view));
    }

    static ListView view_of(std::size_t field, bool descending)
    {
        return {
            .order = {.field = field, .descending = descending},
            .slice = {.rows_max = 20},
            .total = Total::none
        };
    }

    void expect_index(const std::string& what)
    {
        const auto plan = reader_.take();
        EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on users"))) << what << '\n' << plan;
        EXPECT_THAT(plan, HasSubstr("Index")) << what << '\n' << plan;
    }

    static db::Opened* database_;
    PlanReader reader_{**database_};
};

db::Opened* Plans::database_ = nullptr;

TEST_F(Plans, EveryOrderFromTheStartAndBesideAUser)
{
    for (std::size_t field = 0; field < list_fields.size(); ++field) {
        for (const bool descending : {false, true}) {
            auto view = view_of(field, descending);
            const auto what = std::string(list_fields[field]) + (descending ? " desc" : " asc");
            const auto first = read({}, view);
            ASSERT_EQ(first.rows.size(), 20U) << what;
            EXPECT_TRUE(first.more);
            expect_index(what);
            view.slice.cursor = Cursor{.place = place_of(first.rows.back(), field)};
            const auto second = read({}, view);
            ASSERT_EQ(second.rows.size(), 20U) << what;
            expect_index(what + ", after");
            view.slice.cursor = Cursor{.place = place_of(second.rows.front(), field), .before = true};
            const auto back = read({}, view);
            ASSERT_EQ(back.rows.size(), 20U) << what;
            EXPECT_EQ(back.rows.back().id, first.rows.back().id) << what;
            EXPECT_FALSE(back.more) << what;
            expect_index(what + ", before");
        }
    }
}

TEST_F(Plans, EveryFilter)
{
    const std::vector<std::pair<ListFilter, std::size_t>> filters{
        {{.email = "ab", .status = {}, .role = {}}, 20},
        {{.email = "abc123", .status = {}, .role = {}}, 0},
        {{.email = {}, .status = "disabled", .role = {}}, 20},
        {{.email = {}, .status = "active", .role = {}}, 20},
        {{.email = {}, .status = {}, .role = "admin"}, 2},
        {{.email = {}, .status = {}, .role = "user"}, 20},
        {{.email = "a", .status = "disabled", .role = "user"}, 1},
    };
    for (const auto& [filter, rows] : filters) {
        const auto page = read(filter, view_of(1, true));
        if (rows == 20) {
            EXPECT_EQ(page.rows.size(), 20U);
        } else if (rows == 2) {
            EXPECT_EQ(page.rows.size(), 2U);
        }
        const auto plan = reader_.take();
        EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on users")))
            << filter.email << ' ' << filter.status << ' ' << filter.role << '\n'
            << plan;
        EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on user_roles"))) << plan;
    }
}

// Many are guessed at without being read, few are counted.
TEST_F(Plans, AnEstimateReadsNoRows)
{
    auto view = view_of(1, true);
    view.total = Total::estimate;
    const auto all = read({}, view);
    EXPECT_NEAR(static_cast<double>(all.total.value()), users, users * 0.05);
    EXPECT_THAT(reader_.take(), Not(HasSubstr("Aggregate"))) << "not counted";
    EXPECT_EQ(read({.email = {}, .status = "disabled", .role = {}}, view).total, users / 1000);
    EXPECT_THAT(reader_.take(), HasSubstr("Aggregate"));
    view.total = Total::exact;
    EXPECT_EQ(read({}, view).total, users);
    EXPECT_EQ(read({.email = {}, .status = {}, .role = "admin"}, view).total, 2);
    EXPECT_EQ(read({.email = {}, .status = {}, .role = "nobody"}, view).total, 0);
}

}  // namespace
}  // namespace kit::users
