// ID tokens, userinfo and sets of keys of any shape: nothing crashes, and no token is good that the key did
// not sign.
#include "modules/auth/auth_id_token_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/jwk_set.hpp"
#include "platform/crypto/signed_token.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds)
{
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace kit;
    static const jwt::NamedKey signer(
        "key",
        SignatureKey::from_private(SignatureAlgorithm::eddsa, "the 32 bytes of the fuzz target.").value()
    );
    static const auto keys = jwt::KeySet::parse(R"({"keys":[)" + signer.jwk() + "]}").value();
    static const auth::ExpectedToken expected{
        .issuer = "https://issuer", .issuer_alias = "", .client_id = "client", .nonce = "nonce", .now = {}
    };
    const std::string_view input(reinterpret_cast<const char*>(data), size);

    // The input as the whole token: only what the key has signed passes.
    if (const auto token = jwt::SignedToken::parse(input);
        token && auth::verify_id_token(*token, keys, expected)) {
        require(signer.sign(token->payload) == input);
    }
    // The input as a payload that is rightly signed, so that the reader behind the signature is reached.
    const auto signed_token = jwt::SignedToken::parse(signer.sign(input));
    require(!signed_token || signed_token->payload == input);
    if (signed_token) {
        const auto claims = auth::verify_id_token(*signed_token, keys, expected);
        require(!claims || (!claims->subject.empty() && claims->subject.size() <= 255));
    }
    static_cast<void>(auth::read_userinfo(input));
    // As keys, and as the header of a token.
    const auto set = jwt::KeySet::parse(input);
    require(!set || set->size() <= jwt::KeySet::keys_max);
    if (const auto key = jwt::PublicKey::parse(input)) {
        require(!key->verify("text", "signature"));
    }
    const auto headed = jwt::SignedToken::parse(base64url_encode(input) + ".e30.AAAA");
    require(!headed || headed->payload == "{}");
    return 0;
}
