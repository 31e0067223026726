// The wire contract of avatars, on both engines, in a folder and in an S3 store.
#include "admin_fixture.hpp"
#include "support/hostile_files.hpp"
#include "support/s3_server.hpp"
#include "support/temp_dir.hpp"

#include <boost/json/value.hpp>

#include <cstdlib>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr const char* avatar_path = "/api/v1/me/avatar";

ApiRequest upload_of(std::string form, std::string type = form_type())
{
    return {
        .method = "POST",
        .path = avatar_path,
        .headers = {{"Content-Type", std::move(type)}},
        .body = std::move(form)
    };
}

ApiRequest removal_of(const std::string& key)
{
    return {.method = "DELETE", .path = avatar_path, .body = R"({"object_key":")" + key + R"("})"};
}

std::string data_of(const ApiResponse& response, const std::string& field)
{
    return std::string(text_at(parse_json(response.body), "/data/" + field));
}

class AvatarsApi : public ApiTest {
protected:
    AvatarsApi()
    {
        for (const auto* variable : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
            ::unsetenv(variable);
        }
    }

    // Objects in a folder.
    std::unique_ptr<Api> in_folder()
    {
        return std::make_unique<Api>(GetParam(), [this](config::Config& config) {
            config.process.data_dir = folder.path();
            config.http.public_url = "https://app.example";
        });
    }

    // Objects in the store at that address.
    static std::unique_ptr<Api> in_store(const std::string& endpoint)
    {
        return std::make_unique<Api>(GetParam(), [&](config::Config& config) {
            config.blob.endpoint = endpoint;
            config.blob.access_key = S3Server::access_key;
            config.blob.secret_key = config::Secret(S3Server::secret_key);
        });
    }

    std::size_t files() const
    {
        std::size_t count = 0;
        const auto root = folder.path() / "blobs";
        if (std::filesystem::exists(root)) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
                count += entry.is_regular_file() ? 1 : 0;
            }
        }
        return count;
    }

    // Everything that is due is tried once.
    static void clean(Api& api)
    {
        while (api.run(api.product().avatars().clean_one())) {
        }
    }

    static std::string link_of(Api& api, CookieJar& jar)
    {
        return data_of(api.send(jar, {.path = "/api/v1/me"}), "avatar_url");
    }

    static std::int64_t rows(Api& api)
    {
        static constexpr db::Query count{"test.count_avatars", "SELECT count(*) AS number FROM avatars"};
        return api.run(api.database().run({&count, {}})).cell(0, 0).integer;
    }

    // Behind a host that no request of these tests names.
    static ApiRequest behind(const std::string& url)
    {
        constexpr std::string_view host = "https://app.example";
        EXPECT_THAT(url, StartsWith(std::string(host)));
        return {.path = url.substr(std::min(url.size(), host.size()))};
    }

    TempDir folder;
    CookieJar jar;
};

KIT_BOTH_ENGINES(AvatarsApi);

TEST_P(AvatarsApi, LifeOfAnAvatarInAFolder)
{
    const auto api = in_folder();
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto first = api->send(jar, upload_of(avatar_form(png())));
    ASSERT_EQ(first.status, 200) << first.body;
    const auto key = data_of(first, "object_key");
    EXPECT_THAT(key, MatchesRegex("avatars/user-1/[0-9a-f-]{36}\\.png"));
    EXPECT_THAT(
        first.body,
        HasSubstr(
            R"("file_size":)" + std::to_string(png().size()) + R"(,"object_key":")" + key +
            R"(","uploaded_at":"2026-03-01T00:00:00Z"})"
        )
    );
    const auto shown = api->send(behind(data_of(first, "avatar_url")));
    EXPECT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body, png());
    EXPECT_EQ(shown.header("content-type"), "image/png");
    EXPECT_EQ(shown.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(shown.header("content-disposition"), "attachment; filename=\"image.png\"");
    EXPECT_THAT(shown.all("content-security-policy"), testing::Contains("default-src 'none'; sandbox"));

    // The user's avatar_url leads there for as long as it is his picture.
    const auto link = link_of(*api, jar);
    EXPECT_THAT(link, StartsWith("https://app.example/api/v1/avatars/"));
    const auto redirected = api->send(behind(link));
    EXPECT_EQ(redirected.status, 302);
    EXPECT_EQ(api->send(behind(redirected.header("location").value())).body, png());
    const auto second = api->send(jar, upload_of(avatar_form(jpeg(), "text/html")));
    ASSERT_EQ(second.status, 200) << second.body;
    EXPECT_THAT(data_of(second, "object_key"), MatchesRegex("avatars/user-1/[0-9a-f-]{36}\\.jpg"));
    EXPECT_EQ(api->send(behind(link)).status, 404);
    EXPECT_EQ(files(), 2);
    clean(*api);
    EXPECT_EQ(files(), 1) << "the old one is gone";
    EXPECT_EQ(rows(*api), 1);
    EXPECT_EQ(api->send(behind(data_of(first, "avatar_url"))).status, 404);

    const auto removed = api->send(jar, removal_of(data_of(second, "object_key")));
    EXPECT_EQ(removed.status, 200);
    EXPECT_THAT(
        removed.body,
        HasSubstr(R"("data":{"deleted":true,"object_key":")" + data_of(second, "object_key") + R"("})")
    );
    EXPECT_EQ(link_of(*api, jar), "");
    EXPECT_EQ(files(), 0);
    EXPECT_EQ(rows(*api), 0);
    EXPECT_EQ(api->send(jar, removal_of(key)).status, 200) << "also what is not there";
}

