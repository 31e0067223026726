// The public Wycheproof vectors for HMAC-SHA-256 and for JSON web signatures with HS256. KIT_WYCHEPROOF_DIR
// names their folder.

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/jwt.hpp"

#include <boost/json/src.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace kit {
namespace {

namespace json = boost::json;

std::optional<json::value> vectors(const std::string& file)
{
    const char* folder = std::getenv("KIT_WYCHEPROOF_DIR");
    std::ifstream in(std::string(folder == nullptr ? "" : folder) + "/" + file);
    if (folder == nullptr || !in) {
        return std::nullopt;
    }
    return json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

std::string text_of(const json::value& value, const char* name)
{
    return json::value_to<std::string>(value.at(name));
}

TEST(Wycheproof, HmacSha256)
{
    const auto file = vectors("hmac_sha256_test.json");
    if (!file) {
        GTEST_SKIP() << "KIT_WYCHEPROOF_DIR names no folder with hmac_sha256_test.json";
    }
    std::int64_t count = 0;
    for (const auto& group : file->at("testGroups").as_array()) {
        const auto tag_bytes = static_cast<std::size_t>(group.at("tagSize").to_number<std::int64_t>()) / 8;
        for (const auto& test : group.at("tests").as_array()) {
            const auto digest =
                hmac_sha256(*hex_decode(text_of(test, "key")), *hex_decode(text_of(test, "msg")));
            const bool equal =
                constant_time_equal(as_text(digest).substr(0, tag_bytes), *hex_decode(text_of(test, "tag")));
            EXPECT_EQ(equal, text_of(test, "result") == "valid") << test;
            ++count;
        }
    }
    EXPECT_EQ(count, file->at("numberOfTests").to_number<std::int64_t>());
    EXPECT_GT(count, 0);
}

TEST(Wycheproof, JsonWebSignatureHs256)
{
    const auto file = vectors("json_web_signature_test.json");
    if (!file) {
        GTEST_SKIP(
        ) << "KIT_WYCHEPROOF_DIR names no folder with json_web_signature_test.json; the crate leaves it out";
    }
    int count = 0;
    for (const auto& group : file->at("testGroups").as_array()) {
        const auto* key = group.as_object().if_contains("private");
        if (key == nullptr || text_of(*key, "kty") != "oct") {
            continue;
        }
        // A key that is for another algorithm is no key of ours: then nothing may pass.
        const auto* algorithm = key->as_object().if_contains("alg");
        const bool ours = algorithm != nullptr && algorithm->as_string() == "HS256";
        const jwt::Verifier verifier(*base64url_decode(text_of(*key, "k")), {});
        for (const auto& test : group.at("tests").as_array()) {
            const bool verified = verifier.verify_signature(text_of(test, "jws")).has_value();
            if (ours) {
                EXPECT_EQ(verified, text_of(test, "result") == "valid") << test;
                ++count;
            }
        }
    }
    EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace kit
