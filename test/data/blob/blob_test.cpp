// What every store of objects promises, and what becomes of its faults.
#include "platform/blob/blob.hpp"

#include "platform/blob/sigv4.hpp"
#include "platform/core/block_on.hpp"
#include "platform/core/encoding.hpp"
#include "platform/core/workers.hpp"
#include "platform/telemetry/metrics.hpp"
#include "support/manual_clock.hpp"
#include "support/s3_server.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace kit::blob {
namespace {

using namespace std::chrono_literals;
using test::S3Server;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* key = "avatars/user-1/picture.png";

struct StoreTest : testing::Test {
    StoreTest()
    {
        for (const auto* variable : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
            ::unsetenv(variable);
        }
        workers.start();
    }

    ~StoreTest() override { workers.stop(); }

    static Object object(std::string bytes)
    {
        return {
            .key = key, .content_type = "image/png", .bytes = std::move(bytes), .metadata = {{"user-id", "1"}}
        };
    }

    void run(Task<void> task) { block_on(workers.executor(0), std::move(task)); }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(workers.executor(0), std::move(task));
    }

    Workers workers{1};
    test::ManualClock clock;
    telemetry::Registry metrics{{.workers = 1}};
};

struct FolderTest : StoreTest {
    std::unique_ptr<Folder> open()
    {
        return open_folder(
            {.root = temp.path() / "deep" / "blobs", .url_prefix = "/files/", .secret = "secret"},
            clock,
            metrics
        );
    }

    std::string read()
    {
        auto file = run(folder->open(key));
        return file ? run(folder->read(std::make_shared<const File>(*std::move(file)), 0, 1'000'000))
                    : "none";
    }

    Folder::Claim claim_of(const std::string& url)
    {
        query = parse_form(std::string_view(url).substr(url.find('?') + 1));
        return {.key = key, .expires = query.at(0).second, .signature = query.at(1).second};
    }

    test::TempDir temp;
    std::unique_ptr<Folder> folder = open();
    std::vector<std::pair<std::string, std::string>> query;
};

TEST_F(FolderTest, KeepsReplacesAndRemoves)
{
    EXPECT_EQ(read(), "none");
    run(folder->put(object("first")));
    EXPECT_EQ(read(), "first");
    run(folder->put(object(std::string("sec\0ond", 7))));
    EXPECT_EQ(read(), std::string("sec\0ond", 7));
    folder = open();
    EXPECT_EQ(read(), std::string("sec\0ond", 7)) << "after a restart";
    run(folder->remove(key));
    run(folder->remove(key));
    EXPECT_EQ(read(), "none");
}

