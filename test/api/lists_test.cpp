// Walks along lists by cursor, totals, and who may use whose cursor, on both engines.
#include "admin_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

const std::string users_path = "/api/v1/admin/users";
const std::string roles_path = "/api/v1/admin/roles";
const std::string permissions_path = "/api/v1/admin/permissions";
const std::string products_path = "/api/v1/products";

std::vector<std::int64_t> ids_of(const ApiResponse& response)
{
    std::vector<std::int64_t> ids;
    for (const auto& item : at(parse_json(response.body), "/data/items").as_array()) {
        ids.push_back(at(item, "/id").as_int64());
    }
    return ids;
}

// The path of a link; empty where there is none.
std::string link_of(const ApiResponse& response, const std::string& relation)
{
    const std::regex link("<([^>]*)>; rel=\"" + relation + "\"");
    std::smatch found;
    const auto header = response.header("link").value_or("");
    return std::regex_search(header, found, link) ? found[1].str() : std::string();
}

std::string token_of(const std::string& path)
{
    return path.substr(path.find("page_token=") + 11);
}

class ListsApi : public ApiTest {
protected:
    ListsApi() : api_(GetParam()) { sign_up_admin(api_, admin_); }

    ApiResponse get(const std::string& path) { return api_.send(admin_, {.path = path}); }

    // Users of whom many have the same name, status and times, and some none.
    void add_users(int first, int count)
    {
        std::string sql;
        for (int number = first; number < first + count; ++number) {
            const auto time = [&](int step) {
                return "'2026-02-0" + std::to_string(1 + number / step % 7) + "T00:00:00.000000Z'";
            };
            sql +=
                "INSERT INTO users (email, name, status, last_login_at, created_at, updated_at) VALUES ('u" +
                std::to_string(number * 7919 % 1000) + "@example.com', '" +
                std::vector<std::string>{"Ada", "ada", "Ärger", "Zoë", ""}[number % 5] + "', '" +
                (number % 3 == 0 ? "disabled" : "active") + "', " + (number % 4 == 0 ? "NULL" : time(2)) +
                ", " + time(5) + ", " + time(3) + ");";
        }
        api_.script(sql);
    }

    // From the first page on; `between` is called with the number of each page.
    std::vector<std::int64_t> walk(
        std::string path, const std::string& relation, const std::function<void(int)>& between = {}
    )
    {
        std::vector<std::int64_t> walked;
        for (int page = 0; !path.empty() && page < 100; ++page) {
            const auto response = get(path);
            EXPECT_EQ(response.status, 200) << path << response.body;
            const auto ids = ids_of(response);
            walked.insert(walked.end(), ids.begin(), ids.end());
            last_ = path;
            path = link_of(response, relation);
            if (between) {
                between(page);
            }
        }
        return walked;
    }

    Api api_;
    CookieJar admin_;
    std::string last_;
};

KIT_BOTH_ENGINES(ListsApi);

TEST_P(ListsApi, AWalkInEveryOrderMeetsEachUserOnceWhateverComesMeanwhile)
{
    add_users(1, 40);
    int next = 100;
    for (const std::string field :
         {"id", "created_at", "updated_at", "email", "name", "status", "last_login_at"}) {
        for (const std::string direction : {"asc", "desc"}) {
            const auto query = users_path + "?page_size=7&sort_by=" + field + "&sort_order=" + direction;
            const auto all = ids_of(
                get(users_path + "?page_size=100&sort_by=" + field + "&sort_order=" + direction +
                    "&_=" + std::to_string(next))
            );
            const auto walked = walk(query, "next", [&](int) { add_users(next++, 1); });
            const std::set<std::int64_t> met(walked.begin(), walked.end());
            EXPECT_EQ(met.size(), walked.size()) << query << ": somebody was met twice";
            std::vector<std::int64_t> of_before;
            std::ranges::copy_if(walked, std::back_inserter(of_before), [&](std::int64_t id) {
                return std::ranges::find(all, id) != all.end();
            });
            EXPECT_EQ(of_before, all) << query << ": somebody was missed, or the order differs";
        }
    }
}

TEST_P(ListsApi, BackwardsItIsTheSameWalk)
{
    add_users(1, 30);
    for (const std::string field : {"id", "name", "last_login_at", "email"}) {
        const auto query = users_path + "?page_size=7&sort_by=" + field;
        const auto forwards = walk(query, "next");
        ASSERT_EQ(forwards.size(), 31U);
        const auto end = last_;
        EXPECT_EQ(link_of(get(end), "next"), "");
        std::vector<std::int64_t> backwards;
        std::string path = end;
        while (!path.empty()) {
            const auto response = get(path);
            auto ids = ids_of(response);
            backwards.insert(backwards.begin(), ids.begin(), ids.end());
            path = link_of(response, "prev");
        }
        EXPECT_EQ(backwards, forwards) << field;
    }
}

