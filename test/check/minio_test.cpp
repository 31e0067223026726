// A real MinIO takes what we send: KIT_MINIO names its program.
#include "support/account.hpp"
#include "support/images.hpp"
#include "support/json.hpp"
#include "support/server.hpp"
#include "support/stub_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace kit::test {
namespace {

constexpr const char* access_key = "test-access-key";
constexpr const char* secret_key = "test-secret-key";

class Minio {
public:
    explicit Minio(const std::string& program)
        : port_(unused_port()),
          process_(
              {.command = {program, "server", "--quiet", "--address", endpoint(), folder_.path().string()},
               .environment = {{"MINIO_ROOT_USER", access_key}, {"MINIO_ROOT_PASSWORD", secret_key}}}
          )
    {
        const bool up = eventually([this] {
            try {
                return HttpClient({.port = port_}).get("/minio/health/ready").status == 200;
            } catch (const std::exception&) {
                return false;
            }
        });
        if (!up) {
            throw std::runtime_error("MinIO did not start: " + process_.errors());
        }
    }

    std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

    std::uint16_t port() const { return port_; }

    const Process& process() const { return process_; }

private:
    TempDir folder_;
    std::uint16_t port_;
    Process process_;
};

class RealMinio : public testing::TestWithParam<Engine> {};

TEST_P(RealMinio, TakesAvatarsOfBothTypes)
{
    const auto* const program = std::getenv("KIT_MINIO");
    if (program == nullptr) {
        GTEST_SKIP() << "./dev check minio builds it and runs this";
    }
    const Minio minio(program);
    const Installation installation(
        GetParam(),
        {{"MINIO_ENDPOINT", minio.endpoint()},
         {"MINIO_ACCESS_KEY", access_key},
         {"MINIO_SECRET_KEY", secret_key}}
    );
    auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, "ada@example.com").status, 201);
    auto store = HttpClient({.port = minio.port()});
    const auto path_of = [&](const std::string& url) {
        return url.substr(std::string("http://" + minio.endpoint()).size());
    };
    std::string old;
    for (const auto& [image, type] :
         {std::pair{png({.padding_bytes = 100'000}), "image/png"},
          {jpeg({.padding_bytes = 4'000'000}), "image/jpeg"}}) {
        const auto uploaded = browser.send(
            {.method = "POST",
             .target = "/api/v1/me/avatar",
             .headers = {{"Content-Type", form_type()}, {"X-CSRF-Token", browser.cookie("csrf_token")}},
             .body = avatar_form(image)}
        );
        ASSERT_EQ(uploaded.status, 200) << uploaded.body << server.process().output();
        const auto url = std::string(text_at(parse_json(uploaded.body), "/data/avatar_url"));
        const auto shown = store.get(path_of(url));
        EXPECT_EQ(shown.status, 200);
        EXPECT_EQ(shown.body, image);
        EXPECT_EQ(shown.header("content-type"), type);
        EXPECT_EQ(store.get(path_of(url.substr(0, url.find('?')))).status, 403) << "not without a signature";
        if (!old.empty()) {
            EXPECT_TRUE(eventually([&] { return store.get(old).status == 404; }))
                << "the old one is cleaned up";
        }
        old = path_of(url);
    }
    EXPECT_EQ(
        browser
            .send(
                {.method = "DELETE",
                 .target = "/api/v1/me/avatar",
                 .headers = {{"X-CSRF-Token", browser.cookie("csrf_token")}},
                 .body = R"({"object_key":")" + old.substr(9, old.find('?') - 9) + R"("})"}
            )
            .status,
        200
    );
    EXPECT_EQ(store.get(old).status, 404);
    EXPECT_EQ(server.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, RealMinio, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

}  // namespace
}  // namespace kit::test
