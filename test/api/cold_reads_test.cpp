// Many who ask for the same list at once, on all workers, and writers who meet at one role.
#include "admin_fixture.hpp"
#include "platform/crypto/hash.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>

#include <future>
#include <set>
#include <thread>

namespace kit::test {

namespace {

using testing::HasSubstr;

constexpr int workers = 4;

class ColdReads : public CachedApiTest {
protected:
    ColdReads()
        : api_(engine(), [](config::Config& config) {
              configure(config);
              config.http.workers = workers;
          })
    {
        sign_up_admin(api_, admin_);
    }

    ApiRequest with_cookies(ApiRequest request) const
    {
        request.headers.emplace_back("Cookie", admin_.header());
        request.headers.emplace_back("X-CSRF-Token", admin_.value("csrf_token"));
        return request;
    }

    // How often the list was read from the database.
    std::int64_t list_reads(const std::string& repository) const
    {
        const std::vector<std::string> attributes{repository, "list_paged", "success"};
        for (const auto& instrument : api_.metrics().collect()) {
            for (const auto& series : instrument.series) {
                if (instrument.instrument->name == "repository.operations" &&
                    series.attributes == attributes) {
                    return series.count;
                }
            }
        }
        return 0;
    }

    Api api_;
    CookieJar admin_;
};

KIT_BOTH_STORES(ColdReads);

TEST_P(ColdReads, TwoHundredAtOnceMakeOneQuery)
{
    const std::vector<std::pair<std::string, std::string>> lists{
        {"/api/v1/admin/users", "user"},
        {"/api/v1/admin/roles", "role"},
        {"/api/v1/admin/permissions", "permission"},
    };
    for (const auto& [path, repository] : lists) {
        const auto before = list_reads(repository);
        std::vector<std::future<ApiResponse>> answers;
        answers.reserve(200);
        for (std::size_t reader = 0; reader < 200; ++reader) {
            answers.push_back(asio::co_spawn(
                api_.executor(reader % workers),
                api_.ask(api_.product(), with_cookies({.path = path})),
                asio::use_future
            ));
        }
        std::set<std::string> tags;
        for (auto& answer : answers) {
            const auto response = answer.get();
            EXPECT_EQ(response.status, 200) << path;
            tags.insert(response.header("etag").value_or(""));
        }
        EXPECT_EQ(tags.size(), 1U) << path;
        EXPECT_EQ(list_reads(repository) - before, 1) << path;
    }
}

// Each adds one to what it has read, and begins anew where somebody was faster.
TEST_P(ColdReads, EightWritersOfOneRoleLoseNoUpdate)
{
    constexpr int writers = 8;
    constexpr int each = 8;
    const auto created =
        api_.send(admin_, request("POST", "/api/v1/admin/roles", R"({"name":"counter","description":"0"})"));
    ASSERT_EQ(created.status, 201);
    const auto path =
        "/api/v1/admin/roles/" + std::to_string(at(parse_json(created.body), "/data/id").as_int64());
    const auto current = [&] {
        // An update of nothing answers with what is there, and its tag.
        const auto list =
            api_.run(api_.ask(api_.product(), with_cookies({.path = "/api/v1/admin/roles?name=counter"})));
        return std::stoi(std::string(text_at(parse_json(list.body), "/data/items/0/description")));
    };
    std::atomic<int> refused{0};
    std::atomic<int> failed{0};
    {
        std::vector<std::jthread> threads;
        for (std::size_t writer = 0; writer < writers; ++writer) {
            threads.emplace_back([&, writer] {
                const auto ask = [&](ApiRequest asked) {
                    return block_on(
                        api_.executor(writer % workers),
                        api_.ask(api_.product(), with_cookies(std::move(asked)))
                    );
                };
                for (int done = 0; done < each;) {
                    const auto list = ask({.path = "/api/v1/admin/roles?name=counter"});
                    const auto document = parse_json(list.body);
                    const auto next =
                        std::stoi(std::string(text_at(document, "/data/items/0/description"))) + 1;
                    const auto& item = at(document, "/data/items/0");
                    const auto data = boost::json::serialize(item);
                    const auto answer = ask(request(
                        "PATCH",
                        path,
                        R"({"description":")" + std::to_string(next) + R"("})",
                        {{"If-Match", '"' + sha256_hex(data) + '"'}}
                    ));
                    done += answer.status == 200 ? 1 : 0;
                    refused += answer.status == 412 ? 1 : 0;
                    failed += answer.status != 200 && answer.status != 412 ? 1 : 0;
                    done = failed > 0 ? each : done;
                }
            });
        }
    }
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(current(), writers * each) << "every one counted, " << refused << " times somebody was faster";
}

// Without a condition, too, one after the other: each row of the trail begins where the one before ended.
TEST_P(ColdReads, OfAThousandUpdatesByEightWritersAllSucceed)
{
    constexpr int writers = 8;
    constexpr int each = 125;
    const auto created = api_.send(admin_, request("POST", "/api/v1/admin/roles", R"({"name":"start"})"));
    const auto path =
        "/api/v1/admin/roles/" + std::to_string(at(parse_json(created.body), "/data/id").as_int64());
    std::vector<std::future<ApiResponse>> answers;
    for (int update = 0; update < writers * each; ++update) {
        if (update % writers == 0) {
            for (auto& answer : answers) {
                answer.wait();
            }
        }
        const auto body = R"({"name":"n)" + std::to_string(update) + R"("})";
        answers.push_back(asio::co_spawn(
            api_.executor(static_cast<std::size_t>(update) % workers),
            api_.ask(api_.product(), with_cookies(request("PATCH", path, body))),
            asio::use_future
        ));
    }
    int succeeded = 0;
    for (auto& answer : answers) {
        succeeded += answer.get().status == 200 ? 1 : 0;
    }
    EXPECT_GE(succeeded, writers * each * 999 / 1000);
    std::string before = "start";
    int updates = 0;
    for (const auto& record : api_.trail()) {
        if (record.event_name == "admin.role.update") {
            EXPECT_THAT(record.extras, HasSubstr(R"("before_name":")" + before + '"'));
            before = text_at(parse_json(record.extras), "/after_name");
            ++updates;
        }
    }
    EXPECT_EQ(updates, succeeded);
}

}  // namespace

}  // namespace kit::test