TEST_P(AvatarsApi, SignedLinksExpireAndCannotBeForged)
{
    const auto api = in_folder();
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto large = png({.padding_bytes = 3'000'000});
    const auto uploaded = api->send(jar, upload_of(avatar_form(large)));
    ASSERT_EQ(uploaded.status, 200) << uploaded.body;
    const auto url = behind(data_of(uploaded, "avatar_url"));
    const auto opened = api->open(url);
    EXPECT_EQ(opened.head.header("content-length"), std::to_string(large.size()));
    ASSERT_TRUE(opened.stream) << "large files are sent piece by piece";
    std::string received;
    for (auto piece = api->run(opened.stream->next()); !piece.empty();
         piece = api->run(opened.stream->next())) {
        EXPECT_LE(piece.size(), app::Files::piece_bytes);
        received += piece;
    }
    EXPECT_EQ(received, large);
    auto forged = url;
    forged.path.replace(forged.path.find("expires=") + 8, 1, "9");
    EXPECT_EQ(api->send(forged).status, 403);
    forged = url;
    forged.path.replace(forged.path.find("user-1"), 6, "user-2");
    EXPECT_EQ(api->send(forged).status, 403);
    EXPECT_EQ(api->send({.path = "/files/avatars/user-1/x.png"}).status, 403);
    EXPECT_EQ(api->send({.path = "/files/..%2F..%2Fetc/x/passwd"}).status, 403);
    api->clock().advance(900s);
    EXPECT_EQ(api->open(url).head.status, 200);
    api->clock().advance(1s);
    const auto expired = api->send(url);
    EXPECT_EQ(expired.status, 403);
    EXPECT_THAT(expired.body, HasSubstr("invalid or expired link"));
}

