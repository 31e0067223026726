#include "platform/crypto/signed_token.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/jwt.hpp"

namespace kit::jwt {

namespace {

// Names are ours: base64url, in no need of escapes.
std::string quoted(std::string_view text)
{
    return '"' + std::string(text) + '"';
}

}  // namespace

NamedKey::NamedKey(std::string name, SignatureKey key) : name_(std::move(name)), key_(std::move(key))
{
    const auto header =
        R"({"alg":)" + quoted(to_string(key_.algorithm())) + R"(,"typ":"JWT","kid":)" + quoted(name_) + "}";
    prefix_ = base64url_encode(header) + ".";
}

std::string NamedKey::sign(std::string_view claims_json) const
{
    auto token = prefix_ + base64url_encode(claims_json);
    const auto signature = base64url_encode(key_.sign(token));
    return token.append(".").append(signature);
}

bool NamedKey::is_named_by(std::string_view token) const
{
    return token.starts_with(prefix_);
}

std::optional<std::string> NamedKey::verify(std::string_view token) const
{
    if (token.size() > token_bytes_max || !is_named_by(token)) {
        return std::nullopt;
    }
    const auto last = token.rfind('.');
    const auto signature = base64url_decode(token.substr(last + 1));
    if (!signature || !key_.verify(token.substr(0, last), *signature)) {
        return std::nullopt;
    }
    return payload(token);
}

std::optional<std::string> NamedKey::payload(std::string_view token) const
{
    const auto rest = token.substr(prefix_.size());
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos || rest.rfind('.') != dot) {
        return std::nullopt;
    }
    return base64url_decode(rest.substr(0, dot));
}

std::string NamedKey::jwk() const
{
    const auto bytes = key_.public_bytes();
    const auto number = [&](std::size_t at) {
        return quoted(base64url_encode(std::string_view(bytes).substr(at, 32)));
    };
    auto text = key_.algorithm() == SignatureAlgorithm::eddsa
                    ? R"({"kty":"OKP","crv":"Ed25519","x":)" + number(0)
                    : R"({"kty":"EC","crv":"P-256","x":)" + number(1) + R"(,"y":)" + number(33);
    text += R"(,"kid":)" + quoted(name_);
    text += R"(,"alg":)" + quoted(to_string(key_.algorithm()));
    return text + R"(,"use":"sig"})";
}

}  // namespace kit::jwt
