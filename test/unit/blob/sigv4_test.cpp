// The examples of "Authenticating Requests: Using the Authorization Header" and "… Using Query Parameters" of
// AWS' documentation of S3, with their published signatures.
#include "platform/blob/sigv4.hpp"

#include "platform/blob/blob.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit::blob {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const std::string empty_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

SigningKey example_key()
{
    return {
        .access_key = "AKIAIOSFODNN7EXAMPLE",
        .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1"
    };
}

UnsignedRequest example(std::string method, std::string path, std::string hash = empty_hash)
{
    return {
        .method = std::move(method),
        .path = std::move(path),
        .headers =
            {{"host", "examplebucket.s3.amazonaws.com"},
             {"x-amz-content-sha256", hash},
             {"x-amz-date", "20130524T000000Z"}},
        .payload_hash = hash,
        .when = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24)
    };
}

TEST(SigV4, GetObject)
{
    auto request = example("GET", "/test.txt");
    request.headers.emplace_back("range", "bytes=0-9");
    EXPECT_EQ(
        authorization(example_key(), request),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

TEST(SigV4, PutObject)
{
    auto request =
        example("PUT", "/test$file.text", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    request.headers.emplace_back("date", "Fri, 24 May 2013 00:00:00 GMT");
    request.headers.emplace_back("x-amz-storage-class", "REDUCED_REDUNDANCY");
    EXPECT_THAT(
        authorization(example_key(), request),
        EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    );
}

TEST(SigV4, QueriesWithAndWithoutValues)
{
    auto lifecycle = example("GET", "/");
    lifecycle.query = {{"lifecycle", ""}};
    EXPECT_THAT(
        authorization(example_key(), lifecycle),
        EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    );
    auto list = example("GET", "/");
    list.query = {{"prefix", "J"}, {"max-keys", "2"}};
    EXPECT_THAT(
        authorization(example_key(), list),
        EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    );
}

TEST(SigV4, PresignedUrl)
{
    auto request = example("GET", "/test.txt");
    request.headers = {{"host", "examplebucket.s3.amazonaws.com"}};
    EXPECT_EQ(
        presigned_query(example_key(), request, std::chrono::seconds(86'400)),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

TEST(SigV4, PathsAreEncodedOnceAndKeepTheirSlashes)
{
    EXPECT_EQ(encode_path("/a b/c%/ü~"), "/a%20b/c%25/%C3%BC~");
    EXPECT_EQ(encode_path("/"), "/");
}

TEST(Keys, NothingThatAFolderOrAUrlCouldTakeForSomethingElse)
{
    EXPECT_TRUE(is_key("avatars/user-1/0b5e2f0c-7a34-4a52-9f0e-0d6f5f7a9c11.png"));
    for (const std::string key :
         {"", "/", "/a", "a/", "a//b", "..", "a/../b", "a/.b", ".hidden", "a b", "a\\b", "a?b", "a%2e", "ü"
         }) {
        EXPECT_FALSE(is_key(key)) << key;
    }
    EXPECT_FALSE(is_key(std::string("a\0b", 3)));
    EXPECT_TRUE(is_key(std::string(key_bytes_max, 'a')));
    EXPECT_FALSE(is_key(std::string(key_bytes_max + 1, 'a')));
}

}  // namespace
}  // namespace kit::blob
