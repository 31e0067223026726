// The wire contract of products, on both engines.
#include "admin_fixture.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* products_path = "/api/v1/products";
constexpr const char* name_text = "name must be between 3 and 120 characters";
constexpr const char* price_text = "price must be greater than 0";

class ProductsApi : public ApiTest {
protected:
    static ApiResponse create(Api& api, CookieJar& jar, const std::string& name)
    {
        return api.send(jar, request("POST", products_path, R"({"name":")" + name + R"(","price":1})"));
    }
};

KIT_BOTH_ENGINES(ProductsApi);

TEST_P(ProductsApi, LifeOfAProduct)
{
    Api api(GetParam());
    CookieJar jar;
    sign_up_admin(api, jar);
    const auto created = api.send(
        jar, request("POST", products_path, R"({"name":"  Lamp ","description":" bright ","price":19.99})")
    );
    EXPECT_EQ(created.status, 201);
    EXPECT_THAT(
        created.body,
        HasSubstr(R"("data":{"id":1,"name":"Lamp","description":"bright","price":19.99,)"
                  R"("created_at":"2026-03-01T00:00:00Z","updated_at":"2026-03-01T00:00:00Z"})")
    );
    api.clock().advance(std::chrono::seconds(5));
    const auto changed =
        api.send(jar, request("PUT", "/api/v1/products/1", R"({"description":"","price":1e-7})"));
    EXPECT_EQ(changed.status, 200);
    EXPECT_THAT(
        changed.body,
        HasSubstr(R"({"id":1,"name":"Lamp","description":"","price":1e-7,)"
                  R"("created_at":"2026-03-01T00:00:00Z","updated_at":"2026-03-01T00:00:05Z"})")
    );
    EXPECT_THAT(api.send(jar, {.path = "/api/v1/products/1"}).body, HasSubstr(R"("price":1e-7)"));
    const auto deleted = api.send(jar, request("DELETE", "/api/v1/products/1"));
    EXPECT_EQ(deleted.status, 200);
    EXPECT_THAT(deleted.body, HasSubstr(R"("data":{"deleted":true})"));
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/products/1"}).status, 404);
    EXPECT_THAT(create(api, jar, "Chair").body, HasSubstr(R"("id":2)")) << "ids are never used again";
}

TEST_P(ProductsApi, Refusals)
{
    Api api(GetParam());
    CookieJar jar;
    sign_up_admin(api, jar);
    ASSERT_EQ(create(api, jar, "Lamp").status, 201);

    const std::string one = "/api/v1/products/1";
    const std::vector<Refusal> refusals{
        {request("POST", products_path, ""), 400, "invalid payload"},
        {request("POST", products_path, R"({"name":"Lamp","price":"1"})"), 400, "invalid payload"},
        {request("POST", products_path, R"({"name":"Lamp","price":1e400})"), 400, "invalid payload"},
        {request("POST", products_path, R"({"name":"a\u0000bc","price":1})"), 400, "invalid payload"},
        {request("POST", products_path, R"({"name":" ab ","price":1})"), 400, name_text},
        {request("POST", products_path, R"({"name":")" + std::string(121, 'x') + R"(","price":1})"),
         400,
         name_text},
        {request(
             "POST",
             products_path,
             R"({"name":"abc","price":1,"description":")" + std::string(501, 'x') + R"("})"
         ),
         400,
         R"(description must be \u003c= 500 characters)"},
        {request("POST", products_path, R"({"name":"abc"})"), 400, price_text},
        {request("POST", products_path, R"({"name":"abc","price":-1})"), 400, price_text},
        {request("POST", products_path, "null"), 400, name_text},
        {request("PUT", one, "{}"), 400, "no updates provided"},
        {request("PUT", "/api/v1/products/9", R"({"name":null})"), 400, "no updates provided"},
        {request("PUT", one, R"({"price":0})"), 400, price_text},
        {request("PUT", one, R"({"name":"x","price":0})"), 400, name_text},
        {request("PUT", "/api/v1/products/9", R"({"price":2})"), 404, "product not found"},
        {request("PUT", "/api/v1/products/x", "{"), 400, "invalid product id"},
        {request("GET", "/api/v1/products/-1"), 400, "invalid product id"},
        {request("GET", "/api/v1/products/18446744073709551616"), 400, "invalid product id"},
        {request("GET", "/api/v1/products/18446744073709551615"), 404, "product not found"},
        {request("GET", "/api/v1/products/9223372036854775808"), 404, "product not found"},
        {request("GET", "/api/v1/products/0"), 404, "product not found"},
        {request("DELETE", "/api/v1/products/9"), 404, "product not found"},
        {request("GET", "/api/v1/products?page=0"), 400, "page must be a positive integer"},
        {request("GET", "/api/v1/products?page=x&page_size=0"), 400, "page must be a positive integer"},
        {request("GET", "/api/v1/products?page_size=0"), 400, "page_size must be a positive integer"},
        {request("GET", "/api/v1/products?page_size=101"), 400, R"(page_size must be \u003c= 100)"},
        {request("PATCH", one, "{}"), 405, "method not allowed"},
        {request("GET", "/api/v1/products/1/x"), 404, "not found"},
    };
    expect_refusals(api, jar, refusals);
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/products/%31"}).status, 200) << "escapes are decoded";
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/products/%201"}).status, 200) << "ids are trimmed";
}

