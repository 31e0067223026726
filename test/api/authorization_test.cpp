// Who may do what: every route of the product, asked by everybody, against docs/authorization.md. After a
// change of the routes KIT_UPDATE_DOCS=1 writes the table anew.
#include "admin_fixture.hpp"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

namespace kit::test {

namespace {

constexpr const char* document = "docs/authorization.md";
constexpr std::string_view table_begins = "| route |";
constexpr const char* nobodys_id = "999999";

struct Person {
    std::string name;  // of the permission that he has alone
    users::User user;
};

class Authorization : public testing::Test {
protected:
    Authorization()
    {
        add_person("", "user");
        for (const auto& permission : rbac::default_permissions()) {
            const auto name = std::string(permission.resource) + ":" + std::string(permission.action);
            api_.script(
                "INSERT INTO roles (name, created_at, updated_at) VALUES ('" + name + "', " + now + ", " +
                now +
                ");"
                "INSERT INTO role_permissions (role_id, permission_id) SELECT r.id, p.id FROM roles r, "
                "permissions p WHERE r.name = '" +
                name + "' AND p.resource = '" + std::string(permission.resource) + "' AND p.action = '" +
                std::string(permission.action) + "'"
            );
            add_person(name, name);
        }
        add_person("admin", "admin");
    }

    void add_person(const std::string& name, const std::string& role)
    {
        const auto email = "p" + std::to_string(people_.size()) + "@example.com";
        api_.script(
            "INSERT INTO users (email, name, created_at, updated_at) VALUES ('" + email + "', 'P', " + now +
            ", " + now +
            ");"
            "INSERT INTO user_roles (user_id, role_id) SELECT u.id, r.id FROM users u, roles r WHERE u.email "
            "= '" +
            email + "' AND r.name = '" + role + "'"
        );
        const auto id = static_cast<std::int64_t>(people_.size()) + 1;
        people_.push_back({.name = name, .user = api_.run(api_.product().users().find(id)).value()});
    }

    // A request that every guard lets through and whose handler finds nothing to do.
    ApiRequest request_for(const http::Route& route, const std::string& id = nobodys_id) const
    {
        static const std::regex parameter(R"(\{[a-z_]+\})");
        return request(
            std::string(http::to_string(route.method)),
            std::regex_replace(std::string(route.pattern), parameter, id),
            "{}"
        );
    }

    // As a bearer's, so that no other defence than the one in question stands in the way.
    ApiResponse ask_as(const Person* person, ApiRequest asked)
    {
        if (person != nullptr) {
            const auto issued = api_.run(api_.product().sessions().sign_in(person->user, {}, {})).value();
            asked.headers.emplace_back("Authorization", "Bearer " + issued.access_token);
        }
        return api_.send(asked);
    }

    static bool refused(const ApiResponse& response)
    {
        return response.status == 401 || response.status == 403;
    }

    static std::string cell(const ApiResponse& response)
    {
        return refused(response) ? std::to_string(response.status) : "yes";
    }

    // What a user gets who names another one's object; a dash where the objects are nobody's own.
    std::string others_object(const http::Route& route)
    {
        if (!route.pattern.starts_with("/api/v1/me/") || !route.pattern.contains('{')) {
            return "–";
        }
        const auto theirs = api_.run(api_.product().sessions().sign_in(people_.back().user, {}, {})).value();
        const auto session = api_.product().sessions().authenticate(theirs.access_token).value();
        const auto rows = api_.run(api_.product().sessions().list(session, {}));
        const auto answer = ask_as(&people_.front(), request_for(route, std::to_string(rows.current_id)));
        EXPECT_TRUE(api_.product().sessions().authenticate(theirs.access_token)) << "it lives on";
        return std::to_string(answer.status);
    }

    std::string row(const http::Route& route)
    {
        std::string needed;
        for (std::size_t person = 1; person + 1 < people_.size(); ++person) {
            if (!refused(ask_as(&people_[person], request_for(route)))) {
                needed += (needed.empty() ? "`" : " `") + people_[person].name + '`';
            }
        }
        const auto plain = cell(ask_as(&people_.front(), request_for(route)));
        return "| " + std::string(http::to_string(route.method)) + " `" + std::string(route.pattern) +
               "` | " + cell(ask_as(nullptr, request_for(route))) + " | " + plain + " | " +
               (plain == "yes" ? "any" : (needed.empty() ? "–" : needed)) + " | " +
               cell(ask_as(&people_.back(), request_for(route))) + " | " + others_object(route) + " |";
    }

    const std::string now = "'2026-01-01T00:00:00.000000Z'";
    Api api_{ApiEngine::sqlite};
    std::vector<Person> people_;
};

std::vector<std::string> lines_of(const std::string& path)
{
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST_F(Authorization, EveryRouteByEverybodyIsAsTheDocumentSays)
{
    std::vector<std::string> table{
        "| route | anonymous | signed in | with one permission | admin | another's |",
        "|---|---|---|---|---|---|"
    };
    for (const auto& endpoint : api_.product().pipeline().router().endpoints()) {
        if (!endpoint.route.pattern.starts_with("/_dev/")) {  // of local-like profiles only
            table.push_back(row(endpoint.route));
        }
    }
    auto lines = lines_of(document);
    const auto begin =
        std::ranges::find_if(lines, [](const std::string& line) { return line.starts_with(table_begins); });
    const auto end =
        std::find_if(begin, lines.end(), [](const std::string& line) { return !line.starts_with('|'); });
    if (std::getenv("KIT_UPDATE_DOCS") != nullptr) {
        lines.insert(lines.erase(begin, end), table.begin(), table.end());
        std::ofstream file(document);
        for (const auto& line : lines) {
            file << line << '\n';
        }
        return;
    }
    EXPECT_EQ(std::vector<std::string>(begin, end), table) << "KIT_UPDATE_DOCS=1 writes it anew";
}

// What a row demands is what it was seen to demand: each permission alone, and nothing for those who lack it.
TEST_F(Authorization, ARowsPermissionIsTheOneThatOpensIt)
{
    for (const auto& endpoint : api_.product().pipeline().router().endpoints()) {
        const auto guard =
            std::ranges::find(endpoint.route.guards, http::Guard::Kind::permission, &http::Guard::kind);
        if (guard == endpoint.route.guards.end()) {
            continue;
        }
        for (const auto& person : people_) {
            const bool may = person.name == guard->permission || person.name == "admin";
            const auto response = ask_as(&person, request_for(endpoint.route));
            EXPECT_EQ(response.status != 403, may) << endpoint.route.pattern << ' ' << person.name;
        }
    }
}

}  // namespace

}  // namespace kit::test
