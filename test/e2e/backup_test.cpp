// Backups of a server that is busy, and what comes back of them.
#include "support/account.hpp"
#include "support/images.hpp"
#include "support/json.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

using namespace kit::test;
using testing::HasSubstr;

namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file)
{
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

HttpRequest upload(const HttpClient& client, const std::string& image)
{
    return {
        .method = "POST",
        .target = "/api/v1/me/avatar",
        .headers = {{"Content-Type", form_type()}, {"X-CSRF-Token", client.cookie("csrf_token")}},
        .body = avatar_form(image)
    };
}

// The tables of a manifest: names, rows and digests.
std::string tables_of(const fs::path& backup)
{
    const auto manifest = content_of(backup / "manifest.json");
    const auto begin = manifest.find("\"tables\":");
    return manifest.substr(begin, manifest.find(']', begin) - begin);
}

class Backup : public testing::TestWithParam<Engine> {
protected:
    static Finished command(const Installation& place, std::vector<std::string> arguments)
    {
        return run(place.command(std::move(arguments)));
    }

    Finished back_up(const std::string& name, const std::string& more = "--json")
    {
        return command(installation, {"backup", "--to", path(name), more});
    }

    Finished restore(const Installation& place, const std::string& name, const std::string& more = "--json")
    {
        return command(place, {"restore", "--from", path(name), more});
    }

    std::string path(const std::string& name) const { return (folder.path() / name).string(); }

    // Another database with a folder of its own.
    static Installation elsewhere() { return Installation(GetParam()); }

    TempDir folder;
    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Backup, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

TEST_P(Backup, UnderLoadIsOneMomentAndComesBackWhole)
{
    const auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, "ada@example.com").status, 201);
    ASSERT_EQ(browser.send(upload(browser, png({.padding_bytes = 50'000}))).status, 200);
    std::atomic<bool> done = false;
    std::thread load([&] {
        auto busy = server.client();
        for (int number = 0; !done; ++number) {
            sign_up(busy, "user" + std::to_string(number) + "@example.com");
            busy.send(upload(busy, jpeg()));
        }
    });
    const auto made = back_up("busy");
    done = true;
    load.join();
    ASSERT_EQ(made.exit_code, 0) << made.output << made.errors;
    EXPECT_THAT(made.output, HasSubstr("\"ok\": true"));

    const auto place = elsewhere();
    const auto restored = restore(place, "busy");
    ASSERT_EQ(restored.exit_code, 0) << restored.output << restored.errors;
    EXPECT_THAT(restored.output, HasSubstr("every digest equal"));
    EXPECT_THAT(restored.output, HasSubstr("audit trail: whole"));
    // What was restored, saved again, is the same.
    ASSERT_EQ(command(place, {"backup", "--to", path("again")}).exit_code, 0);
    EXPECT_EQ(tables_of(path("again")), tables_of(path("busy")));

    const auto other = place.start();
    auto visitor = other.client();
    EXPECT_EQ(log_in(visitor, "ada@example.com").status, 200);
    const auto me = visitor.get("/api/v1/me");
    const std::string link(text_at(parse_json(me.body), "/data/avatar_url"));
    const auto redirected = visitor.get(link);
    ASSERT_EQ(redirected.status, 302) << link;
    EXPECT_EQ(visitor.get(redirected.header("location").value()).body, png({.padding_bytes = 50'000}));
}

TEST_P(Backup, NothingIsOverwrittenUnasked)
{
    {
        const auto server = installation.start();
        auto browser = server.client();
        ASSERT_EQ(sign_up(browser, "ada@example.com").status, 201);
        ASSERT_EQ(browser.send(upload(browser, png())).status, 200);
    }
    ASSERT_EQ(back_up("one").exit_code, 0);
    const auto again = back_up("one");
    EXPECT_EQ(again.exit_code, 3);
    EXPECT_THAT(again.output, HasSubstr("is not empty"));
    EXPECT_EQ(back_up("one", "--overwrite").exit_code, 0);

    const auto full = restore(installation, "one");
    EXPECT_EQ(full.exit_code, 3);
    EXPECT_THAT(full.output, HasSubstr("not empty"));
    const auto over = restore(installation, "one", "--overwrite");
    EXPECT_EQ(over.exit_code, 0) << over.output << over.errors;
    EXPECT_EQ(restore(installation, "none").exit_code, 3);
    EXPECT_EQ(command(installation, {"backup"}).exit_code, 3);

    // A damaged backup is noticed before anything is touched.
    const auto file =
        folder.path() / "one" / (GetParam() == Engine::sqlite ? "database.sqlite" : "database.dump");
    std::ofstream(file, std::ios::app) << "x";
    const auto place = elsewhere();
    const auto damaged = restore(place, "one");
    EXPECT_EQ(damaged.exit_code, 3);
    EXPECT_THAT(damaged.output, HasSubstr("is damaged"));
    const Installation other_engine(GetParam() == Engine::sqlite ? Engine::postgres : Engine::sqlite);
    EXPECT_THAT(restore(other_engine, "one").output, HasSubstr("names the other engine"));
}

}  // namespace
