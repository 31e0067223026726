// The wire contract of users' roles, roles, permissions and sync, on both engines and both stores of caches.
#include "admin_fixture.hpp"
#include "platform/crypto/hash.hpp"

#include <latch>
#include <thread>

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* roles_path = "/api/v1/admin/roles";
constexpr const char* permissions_path = "/api/v1/admin/permissions";
constexpr const char* users_path = "/api/v1/admin/users";

// The id of the first permission that is not one of the kit's.
std::string next_permission()
{
    return std::to_string(rbac::default_permissions().size() + 1);
}

class RbacApi : public CachedApiTest {
protected:
    RbacApi() : api_(engine(), configure) { sign_up_admin(api_, admin_); }

    ApiResponse send(const std::string& method, const std::string& path, const std::string& body = "")
    {
        return api_.send(admin_, request(method, path, body));
    }

    std::int64_t create_role(const std::string& name, const std::string& permissions = "[]")
    {
        const auto created =
            send("POST", roles_path, R"({"name":")" + name + R"(","permissions":)" + permissions + "}");
        EXPECT_EQ(created.status, 201) << created.body;
        return at(parse_json(created.body), "/data/id").as_int64();
    }

    Api api_;
    CookieJar admin_;
};

KIT_BOTH_STORES(RbacApi);

TEST_P(RbacApi, LifeOfARole)
{
    const auto created = send(
        "POST",
        roles_path,
        R"({"name":" editor ","description":" edits ","permissions":["Products:READ","products:read","products:write"]})"
    );
    EXPECT_EQ(created.status, 201);
    EXPECT_THAT(
        created.body,
        HasSubstr(R"("data":{"id":3,"name":"editor","description":"edits","permissions":[{"id":9,)")
    );
    api_.clock().advance(std::chrono::seconds(5));
    const auto renamed = send("PATCH", "/api/v1/admin/roles/3", R"({"name":"writer"})");
    EXPECT_EQ(renamed.status, 200);
    EXPECT_THAT(renamed.body, HasSubstr(R"("name":"writer","description":"edits","permissions":[)"));
    EXPECT_THAT(renamed.body, HasSubstr(R"("updated_at":"2026-03-01T00:00:05Z"})"));
    const auto cleared = send("PATCH", "/api/v1/admin/roles/3", R"({"permissions":[]})");
    EXPECT_THAT(cleared.body, Not(HasSubstr("permissions"))) << "absent when there are none";
    const auto deleted = send("DELETE", "/api/v1/admin/roles/3");
    EXPECT_EQ(deleted.status, 200);
    EXPECT_THAT(deleted.body, HasSubstr(R"("data":{"role_id":3,"status":"deleted"})"));
    EXPECT_EQ(send("DELETE", "/api/v1/admin/roles/3").status, 404);
    EXPECT_GT(create_role("editor"), 3) << "ids are never used again";
}

