// An administrator's requests, in process.
#pragma once

#include "api_fixture.hpp"
#include "support/json.hpp"

namespace kit::test {

inline ApiRequest request(std::string method, std::string path, std::string body = "", Headers headers = {})
{
    headers.push_back(new_idempotency_key());
    return {
        .method = std::move(method),
        .path = std::move(path),
        .headers = std::move(headers),
        .body = std::move(body)
    };
}

// Signs up and becomes the first administrator.
inline void sign_up_admin(Api& api, CookieJar& jar)
{
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = api.run(api.product().rbac().issue_admin_claim());
    ASSERT_EQ(api.send(jar, {.path = "/setup/admin?token=" + token.value()}).status, 200);
}

// What a request is refused with.
struct Refusal {
    ApiRequest request;
    int status;
    std::string message;
};

inline void expect_refusals(Api& api, CookieJar& jar, const std::vector<Refusal>& refusals)
{
    for (const auto& refusal : refusals) {
        const auto what = refusal.request.method + " " + refusal.request.path + " " + refusal.request.body;
        const auto response = api.send(jar, refusal.request);
        EXPECT_EQ(response.status, refusal.status) << what;
        EXPECT_THAT(response.body, testing::HasSubstr(R"("message":")" + refusal.message + '"')) << what;
    }
}

}  // namespace kit::test