TEST_P(ListsApi, LinksStandInTheHeaderAlone)
{
    add_users(1, 5);
    const auto first = get(users_path + "?page_size=2&sort_by=email&status=active&x=%3E%22");
    EXPECT_THAT(
        first.body,
        testing::ContainsRegex(R"("pagination":\{"page":1,"page_size":2,"total":5,"total_pages":3\})")
    );
    EXPECT_THAT(first.body, Not(HasSubstr("token")));
    EXPECT_EQ(link_of(first, "prev"), "");
    const auto next = link_of(first, "next");
    EXPECT_THAT(
        next,
        testing::StartsWith(
            users_path + "?page_size=2&sort_by=email&status=active&x=%3E%22&page=2&page_token="
        )
    );
    EXPECT_THAT(next, Not(HasSubstr("example"))) << "an address is in nobody's log";
    const auto second = get(next);
    EXPECT_THAT(second.body, HasSubstr(R"("page":2,"page_size":2,"total":5,"total_pages":3})"))
        << "as counted when the walk began";
    EXPECT_THAT(link_of(second, "prev"), HasSubstr("page=1&page_token="));
    EXPECT_EQ(ids_of(get(link_of(second, "prev"))), ids_of(first));
    EXPECT_EQ(get(users_path + "?page_size=100").header("link"), std::nullopt) << "all on one page";
    EXPECT_EQ(get(users_path + "?page=9").header("link"), std::nullopt) << "nothing beside nothing";
    const auto by_number = get(users_path + "?page_size=2&page=2");
    EXPECT_FALSE(link_of(by_number, "prev").empty());
    EXPECT_FALSE(link_of(by_number, "next").empty());
}

TEST_P(ListsApi, TotalsAreCountedGuessedOrLeftOut)
{
    add_users(1, 5);
    EXPECT_THAT(
        get(users_path + "?total=none").body, HasSubstr(R"("pagination":{"page":1,"page_size":20}})")
    );
    EXPECT_THAT(get(users_path + "?total=exact").body, HasSubstr(R"("total":6,"total_pages":1})"));
    EXPECT_THAT(get(users_path + "?total=Estimate&status=disabled").body, HasSubstr(R"("total":1,)"))
        << "few are counted";
    EXPECT_THAT(get(users_path + "?total=none&page_size=2").body, Not(HasSubstr("total")));
    const auto next = link_of(get(users_path + "?page_size=2"), "next");
    EXPECT_THAT(get(next + "&total=none").body, Not(HasSubstr("total")));
    add_users(50, 1);
    EXPECT_THAT(get(next + "&total=exact").body, HasSubstr(R"("total":7,)"));
    for (const auto& path : {users_path, roles_path, permissions_path, products_path}) {
        EXPECT_THAT(get(path + "?total=all").body, HasSubstr("total must be exact, estimate or none"))
            << path;
        EXPECT_THAT(get(path + "?total=none").body, HasSubstr(R"("page_size":20}})")) << path;
        EXPECT_THAT(get(path + "?total=estimate").body, HasSubstr(R"("total_pages")")) << path;
    }
    EXPECT_THAT(get("/api/v1/admin/audit?total=none").body, HasSubstr(R"("page_size":20}})"));
}