TEST_P(RbacApi, RefusalsOfRoles)
{
    create_role("editor", R"(["products:read"])");
    const std::string one = "/api/v1/admin/roles/3";
    expect_refusals(
        api_,
        admin_,
        {
            {request("POST", roles_path, "{"), 400, "invalid payload"},
            {request("POST", roles_path, R"({"name":" "})"), 400, "name is required"},
            {request("POST", roles_path, R"({"name":")" + std::string(65, 'x') + R"("})"),
             400,
             "name must be at most 64 characters"},
            {request("POST", roles_path, R"({"name":"x","permissions":["users"]})"),
             400,
             "permission format must be resource:action"},
            {request("POST", roles_path, R"({"name":"x","permissions":["a:b:c"]})"),
             400,
             "permission format must be resource:action"},
            {request("POST", roles_path, R"({"name":"x","permissions":["a:b"]})"),
             400,
             "one or more permissions do not exist"},
            {request("POST", roles_path, R"({"name":"editor"})"), 409, "role already exists"},
            {request("POST", roles_path, R"({"name":"Admin"})"), 409, "role already exists"},
            {request("PATCH", "/api/v1/admin/roles/x", "{"), 400, "invalid role id"},
            {request("PATCH", "/api/v1/admin/roles/99", "{"), 404, "role not found"},
            {request("PATCH", "/api/v1/admin/roles/18446744073709551615", "{}"), 404, "role not found"},
            {request("PATCH", "/api/v1/admin/roles/2", "{"), 403, "protected role cannot be modified"},
            {request("PATCH", one, "{"), 400, "invalid payload"},
            {request("PATCH", one, R"({"name":""})"), 400, "name is required"},
            {request("PATCH", one, R"({"permissions":["x"]})"),
             400,
             "permission format must be resource:action"},
            {request("PATCH", one, R"({"permissions":["a:b"]})"), 400, "one or more permissions do not exist"
            },
            {request("PATCH", one, R"({"name":"USER"})"), 409, "role name already exists"},
            {request("DELETE", "/api/v1/admin/roles/-1"), 400, "invalid role id"},
            {request("DELETE", "/api/v1/admin/roles/99"), 404, "role not found"},
            {request("DELETE", "/api/v1/admin/roles/1"), 403, "protected role cannot be deleted"},
        }
    );
}

TEST_P(RbacApi, LifeOfAPermission)
{
    const auto created = send("POST", permissions_path, R"({"resource":" Reports ","action":"READ"})");
    EXPECT_EQ(created.status, 201);
    const auto id = next_permission();
    EXPECT_THAT(
        created.body, HasSubstr(R"("data":{"id":)" + id + R"(,"resource":"reports","action":"read",)")
    );
    const auto one = "/api/v1/admin/permissions/" + id;
    EXPECT_EQ(send("PATCH", one, R"({"resource":"reports","action":"list"})").status, 200);
    const auto deleted = send("DELETE", one);
    EXPECT_THAT(deleted.body, HasSubstr(R"("data":{"permission_id":)" + id + R"(,"status":"deleted"})"));
}

TEST_P(RbacApi, RefusalsOfPermissions)
{
    ASSERT_EQ(send("POST", permissions_path, R"({"resource":"reports","action":"read"})").status, 201);
    const std::string one = "/api/v1/admin/permissions/" + next_permission();
    expect_refusals(
        api_,
        admin_,
        {
            {request("POST", permissions_path, "{}"), 400, "permission format must be resource:action"},
            {request("POST", permissions_path, R"({"resource":"a b","action":"c"})"),
             400,
             "permission format must be resource:action"},
            {request(
                 "POST", permissions_path, R"({"resource":")" + std::string(65, 'x') + R"(","action":"c"})"
             ),
             400,
             "permission format must be resource:action"},
            {request("POST", permissions_path, R"({"resource":"users","action":"read"})"),
             409,
             "permission already exists"},
            {request("PATCH", "/api/v1/admin/permissions/x", "{"), 400, "invalid permission id"},
            {request("PATCH", "/api/v1/admin/permissions/99", "{"), 404, "permission not found"},
            {request("PATCH", "/api/v1/admin/permissions/1", "{"),
             403,
             "protected permission cannot be modified"},
            {request("PATCH", one, "{"), 400, "invalid payload"},
            {request("PATCH", one, "{}"), 400, "permission format must be resource:action"},
            {request("PATCH", one, R"({"resource":"users","action":"read"})"),
             409,
             "permission already exists"},
            {request("DELETE", "/api/v1/admin/permissions/99"), 404, "permission not found"},
            {request("DELETE", "/api/v1/admin/permissions/6"), 403, "protected permission cannot be deleted"},
        }
    );
}

