// What operators do by command beside running servers, and how fast a change of roles counts on each of them.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/server.hpp"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

using namespace kit::test;
using testing::HasSubstr;
using testing::Not;

namespace {

using Moment = std::chrono::steady_clock;

constexpr const char* users_path = "/api/v1/admin/users";

class Operators : public testing::TestWithParam<Engine> {
protected:
    Finished command(std::vector<std::string> arguments, const std::string& input = "") const
    {
        auto options = installation.command(std::move(arguments));
        std::vector<std::string> shell{
            "/bin/sh", "-c", R"(input=$1; shift; printf '%s\n' "$input" | "$@")", "sh", input
        };
        options.command.insert(options.command.begin(), shell.begin(), shell.end());
        return run(std::move(options));
    }

    // The document's details, one a line.
    std::string details(const std::vector<std::string>& arguments, const std::string& input = "") const
    {
        auto all = arguments;
        all.emplace_back("--json");
        const auto finished = command(all, input);
        EXPECT_EQ(finished.exit_code, 0) << finished.output << finished.errors;
        std::string text;
        for (const auto& detail : at(parse_json(finished.output), "/details").as_array()) {
            text += std::string(detail.as_string()) + '\n';
        }
        return text;
    }

    void expect_failure(
        const std::vector<std::string>& arguments, const std::string& error, const std::string& input = ""
    ) const
    {
        auto all = arguments;
        all.emplace_back("--json");
        const auto finished = command(all, input);
        EXPECT_EQ(finished.exit_code, 3) << finished.output;
        EXPECT_THAT(finished.output, HasSubstr("\"error\": \"" + error)) << finished.output;
        EXPECT_THAT(finished.output, HasSubstr("\"ok\": false"));
    }

    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Operators, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

TEST_P(Operators, MakeAnAdministratorBesideARunningServer)
{
    auto server = installation.start();
    const std::string password(good_password);
    EXPECT_THAT(
        details({"users", "create", " Ada@Example.com ", "Ada"}, password),
        HasSubstr("created user 1: ada@example.com")
    );
    auto client = server.client();
    ASSERT_EQ(log_in(client, "ada@example.com").status, 200);
    EXPECT_EQ(client.get(users_path).status, 403);
    EXPECT_EQ(
        details({"roles", "grant", "ada@example.com", "Admin"}), "ada@example.com has now the role Admin\n"
    );
    EXPECT_TRUE(eventually([&] { return client.get(users_path).status == 200; }))
        << "counts without a restart";
    EXPECT_EQ(
        details({"roles", "grant", "ada@example.com", "admin"}),
        "ada@example.com had already the role admin\n"
    );
    expect_failure(
        {"roles", "revoke", "ada@example.com", "admin"}, "the last administrator keeps the role admin"
    );

    EXPECT_THAT(
        details({"roles", "create", "editor", "products:read", "Products:Write", "--description=edits"}),
        HasSubstr("created role 3: editor [products:read, products:write]")
    );
    EXPECT_THAT(details({"roles", "list"}), HasSubstr("1 user []\n2 admin [users:read, users:write, "));
    EXPECT_TRUE(eventually([&] {
        return client.get("/api/v1/admin/roles").body.find("editor") != std::string::npos;
    }));
    details({"users", "create", "bob@example.com", "Bob"}, password);
    details({"roles", "grant", "bob@example.com", "editor"});
    EXPECT_THAT(details({"users", "list"}), HasSubstr("2 bob@example.com active [user, editor] 20"));
    EXPECT_EQ(
        details({"users", "list", "--role", "editor", "--status=active", "--email", "BO"}).substr(0, 6),
        "2 bob@"
    );
    EXPECT_THAT(details({"users", "list", "--limit", "1"}), HasSubstr("there are more than 1"));
    const auto listed = command({"users", "list", "--json"});
    EXPECT_EQ(text_at(parse_json(listed.output), "/data/1/email"), "bob@example.com");
    EXPECT_EQ(text_at(parse_json(listed.output), "/data/1/roles/1"), "editor");
    EXPECT_TRUE(eventually([&] {
        return client.get(users_path).body.find("bob@example.com") != std::string::npos;
    })) << "the running server's list follows";
    EXPECT_EQ(
        details({"roles", "revoke", "bob@example.com", "editor"}),
        "bob@example.com no longer has the role editor\n"
    );

    const auto trail = client.get("/api/v1/admin/audit?actor=anonymous&outcome=success");
    EXPECT_THAT(trail.body, HasSubstr(R"("event_name":"admin.user.create")"));
    EXPECT_THAT(trail.body, HasSubstr(R"("extras":{"role_name":"editor",)"));
    EXPECT_THAT(trail.body, HasSubstr(R"("extras":{"role_ids":[1,3],"before_role_ids":[1]})"));
    EXPECT_THAT(trail.body, HasSubstr(R"("extras":{"role_ids":[1],"before_role_ids":[1,3]})"));
    EXPECT_EQ(server.stop(), 0);
    EXPECT_EQ(command({"audit", "verify"}).exit_code, 0);
}

TEST_P(Operators, WhatTheyGetWrongIsSaid)
{
    ASSERT_EQ(command({"migrate", "up"}).exit_code, 0);
    ASSERT_EQ(command({"seed", "apply"}).exit_code, 0);
    const std::string password(good_password);
    expect_failure({"users", "create", "ada@example.com"}, "an address and a name are required");
    expect_failure({"users", "create", "ada@example.com", "Ada"}, "a password is required");
    expect_failure({"users", "create", "ada@example.com", "Ada"}, "password must be 12+ chars", "short");
    expect_failure({"users", "create", "nonsense", "Ada"}, "invalid email", password);
    details({"users", "create", "ada@example.com", "Ada"}, password);
    expect_failure({"users", "create", "ADA@example.com", "Ada"}, "email already registered", password);
    expect_failure({"users", "list", "--limit", "none"}, "--limit must be between 1 and 100000");
    expect_failure({"roles", "grant", "ada@example.com"}, "an address and a role are required");
    expect_failure({"roles", "grant", "bob@example.com", "admin"}, "user not found");
    expect_failure({"roles", "grant", "ada@example.com", "none"}, "role not found");
    expect_failure({"roles", "create"}, "a name is required");
    expect_failure({"roles", "create", "Admin"}, "role already exists");
    expect_failure({"roles", "create", "x", "users"}, "permission format must be resource:action");
    expect_failure({"roles", "create", "x", "a:b"}, "one or more permissions do not exist");
    EXPECT_EQ(command({"roles", "sideways"}).exit_code, 1);
    EXPECT_EQ(command({"users", "list", "--sideways"}).exit_code, 1);
    EXPECT_THAT(command({"users", "list"}, password).output, Not(HasSubstr(password)));
}

// In the middle of a session: on the node at once, on the other within a second, with Redis and without.
TEST(RolesOfTwoNodes, AChangeCountsOnBoth)
{
    RedisServer redis;
    Installation installation(Engine::postgres);
    installation.set("REDIS_ADDR", redis.address());
    installation.set("RATE_LIMIT_REDIS_ENABLED", "false");
    installation.set("AUTH_ABUSE_PROTECTION_ENABLED", "false");
    installation.set("IDEMPOTENCY_REDIS_ENABLED", "false");
    installation.set("BOOTSTRAP_ADMIN_EMAIL", "root@example.com");
    auto here = installation.start();
    auto there = installation.start();
    auto root = here.client();
    ASSERT_EQ(sign_up(root, "root@example.com").status, 201);
    auto ada_here = here.client();
    ASSERT_EQ(sign_up(ada_here, "ada@example.com").status, 201);
    auto ada_there = there.client();
    ada_there.set_jar(ada_here.jar());
    const auto set = [&](const std::string& roles) {
        const auto answer = root.send(
            {.method = "PATCH",
             .target = "/api/v1/admin/users/2/roles",
             .headers =
                 {{"X-CSRF-Token", root.cookie("csrf_token")},
                  {"Idempotency-Key", "k" + std::to_string(Moment::now().time_since_epoch().count())}},
             .body = R"({"role_ids":[)" + roles + "]}"}
        );
        ASSERT_EQ(answer.status, 200) << answer.body;
    };
    std::chrono::milliseconds longest{0};
    for (int round = 0; round < 20; ++round) {
        if (round == 10) {
            redis.crash();
        }
        const bool admin = round % 2 == 0;
        const int status = admin ? 200 : 403;
        set(admin ? "1,2" : "1");
        const auto changed = Moment::now();
        EXPECT_EQ(ada_here.get(users_path).status, status) << "the next request here, round " << round;
        EXPECT_TRUE(eventually([&] { return ada_there.get(users_path).status == status; })) << round;
        longest =
            std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(Moment::now() - changed));
    }
    RecordProperty("longest_ms", static_cast<int>(longest.count()));
    EXPECT_LT(longest, std::chrono::seconds(1));
}

}  // namespace