TEST_P(ListsApi, ACursorOpensItsOwnListOnly)
{
    add_users(1, 5);
    const auto good = token_of(link_of(get(users_path + "?page_size=2&sort_by=email&email=U"), "next"));
    const auto query = "?sort_by=EMAIL&email=u&page_token=";
    EXPECT_EQ(get(users_path + query + good).status, 200) << "however the same is written";
    EXPECT_EQ(get(users_path + "?page_size=3&sort_by=email&email=u&page_token=" + good).status, 200);
    const std::string foreign = "page_token belongs to another list, filter or order";
    const std::vector<std::pair<std::string, std::string>> faults{
        {users_path + "?sort_by=email&page_token=" + good, foreign},
        {users_path + "?sort_by=email&email=v&page_token=" + good, foreign},
        {users_path + "?sort_by=email&email=u&status=active&page_token=" + good, foreign},
        {users_path + "?sort_by=name&email=u&page_token=" + good, foreign},
        {users_path + "?sort_by=email&sort_order=asc&email=u&page_token=" + good, foreign},
        {roles_path + "?page_token=" + good, foreign},
        {permissions_path + "?page_token=" + good, foreign},
        {products_path + "?page_token=" + good, foreign},
        {"/api/v1/admin/audit?page_token=" + good, foreign},
        {users_path + query + "x", "invalid page_token"},
        {users_path + query + good.substr(1), "invalid page_token"},
        {users_path + query + good + "A", "invalid page_token"},
        {users_path + query + "NQ", "invalid page_token"},
    };
    for (const auto& [path, message] : faults) {
        const auto response = get(path);
        EXPECT_EQ(response.status, 400) << path;
        EXPECT_THAT(response.body, HasSubstr(R"("error":{"code":"BAD_REQUEST","message":")" + message + '"'));
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto forged = good;
        forged[at] = forged[at] == 'A' ? 'B' : 'A';
        ASSERT_EQ(get(users_path + query + forged).status, 400) << at;
    }
}

TEST_P(ListsApi, ACursorExpires)
{
    add_users(1, 5);
    const std::string query = products_path + "?page_size=2";
    for (int product = 0; product < 3; ++product) {
        ASSERT_EQ(
            api_.send(admin_, request("POST", products_path, R"({"name":"Lamp","price":1})")).status, 201
        );
    }
    const auto next = link_of(get(query), "next");
    auto& sessions = api_.product().sessions();
    const auto user = api_.run(api_.product().users().find(1)).value();
    const auto ask = [&] {
        const auto issued = api_.run(sessions.sign_in(user, {}, {})).value();
        return api_.send({.path = next, .headers = {{"Authorization", "Bearer " + issued.access_token}}});
    };
    api_.clock().advance(std::chrono::hours(24) - std::chrono::seconds(1));
    EXPECT_EQ(ask().status, 200);
    api_.clock().advance(std::chrono::seconds(1));
    const auto late = ask();
    EXPECT_EQ(late.status, 400);
    EXPECT_THAT(late.body, HasSubstr("page_token has expired"));
}

TEST_P(ListsApi, EveryListIsWalked)
{
    for (int number = 0; number < 5; ++number) {
        const auto name = "thing" + std::to_string(number);
        api_.send(admin_, request("POST", roles_path, R"({"name":")" + name + R"("})"));
        api_.send(admin_, request("POST", products_path, R"({"name":")" + name + R"(","price":1})"));
    }
    const std::vector<std::string> lists{
        roles_path + "?page_size=2&sort_by=name",
        roles_path + "?page_size=2&name=THING",
        permissions_path + "?page_size=3&sort_by=resource",
        permissions_path + "?page_size=3&sort_by=action&sort_order=asc",
        permissions_path + "?page_size=2&resource=PRODUCTS",
        products_path + "?page_size=2",
        products_path + "/?page_size=2",
        "/api/v1/admin/audit?page_size=4&event=product.create",
    };
    for (const auto& list : lists) {
        const auto size = list.find("page_size=") + 10;
        auto whole = list;
        whole.replace(size, 1, "100");
        const auto all = ids_of(get(whole));
        EXPECT_GE(all.size(), 3U) << list;
        EXPECT_EQ(walk(list, "next"), all) << list;
    }
}

// The beginning of an address, character by character whatever the database's collation is.
TEST_P(ListsApi, BeginningsOfAddresses)
{
    std::string sql;
    for (const std::string local : {"a_b", "axb", "a%b", "ab", "aB", "a\u00ff", "a\u00ffz", "b\U0010FFFFx"}) {
        sql += "INSERT INTO users (email, name, created_at, updated_at) VALUES ('" + local +
               "', 'x', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z');";
    }
    api_.script(sql);
    const std::vector<std::pair<std::string, std::size_t>> counts{
        {"a", 8},  // ada@example.com is one
        {"a_", 1},
        {"a%25", 1},
        {"ab", 1},
        {"a%C3%BF", 2},
        {"b%F4%8F%BF%BF", 1},
        {"%F4%8F%BF%BF", 0},
        {"\\", 0},
    };
    for (const auto& [prefix, count] : counts) {
        EXPECT_EQ(ids_of(get(users_path + "?email=" + prefix)).size(), count) << prefix;
    }
}

// Two thirds of the rows go and others come while somebody walks.
TEST_P(ListsApi, RowsThatGoLeaveNoGap)
{
    add_users(1, 30);
    const auto all = ids_of(get(users_path + "?page_size=100&sort_by=name&sort_order=asc"));
    const auto walked = walk(users_path + "?page_size=5&sort_by=name&sort_order=asc", "next", [&](int page) {
        if (page == 1) {  // those whom the walk has met, the one at its cursor among them
            for (std::size_t met = 5; met < 10; ++met) {
                api_.script("DELETE FROM users WHERE id > 1 AND id = " + std::to_string(all[met]));
            }
        }
    });
    EXPECT_EQ(walked, all);
}

}  // namespace

}  // namespace kit::test