// Nobody takes from himself the permission by which he acts.
TEST_P(RbacApi, SelfLockout)
{
    const auto keeper = create_role("keeper", R"(["roles:write","users:write"])");
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    ASSERT_EQ(
        send("PATCH", "/api/v1/admin/users/2/roles", "{\"role_ids\":[" + std::to_string(keeper) + "]}")
            .status,
        200
    );
    const auto path = "/api/v1/admin/roles/" + std::to_string(keeper);
    const char* text = "mutation would remove caller required permission";
    expect_refusals(
        api_,
        jar,
        {
            {request("PATCH", path, R"({"permissions":["users:write"]})"), 403, text},
            {request("PATCH", path, R"({"permissions":[]})"), 403, text},
            {request("DELETE", path), 403, text},
        }
    );
    EXPECT_EQ(api_.send(jar, request("PATCH", path, R"({"permissions":["roles:write"]})")).status, 200);
    EXPECT_EQ(send("DELETE", path).status, 200) << "the administrator has it otherwise";
    EXPECT_EQ(api_.send(jar, request("PATCH", path, "{}")).status, 403) << "counts on the next request";
}

TEST_P(RbacApi, SetRoles)
{
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    const auto set = send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[2,1,2]})");
    EXPECT_EQ(set.status, 200);
    EXPECT_THAT(set.body, HasSubstr(R"("data":{"role_ids":[2,1,2],"user_id":2})"));
    EXPECT_EQ(api_.send(jar, {.path = users_path}).status, 200) << "an administrator now";
    EXPECT_THAT(
        send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[]})").body, HasSubstr(R"("role_ids":[])")
    );
    EXPECT_EQ(api_.send(jar, {.path = users_path}).status, 403);
    // Q10, Q11.
    expect_refusals(
        api_,
        admin_,
        {
            {request("PATCH", "/api/v1/admin/users/x/roles", "{}"), 400, "invalid user id"},
            {request("PATCH", "/api/v1/admin/users/2/roles", "{"), 400, "invalid payload"},
            {request("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[-1]})"), 400, "invalid payload"},
            {request("PATCH", "/api/v1/admin/users/2/roles", "{}"), 400, "role_ids is required"},
            {request("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":null})"),
             400,
             "role_ids is required"},
            {request("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[1,99]})"),
             400,
             "one or more roles do not exist"},
            {request("PATCH", "/api/v1/admin/users/99/roles", R"({"role_ids":[1]})"), 404, "user not found"},
            {request("PATCH", "/api/v1/admin/users/0/roles", R"({"role_ids":[1]})"), 404, "user not found"},
            {request("PATCH", "/api/v1/admin/users/1/roles", R"({"role_ids":[1]})"),
             403,
             "the last administrator keeps the role admin"},
        }
    );
    ASSERT_EQ(send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[2]})").status, 200);
    EXPECT_EQ(send("PATCH", "/api/v1/admin/users/1/roles", R"({"role_ids":[1]})").status, 200)
        << "another remains";
    EXPECT_EQ(send("GET", users_path).status, 403);
}

// Of two administrators who demote each other at once, one is refused.
TEST_P(RbacApi, OneAdministratorRemains)
{
    CookieJar other;
    ASSERT_EQ(api_.sign_up(other, "bob@example.com").status, 201);
    ASSERT_EQ(send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[2]})").status, 200);
    std::latch ready(2);
    std::array<int, 2> statuses{};
    {
        const auto demote = [&](std::size_t who, CookieJar& jar, const char* path) {
            ready.arrive_and_wait();
            statuses[who] = api_.send(jar, request("PATCH", path, R"({"role_ids":[1]})")).status;
        };
        const std::jthread first([&] { demote(0, admin_, "/api/v1/admin/users/2/roles"); });
        const std::jthread second([&] { demote(1, other, "/api/v1/admin/users/1/roles"); });
    }
    std::ranges::sort(statuses);
    EXPECT_THAT(statuses, testing::ElementsAre(200, 403));
}