TEST_P(AvatarsApi, Refusals)
{
    const auto api = in_folder();
    EXPECT_EQ(api->send(upload_of(avatar_form(png()))).status, 401);
    EXPECT_EQ(api->send(removal_of("x")).status, 401);
    ASSERT_EQ(api->sign_up(jar).status, 201);
    auto without_pair = upload_of(avatar_form(png()));
    without_pair.headers.emplace_back("Cookie", jar.header());
    EXPECT_EQ(api->send(without_pair).status, 403) << "CSRF";

    const std::string parse = "failed to parse multipart form";
    const std::string missing = "avatar file is required";
    const std::string type = "only JPEG and PNG images are allowed";
    const std::string file = "name=\"avatar\"; filename=\"x\"";
    const std::vector<Refusal> refusals{
        {upload_of(avatar_form(png()), "application/json"), 400, parse},
        {upload_of(avatar_form(png()), "multipart/form-data"), 400, parse},
        {upload_of(""), 400, parse},
        {upload_of("{}"), 400, parse},
        {upload_of(form_part(file, png())), 400, parse},
        {upload_of(avatar_form(png({.padding_bytes = 6 * 1024 * 1024}))), 400, parse},
        {upload_of(form_end()), 400, missing},
        {upload_of(form_part("name=\"avatar\"", "text") + form_end()), 400, missing},
        {upload_of(form_part("name=\"picture\"; filename=\"x\"", png()) + form_end()), 400, missing},
        {upload_of(form_part("filename=\"x\"", png()) + form_end()), 400, missing},
        {upload_of(avatar_form(std::string(5 * 1024 * 1024 + 1, 'x'))), 400, "file size exceeds 5MB limit"},
        {upload_of(avatar_form(png({.padding_bytes = 5 * 1024 * 1024}))), 400, "file size exceeds 5MB limit"},
        {upload_of(avatar_form("")), 400, type},
        {upload_of(avatar_form("text")), 400, type},
        {upload_of(avatar_form(png({.width = 50'000, .height = 50'000}))),
         400,
         "images of more than 40 megapixels are not allowed"},
        {{.method = "DELETE", .path = avatar_path, .body = "[]"}, 400, "invalid request body"},
        {{.method = "DELETE", .path = avatar_path, .body = R"({"object_key":1})"}, 400, "invalid request body"
        },
        {{.method = "DELETE", .path = avatar_path, .body = "{}"}, 400, "object_key is required"},
        {removal_of("avatars/user-2/x.png"), 403, "you do not have permission to delete this avatar"},
        {removal_of("avatars/user-1/../user-2/x.png"), 403, "you do not have permission to delete this avatar"
        },
        {removal_of("avatars/user-11/x.png"), 403, "you do not have permission to delete this avatar"},
        {{.method = "GET", .path = "/api/v1/avatars/nobody"}, 404, "avatar not found"},
        {{.method = "GET", .path = avatar_path}, 405, "method not allowed"},
    };
    expect_refusals(*api, jar, refusals);
    EXPECT_EQ(files(), 0);
    EXPECT_EQ(rows(*api), 0);
    EXPECT_EQ(api->send(jar, removal_of("  ")).status, 200) << "the contract's no-op";
    EXPECT_EQ(api->send(jar, removal_of("avatars/user-1/a b.png")).status, 200) << "no object has that name";
    const auto form =
        form_part("name=\"note\"", "hello") + avatar_form(png({.padding_bytes = 5 * 1024 * 1024 - 200}));
    EXPECT_EQ(api->send(jar, upload_of(form)).status, 200) << "other fields are left alone; nearly 5 MiB";
}