TEST_F(FolderTest, FilesAreTheServersOwnAndNothingIsLeftBehind)
{
    run(folder->put(object("mine")));
    struct stat status{};
    ASSERT_EQ(::stat((temp.path() / "deep/blobs" / key).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    ASSERT_EQ(::stat((temp.path() / "deep/blobs/avatars").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_TRUE(std::filesystem::is_empty(temp.path() / "deep/blobs/.unfinished"));
}

TEST_F(FolderTest, AFolderThatCannotBeWrittenIsAnOutage)
{
    std::ofstream(temp.path() / "deep") << "a file in its place";
    EXPECT_THROW(run(folder->put(object("x"))), Unavailable);
    EXPECT_EQ(read(), "none");
    std::filesystem::remove(temp.path() / "deep");
    run(folder->put(object("x")));
    EXPECT_EQ(read(), "x") << "forgotten once it is back";
}

TEST_F(FolderTest, SignedUrlsAreGoodForTheirTimeAndTheirKey)
{
    const auto url = folder->signed_url(key);
    EXPECT_THAT(url, StartsWith(std::string("/files/") + key + "?expires="));
    const auto claim = claim_of(url);
    EXPECT_TRUE(folder->is_good(claim));
    EXPECT_TRUE(open()->is_good(claim)) << "also after a restart";
    auto other = claim;
    other.key = "avatars/user-2/picture.png";
    EXPECT_FALSE(folder->is_good(other));
    const auto later = std::to_string(std::stoll(query.at(0).second) + 1);
    other = claim;
    other.expires = later;
    EXPECT_FALSE(folder->is_good(other));
    EXPECT_FALSE(folder->is_good({.key = key, .expires = "", .signature = ""}));
    clock.advance(url_lifetime);
    EXPECT_TRUE(folder->is_good(claim));
    clock.advance(1s);
    EXPECT_FALSE(folder->is_good(claim));
    const auto elsewhere =
        open_folder({.root = temp.path(), .url_prefix = "/", .secret = "other"}, clock, metrics);
    EXPECT_FALSE(elsewhere->is_good(claim_of(folder->signed_url(key))));
}

struct S3Test : StoreTest {
    S3Options options() const
    {
        return {
            .endpoint = server.endpoint(),
            .public_endpoint = {},
            .access_key = S3Server::access_key,
            .secret_key = S3Server::secret_key,
            .bucket = "avatars",
            .region = S3Server::region,
            .time_max = 2s
        };
    }

    std::string now() const { return amz_date(clock.now()); }

    S3Server server;
};

TEST_F(S3Test, KeepsReplacesRemovesAndHandsOutUrls)
{
    const auto store = open_s3(options(), clock, metrics);
    run(store->put(object("first")));
    run(store->put(object("second")));
    EXPECT_THAT(server.complaints(), testing::IsEmpty());
    const auto path = std::string("/avatars/") + key;
    const auto stored = server.objects().at(path);
    EXPECT_EQ(stored.content, "second");
    EXPECT_EQ(stored.headers.at("content-type"), "image/png");
    EXPECT_EQ(stored.headers.at("content-disposition"), "attachment");
    EXPECT_EQ(stored.headers.at("x-amz-meta-user-id"), "1");
    const auto url = store->signed_url(key);
    EXPECT_THAT(url, StartsWith("http://" + server.endpoint() + path + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
    EXPECT_THAT(url, HasSubstr("&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature="));
    EXPECT_EQ(server.fetch(url, now()).value().content, "second");
    auto forged = url;
    forged.back() = forged.back() == '0' ? '1' : '0';
    EXPECT_FALSE(server.fetch(forged, now()));
    clock.advance(901s);
    EXPECT_FALSE(server.fetch(url, now())) << "over";
    run(store->remove(key));
    run(store->remove(key));
    EXPECT_THAT(server.objects(), testing::IsEmpty());
}

TEST_F(S3Test, SignedUrlsNameThePublicEndpoint)
{
    auto other = options();
    other.public_endpoint = "https://cdn.example.com:443";
    const auto store = open_s3(other, clock, metrics);
    run(store->put(object("x")));
    const auto url = store->signed_url(key);
    EXPECT_THAT(url, StartsWith("https://cdn.example.com/avatars/avatars/"));
    EXPECT_TRUE(server.fetch(url, now())) << "signed for that host";
}

// Q39: what failed once is asked again.
TEST_F(S3Test, EveryFaultIsAnOutageThatIsForgotten)
{
    const auto store = open_s3(options(), clock, metrics);
    for (const auto mood : {S3Server::Mood::refusing, S3Server::Mood::forbidding, S3Server::Mood::half}) {
        server.set(mood);
        EXPECT_THROW(run(store->put(object("x"))), Unavailable);
    }
    server.set(S3Server::Mood::silent);
    const auto before = clock.steady_now();
    EXPECT_THROW(run(store->remove(key)), Unavailable);
    EXPECT_LT(clock.steady_now() - before, 4s);
    server.set(S3Server::Mood::well);
    run(store->put(object("x")));
    EXPECT_EQ(server.objects().size(), 1);
}

TEST_F(S3Test, AStoreThatIsNotThereAndAKeyThatIsWrong)
{
    auto nowhere = options();
    nowhere.endpoint = "127.0.0.1:" + std::to_string(test::unused_port());
    EXPECT_THROW(run(open_s3(nowhere, clock, metrics)->put(object("x"))), Unavailable);
    auto wrong = options();
    wrong.secret_key = "wrong";
    EXPECT_THROW(run(open_s3(wrong, clock, metrics)->put(object("x"))), Unavailable);
    EXPECT_THAT(server.complaints(), testing::Contains(StartsWith("signature")));
    EXPECT_THAT(server.objects(), testing::IsEmpty());
}

}  // namespace
}  // namespace kit::blob