TEST_P(RbacApi, ValidateOnlyTellsWhoGainsAndLosesAndChangesNothing)
{
    const auto editor = create_role("editor", R"(["products:read"])");
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    ASSERT_EQ(
        send("PATCH", "/api/v1/admin/users/2/roles", "{\"role_ids\":[" + std::to_string(editor) + "]}")
            .status,
        200
    );
    const auto before = api_.trail().size();
    const auto path = "/api/v1/admin/roles/" + std::to_string(editor) + "?validate_only=true";
    const auto changed = send("PATCH", path, R"({"permissions":["products:write"]})");
    EXPECT_EQ(changed.status, 200);
    EXPECT_THAT(
        changed.body,
        HasSubstr(
            R"("data":{"users":[{"user_id":2,"gained":["products:write"],"lost":["products:read"]}],"complete":true})"
        )
    );
    EXPECT_THAT(send("DELETE", path).body, HasSubstr(R"("lost":["products:read"])"));
    EXPECT_THAT(
        send("PATCH", "/api/v1/admin/users/2/roles?validate_only=true", R"({"role_ids":[2]})").body,
        HasSubstr(R"("user_id":2,"gained":["audit:read",)")
    );
    EXPECT_THAT(
        send("POST", std::string(roles_path) + "?validate_only=true", R"({"name":"new"})").body,
        HasSubstr(R"("users":[])")
    );
    EXPECT_EQ(
        send("POST", std::string(roles_path) + "?validate_only=true", R"({"name":"editor"})").status, 409
    );
    EXPECT_EQ(api_.send(jar, {.path = "/api/v1/products"}).status, 200) << "as before";
    EXPECT_EQ(api_.trail().size(), before);
    EXPECT_THAT(send("GET", roles_path).body, Not(HasSubstr(R"("name":"new")"))) << "nothing was kept";
}

TEST_P(RbacApi, IfMatchKeepsUpdatesFromGettingLost)
{
    const auto created = send("POST", roles_path, R"({"name":"editor"})");
    const auto tag = created.header("etag").value();
    const auto path =
        "/api/v1/admin/roles/" + std::to_string(at(parse_json(created.body), "/data/id").as_int64());
    const auto update = [&](const std::string& name, const std::string& match) {
        return api_.send(
            admin_, request("PATCH", path, R"({"name":")" + name + R"("})", {{"If-Match", match}})
        );
    };
    const auto first = update("one", tag);
    EXPECT_EQ(first.status, 200);
    const auto second = update("two", tag);
    EXPECT_EQ(second.status, 412);
    EXPECT_THAT(second.body, HasSubstr("PRECONDITION_FAILED"));
    EXPECT_EQ(update("two", "\"x\", " + first.header("etag").value()).status, 200);
    EXPECT_EQ(update("three", "*").status, 200);
    EXPECT_EQ(update("four", "W/" + tag).status, 412) << "a weak tag never matches strongly";
}

TEST_P(RbacApi, Sync)
{
    const auto idle = send("POST", "/api/v1/admin/rbac/sync", "whatever");
    EXPECT_EQ(idle.status, 200);
    EXPECT_THAT(
        idle.body,
        HasSubstr(R"("data":{"created_permissions":0,"created_roles":0,"bound_permissions":0,"noop":true})")
    );
    ASSERT_EQ(send("DELETE", "/api/v1/admin/permissions/11").status, 200) << "products:delete";
    const auto mended = send("POST", "/api/v1/admin/rbac/sync");
    EXPECT_THAT(
        mended.body,
        HasSubstr(R"("data":{"created_permissions":1,"created_roles":0,"bound_permissions":1,"noop":false})")
    );
}