TEST_P(AvatarsApi, ThirtyHostileFilesStoreNothing)
{
    const auto api = in_folder();
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto hostile = hostile_files();
    EXPECT_EQ(hostile.size(), 30);
    for (const auto& file : hostile) {
        const auto response = api->send(jar, upload_of(hostile_form(file)));
        EXPECT_EQ(response.status, 400) << file.name;
        EXPECT_THAT(response.body, HasSubstr(std::string(R"("code":")") + file.code)) << file.name;
    }
    EXPECT_EQ(files(), 0);
    EXPECT_EQ(rows(*api), 0);
    EXPECT_EQ(link_of(*api, jar), "");
}

TEST_P(AvatarsApi, AnS3StoreTakesBothTypes)
{
    const S3Server store;
    const auto api = in_store(store.endpoint());
    ASSERT_EQ(api->sign_up(jar).status, 201);
    for (const auto& [image, type] : {std::pair{png(), "image/png"}, {jpeg(), "image/jpeg"}}) {
        const auto uploaded = api->send(jar, upload_of(avatar_form(image, "nonsense")));
        ASSERT_EQ(uploaded.status, 200) << uploaded.body;
        const auto stored = store.objects().at("/avatars/" + data_of(uploaded, "object_key"));
        EXPECT_EQ(stored.content, image);
        EXPECT_EQ(stored.headers.at("content-type"), type);
        EXPECT_EQ(stored.headers.at("x-amz-meta-detected-content-type"), type);
        EXPECT_EQ(stored.headers.at("x-amz-meta-user-id"), "1");
        EXPECT_EQ(stored.headers.at("x-amz-meta-uploaded-at"), "2026-03-01T00:00:00Z");
        const auto url = data_of(uploaded, "avatar_url");
        EXPECT_THAT(url, StartsWith("http://" + store.endpoint() + "/avatars/avatars/user-1/"));
        EXPECT_EQ(store.fetch(url, "20260301T000010Z").value().content, image);
        const auto link = link_of(*api, jar);
        const auto redirected = api->send({.path = link});
        EXPECT_EQ(redirected.status, 302);
        EXPECT_TRUE(store.fetch(redirected.header("location").value(), "20260301T001459Z"));
    }
    clean(*api);
    EXPECT_EQ(store.objects().size(), 1);
    EXPECT_THAT(store.complaints(), IsEmpty());
    EXPECT_EQ(api->send({.path = "/files/avatars/user-1/x.png"}).status, 404) << "served by the store alone";
}

// A fault is 503, costs nobody else anything, leaves nothing behind, and is forgotten.
TEST_P(AvatarsApi, AFailingStoreIs503AndIsForgotten)
{
    S3Server store;
    const auto api = in_store(store.endpoint());
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto good = api->send(jar, upload_of(avatar_form(png())));
    ASSERT_EQ(good.status, 200);
    const auto link = link_of(*api, jar);
    for (const auto mood : {S3Server::Mood::refusing, S3Server::Mood::forbidding, S3Server::Mood::half}) {
        store.set(mood);
        const auto failed = api->send(jar, upload_of(avatar_form(jpeg())));
        EXPECT_EQ(failed.status, 503);
        EXPECT_THAT(failed.body, HasSubstr("failed to upload avatar"));
        EXPECT_TRUE(failed.header("retry-after"));
        EXPECT_EQ(link_of(*api, jar), link) << "the picture of before stays";
        EXPECT_EQ(api->send({.path = "/health/ready"}).status, 200);
    }
    EXPECT_EQ(rows(*api), 4) << "each attempt is on record until it is cleaned up";
    store.set(S3Server::Mood::refusing);
    clean(*api);
    EXPECT_EQ(rows(*api), 4) << "not before the store is back";
    EXPECT_EQ(api->send(jar, removal_of(data_of(good, "object_key"))).status, 503);
    EXPECT_EQ(link_of(*api, jar), "") << "it is nobody's picture any more all the same";
    store.set(S3Server::Mood::well);
    EXPECT_EQ(api->send(jar, upload_of(avatar_form(jpeg()))).status, 200);
    api->clock().advance(15min);
    clean(*api);
    EXPECT_EQ(rows(*api), 1);
    EXPECT_EQ(store.objects().size(), 1) << "also the one whose answer broke off is gone";
}

TEST_P(AvatarsApi, AStoreThatIsNotThere)
{
    const auto api = in_store("127.0.0.1:" + std::to_string(unused_port()));
    ASSERT_EQ(api->sign_up(jar).status, 201);
    EXPECT_EQ(api->send(jar, upload_of(avatar_form(png()))).status, 503);
    EXPECT_EQ(api->send(jar, {.path = "/api/v1/me"}).status, 200);
    EXPECT_EQ(link_of(*api, jar), "");
}

// A process that dies between the row and its object, or between the object and its record, leaves a row.
TEST_P(AvatarsApi, WhatAProcessThatDiedLeftIsFoundByItsRow)
{
    const auto api = in_folder();
    ASSERT_EQ(api->sign_up(jar).status, 201);
    ASSERT_EQ(api->send(jar, upload_of(avatar_form(png()))).status, 200);
    api->script("UPDATE avatars SET state = 'pending'");
    clean(*api);
    EXPECT_EQ(files(), 1) << "an upload may still be on its way";
    api->clock().advance(3min);
    clean(*api);
    EXPECT_EQ(files(), 0);
    EXPECT_EQ(rows(*api), 0);
    ASSERT_EQ(api->send(jar, upload_of(avatar_form(png()))).status, 200);
    api->tamper("DELETE FROM users");
    api->clock().advance(3min);
    clean(*api);
    EXPECT_EQ(files(), 0) << "of a user who was deleted";
}

TEST_P(AvatarsApi, EveryEffectIsOnRecord)
{
    const auto api = in_folder();
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto key = data_of(api->send(jar, upload_of(avatar_form(png(), "image/x-mine"))), "object_key");
    api->send(jar, upload_of(avatar_form("text")));
    api->send(jar, removal_of(key));
    std::vector<std::string> seen;
    for (const auto& record : api->trail()) {
        if (record.target_type == "avatar") {
            EXPECT_EQ(record.target_id, key);
            EXPECT_EQ(record.actor_user_id, "1");
            seen.push_back(
                record.event_name + " " + record.outcome + " " + record.reason + " " + record.extras
            );
        }
    }
    const auto size = std::to_string(png().size());
    EXPECT_THAT(
        seen,
        testing::ElementsAre(
            R"(avatar.upload success avatar_uploaded {"object_key":")" + key +
                R"(","content_type":"image/x-mine","file_size":)" + size + "}",
            R"(avatar.delete success avatar_deleted {"object_key":")" + key + R"("})"
        )
    );
}

}  // namespace

}  // namespace kit::test
