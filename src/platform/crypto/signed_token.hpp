// Tokens under the header {"alg":…,"typ":"JWT","kid":…}, signed by a key of which others have the public
// half.
#pragma once

#include "platform/crypto/signature_key.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace kit::jwt {

// A key with the name by which tokens and the published set speak of it.
class NamedKey {
public:
    NamedKey(std::string name, SignatureKey key);

    const std::string& name() const { return name_; }

    const SignatureKey& key() const { return key_; }

    // The token over `claims_json`, a JSON object.
    std::string sign(std::string_view claims_json) const;

    // Whether the token's header is this key's, to the letter: we issue no other, so no header is ever read.
    bool is_named_by(std::string_view token) const;

    // The payload of a token that names this key and is signed by it.
    std::optional<std::string> verify(std::string_view token) const;

    // The payload alone, where the signature is known to be good.
    std::optional<std::string> payload(std::string_view token) const;

    // As a set of keys shows it, RFC 7517 and RFC 8037: a JSON object without the private half.
    std::string jwk() const;

private:
    std::string name_;
    SignatureKey key_;
    std::string prefix_;  // of its tokens: the header and the dot
};

}  // namespace kit::jwt