// Q51: what an operator gave the role admin stays, and a sync without anything to do moves nothing.
TEST_P(RbacApi, Q51SyncRemovesNothingAndAnIdleOneWritesNothing)
{
    ASSERT_EQ(send("POST", permissions_path, R"({"resource":"reports","action":"read"})").status, 201);
    api_.script("INSERT INTO role_permissions (role_id, permission_id) VALUES (2, 13)");
    ASSERT_EQ(send("POST", "/api/v1/admin/rbac/sync").status, 200);
    create_role("other");
    const auto before = send("GET", roles_path);
    EXPECT_THAT(before.body, HasSubstr(R"("resource":"reports")"));
    api_.clock().advance(std::chrono::seconds(5));
    EXPECT_THAT(send("POST", "/api/v1/admin/rbac/sync").body, HasSubstr(R"("noop":true)"));
    api_.run(api_.product().rbac().seed());
    create_role("another");
    ASSERT_EQ(send("DELETE", "/api/v1/admin/roles/4").status, 200);
    EXPECT_EQ(send("GET", roles_path).header("etag"), before.header("etag")) << "not even a time";
}

TEST_P(RbacApi, ListsOfRolesAndPermissions)
{
    create_role("Editor_1");
    create_role("editorx1");
    const auto all = send("GET", "/api/v1/admin/roles?sort_by=name&sort_order=asc&page_size=2");
    EXPECT_THAT(all.body, HasSubstr(R"("pagination":{"page":1,"page_size":2,"total":4,"total_pages":2})"));
    EXPECT_THAT(send("GET", "/api/v1/admin/roles?name=EDITOR").body, HasSubstr(R"("total":2,)"));
    EXPECT_THAT(send("GET", "/api/v1/admin/roles?name=editor_").body, HasSubstr(R"("total":1,)"))
        << "no wildcard";
    EXPECT_THAT(send("GET", "/api/v1/admin/roles?name=%25").body, HasSubstr(R"("items":[])"));
    EXPECT_THAT(
        send("GET", "/api/v1/admin/permissions?resource=prod&action=w").body, HasSubstr(R"("total":1,)")
    );
    EXPECT_THAT(
        send("GET", "/api/v1/admin/permissions?sort_by=resource&sort_order=ASC&page_size=1").body,
        HasSubstr(R"("resource":"audit")")
    );
    expect_refusals(
        api_,
        admin_,
        {
            {request("GET", "/api/v1/admin/roles?sort_by=Email"), 400, "invalid sort_by: email"},
            {request("GET", "/api/v1/admin/roles?sort_order=up"), 400, "sort_order must be asc or desc"},
            {request("GET", "/api/v1/admin/roles?page=0&sort_by=x"), 400, "page must be a positive integer"},
            {request("GET", "/api/v1/admin/permissions?sort_by=name"), 400, "invalid sort_by: name"},
            {request("GET", "/api/v1/admin/users?sort_by=resource"), 400, "invalid sort_by: resource"},
        }
    );
}

TEST_P(RbacApi, ListOfUsers)
{
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    api_.clock().advance(std::chrono::seconds(1));
    CookieJar third;
    ASSERT_EQ(api_.sign_up(third, "b_c@example.com").status, 201);
    const auto all = send("GET", users_path);
    EXPECT_THAT(all.body, HasSubstr(R"("total":3,)"));
    EXPECT_THAT(all.body, Not(HasSubstr("permissions"))) << "roles without them";
    EXPECT_LT(all.body.find("b_c@"), all.body.find("bob@")) << "the newest first";
    EXPECT_THAT(send("GET", std::string(users_path) + "?role=ADMIN").body, HasSubstr(R"("total":1,)"));
    EXPECT_THAT(send("GET", std::string(users_path) + "?email=B_").body, HasSubstr(R"("total":1,)"));
    EXPECT_THAT(
        send("GET", std::string(users_path) + "?status=active&email=b").body, HasSubstr(R"("total":2,)")
    );
    EXPECT_THAT(send("GET", std::string(users_path) + "?status=disabled").body, HasSubstr(R"("items":[])"));
    for (const std::string field :
         {"id", "created_at", "updated_at", "email", "name", "status", "last_login_at"}) {
        for (const std::string order : {"asc", "desc"}) {
            const auto path =
                std::string(users_path) + "?page_size=1&sort_by=" + field + "&sort_order=" + order;
            EXPECT_EQ(send("GET", path).status, 200) << path;
        }
    }
}