// Q42: limits are counted in characters.
TEST_P(ProductsApi, Q42CharactersNotBytes)
{
    Api api(GetParam());
    CookieJar jar;
    sign_up_admin(api, jar);
    std::string wide;
    for (int character = 0; character < 120; ++character) {
        wide += "ü";
    }
    EXPECT_EQ(create(api, jar, wide).status, 201);
    EXPECT_EQ(create(api, jar, wide + "ü").status, 400);
}

TEST_P(ProductsApi, PagesNewestFirst)
{
    Api api(GetParam());
    CookieJar jar;
    sign_up_admin(api, jar);
    EXPECT_THAT(
        api.send(jar, {.path = products_path}).body,
        HasSubstr(R"("data":{"items":[],"pagination":{"page":1,"page_size":20,"total":0,"total_pages":0}})")
    );
    for (int number = 1; number <= 5; ++number) {
        ASSERT_EQ(create(api, jar, "Lamp " + std::to_string(number)).status, 201);
    }
    const auto page = api.send(jar, {.path = "/api/v1/products/?page=2&page_size=2&sort_by=nonsense"});
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body, HasSubstr(R"("pagination":{"page":2,"page_size":2,"total":5,"total_pages":3})"));
    EXPECT_LT(page.body.find("Lamp 3"), page.body.find("Lamp 2"));
    EXPECT_THAT(page.body, Not(HasSubstr("Lamp 4")));
    // Q40: a page beyond all numbers is empty, not the first.
    const auto far = api.send(jar, {.path = "/api/v1/products?page=9223372036854775807&page_size=100"});
    EXPECT_EQ(far.status, 200);
    EXPECT_THAT(far.body, HasSubstr(R"("items":[])"));
}

TEST_P(ProductsApi, EachRightAloneAndWhatIsHidden)
{
    Api api(GetParam());
    EXPECT_EQ(api.send({.path = products_path}).status, 401);
    EXPECT_EQ(api.send({.path = "/api/v1/products/1/nowhere"}).status, 401) << "even what does not exist";
    EXPECT_EQ(api.send(request("PATCH", "/api/v1/products/1")).status, 401);
    EXPECT_EQ(api.send({.path = "/api/v1/admin/nowhere"}).status, 401);
    EXPECT_EQ(api.send({.path = "/api/v1/productsx"}).status, 404);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::vector<std::pair<ApiRequest, std::string>> needs{
        {request("GET", products_path), "products:read"},
        {request("GET", "/api/v1/products/1"), "products:read"},
        {request("POST", products_path, R"({"name":"Lamp","price":1})"), "products:write"},
        {request("PUT", "/api/v1/products/1", R"({"price":1})"), "products:write"},
        {request("DELETE", "/api/v1/products/1"), "products:delete"},
    };
    for (const auto& [asked, right] : needs) {
        const auto refused = api.send(jar, asked);
        EXPECT_EQ(refused.status, 403) << right;
        EXPECT_THAT(refused.body, HasSubstr(R"("details":{"required":")" + right + R"("})"));
    }
    EXPECT_EQ(api.send(jar, request("PATCH", "/api/v1/products/1")).status, 405) << "no permission needed";
}

TEST_P(ProductsApi, EveryEffectIsOnRecord)
{
    Api api(GetParam());
    CookieJar jar;
    sign_up_admin(api, jar);
    create(api, jar, "Lamp");
    api.send(jar, request("PUT", "/api/v1/products/1", R"({"name":"Desk"})"));
    api.send(jar, request("PUT", "/api/v1/products/2", R"({"name":"Desk"})"));
    api.send(jar, request("DELETE", "/api/v1/products/1"));
    api.send(jar, request("DELETE", "/api/v1/products/1"));
    std::vector<std::string> seen;
    for (const auto& record : api.trail()) {
        if (record.target_type == "product") {
            seen.push_back(
                record.event_name + " " + record.target_id + " " + record.reason + " " + record.extras
            );
            EXPECT_EQ(record.actor_user_id, "1");
        }
    }
    EXPECT_THAT(
        seen,
        testing::ElementsAre(
            R"(product.create 1 product_created {"name":"Lamp"})",
            R"(product.update 1 product_updated {"name":"Desk"})",
            "product.delete 1 product_deleted {}"
        )
    );
}

}  // namespace

}  // namespace kit::test
