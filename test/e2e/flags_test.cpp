// `flags`, while a server runs.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/server.hpp"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using testing::HasSubstr;

namespace {

constexpr std::string_view email = "ada@example.com";

class FlagsCommand : public testing::TestWithParam<Engine> {
protected:
    FlagsCommand() { installation.set("BOOTSTRAP_ADMIN_EMAIL", std::string(email)); }

    Finished flags(std::vector<std::string> arguments) const
    {
        arguments.insert(arguments.begin(), "flags");
        return run(installation.command(std::move(arguments)));
    }

    void expect_failure(std::vector<std::string> arguments, std::string_view message) const
    {
        const auto failed = flags(std::move(arguments));
        EXPECT_EQ(failed.exit_code, 3);
        EXPECT_THAT(failed.output, HasSubstr(message));
    }

    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines,
    FlagsCommand,
    testing::Values(Engine::sqlite, Engine::postgres),
    testing::PrintToStringParamName()
);

TEST_P(FlagsCommand, ChangesCountOnARunningServerAndAreOnRecord)
{
    auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, email).status, 201);
    const auto evaluated = [&browser](std::string_view text) {
        return eventually([&] {
            return browser.get("/api/v1/feature-flags").body.find(text) != std::string::npos;
        });
    };
    EXPECT_TRUE(evaluated(R"("items":[])"));

    const auto created = flags({"create", " Beta ", "--description", "new", "--json"});
    EXPECT_EQ(created.exit_code, 0) << created.output;
    const auto document = parse_json(created.output);
    EXPECT_EQ(text_at(document, "/data/key"), "beta");
    EXPECT_EQ(text_at(document, "/details/0"), "beta: off, new");
    EXPECT_TRUE(evaluated(R"({"key":"beta","enabled":false,"source":"default","description":"new"})"));

    EXPECT_THAT(flags({"toggle", "beta"}).output, HasSubstr("- beta: on, new\n"));
    EXPECT_TRUE(evaluated(R"("enabled":true,"source":"default")"));
    EXPECT_THAT(flags({"toggle", "beta", "on"}).output, HasSubstr("beta: on"));

    EXPECT_THAT(
        flags({"rules", "beta", "--add", "role=Admin", "--give", "off", "--priority", "7"}).output,
        HasSubstr("- rule 1: role=admin gives off, priority 7\n")
    );
    EXPECT_TRUE(evaluated(R"("enabled":false,"source":"rule:role")"));
    EXPECT_THAT(flags({"list"}).output, HasSubstr("- beta: on, 1 rule, new\n"));
    const auto rules = parse_json(flags({"rules", "beta", "--add=percent=25", "--json"}).output);
    EXPECT_EQ(at(rules, "/data").as_array().size(), 2);
    EXPECT_EQ(at(rules, "/data/1/percentage").as_int64(), 25);
    EXPECT_THAT(flags({"rules", "beta", "--remove", "1"}).output, HasSubstr("- rule 2: percent=25 gives on"));

    const auto trail = browser.get("/api/v1/admin/audit?target_type=feature_flag&page_size=9").body;
    EXPECT_THAT(trail, HasSubstr(R"("event_name":"feature_flag.create")"));
    EXPECT_THAT(trail, HasSubstr(R"("event_name":"feature_flag.update")"));
    EXPECT_THAT(trail, HasSubstr(R"("actor_user_id":"anonymous")"));
    EXPECT_THAT(
        browser.get("/api/v1/admin/audit?event=feature_flag.rule.delete").body, HasSubstr(R"("total":1)")
    );
}

TEST_P(FlagsCommand, SaysWhatIsWrong)
{
    ASSERT_EQ(run(installation.command({"migrate", "up"})).exit_code, 0);
    ASSERT_EQ(flags({"create", "beta"}).exit_code, 0);
    expect_failure({"create"}, "a flag's key is required");
    expect_failure({"create", "no key"}, "invalid feature flag key");
    expect_failure({"create", "BETA"}, "feature flag already exists");
    expect_failure({"toggle", "gamma"}, "feature flag not found");
    expect_failure({"toggle", "beta", "maybe"}, "the state is on or off, not maybe");
    expect_failure({"rules", "beta", "--add", "colour=red"}, "invalid feature flag rule type");
    expect_failure({"rules", "beta", "--add", "user"}, "invalid feature flag rule value");
    expect_failure({"rules", "beta", "--add", "percent=many"}, "percent needs a whole number");
    expect_failure({"rules", "beta", "--add", "percent=101"}, "invalid feature flag rule value");
    expect_failure({"rules", "beta", "--add", "user=1", "--give", "yes"}, "--give is on or off");
    expect_failure(
        {"rules", "beta", "--add", "user=1", "--priority", "x"}, "--priority needs a whole number"
    );
    expect_failure({"rules", "beta", "--remove", "9"}, "feature flag rule not found");
    EXPECT_THAT(flags({"list", "--json"}).output, HasSubstr(R"("data": [{"id":1,"key":"beta",)"));
}

}  // namespace
