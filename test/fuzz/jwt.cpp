// Tokens of any shape: nothing crashes, and nothing is accepted that the key did not sign.

#include "platform/crypto/jwt.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view key = "the-key-of-the-fuzz-target-0123456789";
constexpr kit::Timestamp now{};

void require(bool holds)
{
    if (!holds) {
        std::abort();
    }
}

bool is_signed(std::string_view token)
{
    const auto end = token.rfind('.');
    return end != std::string_view::npos &&
           token.substr(end + 1) ==
               kit::base64url_encode(kit::as_text(kit::hmac_sha256(key, token.substr(0, end))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const kit::jwt::Verifier verifier(
        key, {.issuer = "kit", .audience = "web", .token_type = "access"}
    );
    const std::string_view input(reinterpret_cast<const char*>(data), size);

    // The input as the whole token: what passes is signed.
    require(!verifier.verify(input, now) || is_signed(input));

    // The input as a header and a payload that are rightly signed, so that the readers behind the signature
    // are reached.
    const auto middle = input.find('\n');
    const auto header = input.substr(0, middle);
    const auto payload = middle == std::string_view::npos ? std::string_view() : input.substr(middle + 1);
    auto token = kit::base64url_encode(header) + "." + kit::base64url_encode(payload);
    token += "." + kit::base64url_encode(kit::as_text(kit::hmac_sha256(key, token)));
    const auto with_header = verifier.verify_signature(token);
    require(!with_header || *with_header == payload);

    const auto claims = verifier.verify(kit::jwt::Signer(key).sign(input), now);
    require(!claims || claims->expires_at > now);
    return 0;
}
