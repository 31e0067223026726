// Hostile uploads over the wire: they store nothing and cost next to no memory.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/hostile_files.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t mib = 1024 * 1024;
constexpr std::string_view path = "/api/v1/me/avatar";

std::string head(const HttpClient& browser, const std::string& framing)
{
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: localhost\r\nCookie: access_token=" + browser.cookie("access_token") +
           "; csrf_token=" + browser.cookie("csrf_token") +
           "\r\nX-CSRF-Token: " + browser.cookie("csrf_token") + "\r\nContent-Type: " + form_type() + "\r\n" +
           framing + "\r\n\r\n";
}

std::string chunked(const std::string& body)
{
    std::string wire;
    for (std::size_t at = 0; at < body.size(); at += 60'000) {
        const auto piece = body.substr(at, 60'000);
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        wire += size + piece + "\r\n";
    }
    return wire + "0\r\n\r\n";
}

std::size_t files_in(const std::filesystem::path& folder)
{
    std::size_t count = 0;
    if (std::filesystem::exists(folder)) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            count += entry.is_regular_file() ? 1 : 0;
        }
    }
    return count;
}

TEST(Avatars, ThirtyHostileFilesAndFourHostileClientsCostAtMostEightMebibytes)
{
    const Installation installation(Engine::sqlite, {}, release_binary());
    auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, "ada@example.com").status, 201);
    ASSERT_EQ(browser.get("/api/v1/me").status, 200);
    server.process().reset_resident_peak();
    const auto before = server.process().resident_bytes();

    for (const auto& file : hostile_files()) {
        const auto refused = browser.send(
            {.method = "POST",
             .target = std::string(path),
             .headers = {{"Content-Type", form_type()}, {"X-CSRF-Token", browser.cookie("csrf_token")}},
             .body = hostile_form(file)}
        );
        EXPECT_EQ(refused.status, 400) << file.name;
        EXPECT_EQ(error_code(refused), file.code) << file.name;
    }

    // Seven megabytes in chunks, of a whole picture as far as anybody can tell.
    const auto large =
        chunked(avatar_form(png({.padding_bytes = 7 * mib})));  // before the server's time runs
    RawClient endless(server.endpoint());
    endless.send(head(browser, "Transfer-Encoding: chunked"));
    endless.send(large);
    EXPECT_EQ(endless.read_response().response.value().status, 400);
    // A body that is announced is refused before a byte of it is sent; so is one of nobody.
    RawClient announced(server.endpoint());
    announced.send(head(browser, "Content-Length: 7340032"));
    EXPECT_EQ(announced.read_response().response.value().status, 400);
    RawClient nobody(server.endpoint());
    nobody.send(
        "POST /api/v1/me/avatar HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form_type() +
        "\r\nContent-Length: 5000000\r\n\r\n"
    );
    EXPECT_EQ(nobody.read_response().response.value().status, 401);
    // One that drips.
    RawClient slow(server.endpoint());
    slow.send(head(browser, "Content-Length: 4000000"));
    slow.send("--" + std::string(form_boundary));
    EXPECT_EQ(browser.get("/api/v1/me").status, 200) << "others are served meanwhile";
    EXPECT_EQ(slow.read_response().response.value().status, 408);

    const auto cost = server.process().resident_bytes_peak() - before;
    std::printf("peak of memory: %zu KiB above %zu KiB\n", cost / 1024, before / 1024);
    EXPECT_LE(cost, 8 * mib);
    EXPECT_EQ(files_in(installation.data_dir() / "blobs"), 0);
}

}  // namespace