// Q35: a new user is in the list at once, and nothing older follows a write on the node.
TEST_P(RbacApi, Q35ListsFollowTheirChanges)
{
    EXPECT_THAT(send("GET", users_path).body, HasSubstr(R"("total":1,)"));
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    EXPECT_THAT(send("GET", users_path).body, HasSubstr(R"("total":2,)"));
    EXPECT_THAT(send("GET", roles_path).body, HasSubstr(R"("total":2,)"));
    create_role("editor");
    EXPECT_THAT(send("GET", roles_path).body, HasSubstr(R"("total":3,)"));
}

TEST_P(RbacApi, EntityTags)
{
    for (const std::string path : {roles_path, permissions_path, users_path}) {
        const auto first = send("GET", path);
        const auto data = first.body.substr(first.body.find(R"("data":)") + 7);
        const auto tag = '"' + sha256_hex(data.substr(0, data.find(R"(,"meta":)"))) + '"';
        EXPECT_EQ(first.header("etag"), tag) << path;
        EXPECT_EQ(first.header("cache-control"), "private, no-cache");
        for (const auto& known : std::vector<std::string>{tag, "W/" + tag, "\"x\" , " + tag, "*"}) {
            const auto again = api_.send(admin_, request("GET", path, "", {{"If-None-Match", known}}));
            EXPECT_EQ(again.status, 304) << known;
            EXPECT_EQ(again.body, "");
            EXPECT_EQ(again.header("etag"), tag);
            EXPECT_FALSE(again.header("content-type"));
        }
        EXPECT_EQ(api_.send(admin_, request("GET", path, "", {{"If-None-Match", "\"x\""}})).status, 200);
    }
}

TEST_P(RbacApi, AnotherNodeFollows)
{
    const auto node = api_.second_node();
    EXPECT_TRUE(api_.run(node->rbac().authority(1))->allows("users:read"));
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    EXPECT_FALSE(api_.run(node->rbac().authority(2))->allows("users:read"));
    ASSERT_EQ(send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[2]})").status, 200);
    api_.run(node->epochs().learn());
    EXPECT_TRUE(api_.run(node->rbac().authority(2))->allows("users:read"));
}

// Q34: a look-up that failed is not made again, and creation ends that.
TEST_P(RbacApi, Q34AbsentIdsAreRemembered)
{
    EXPECT_EQ(send("DELETE", "/api/v1/admin/roles/300").status, 404);
    const std::string past = "'2026-01-01T00:00:00.000000Z'";
    api_.script(
        "INSERT INTO roles (id, name, created_at, updated_at) VALUES (300, 'past', " + past + ", " + past +
        ")"
    );
    EXPECT_EQ(send("DELETE", "/api/v1/admin/roles/300").status, 404) << "not asked again";
    create_role("other");
    EXPECT_EQ(send("DELETE", "/api/v1/admin/roles/300").status, 200);
}

TEST_P(RbacApi, EightWritersOfOneRole)
{
    const auto role = create_role("shared");
    const auto path = "/api/v1/admin/roles/" + std::to_string(role);
    constexpr int writers = 8;
    constexpr int each = 5;
    std::atomic<int> succeeded{0};
    {
        std::vector<std::jthread> threads;
        for (int writer = 0; writer < writers; ++writer) {
            threads.emplace_back([&, writer] {
                for (int round = 0; round < each; ++round) {
                    const auto text = std::to_string(writer) + "-" + std::to_string(round);
                    if (send("PATCH", path, R"({"description":")" + text + R"("})").status == 200) {
                        ++succeeded;
                    }
                }
            });
        }
    }
    EXPECT_EQ(succeeded, writers * each);
    std::string before;
    for (const auto& record : api_.trail()) {
        EXPECT_TRUE(record.event_name != "admin.role.update" || record.target_id == std::to_string(role));
    }
}

}  // namespace

}  // namespace kit::test
