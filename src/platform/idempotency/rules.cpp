#include "platform/core/encoding.hpp"
#include "platform/idempotency/idempotency.hpp"

#include <optional>

namespace kit::idempotency {

namespace {

constexpr std::string_view header_name = "idempotency-key";

// The text of a quoted string, nothing where the value is no such thing.
std::optional<std::string> unquote(std::string_view value)
{
    if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) {
        return std::nullopt;
    }
    const auto inside = value.substr(1, value.size() - 2);
    std::string text;
    text.reserve(inside.size());
    for (std::size_t at = 0; at < inside.size(); ++at) {
        if (inside[at] == '"') {
            return std::nullopt;
        }
        if (inside[at] == '\\') {
            const bool escapes = at + 1 < inside.size() && (inside[at + 1] == '"' || inside[at + 1] == '\\');
            if (!escapes) {
                return std::nullopt;
            }
            ++at;
        }
        text += inside[at];
    }
    return text;
}

}  // namespace

std::expected<std::string, KeyFault> read_key(const http::Request& request)
{
    std::optional<std::string_view> value;
    for (const auto& header : request.headers) {
        if (!equal_ignoring_case(header.name, header_name)) {
            continue;
        }
        if (value) {
            return std::unexpected(KeyFault::invalid);
        }
        value = trim(header.value);
    }
    const auto given = value.value_or("");
    auto key = unquote(given).value_or(std::string(given));
    if (trim(key).empty()) {
        return std::unexpected(KeyFault::missing);
    }
    if (key.size() > key_bytes_max) {
        return std::unexpected(KeyFault::invalid);
    }
    return key;
}

std::string actor_of(const http::RequestContext& ctx)
{
    if (ctx.principal.authenticated) {
        return "sub:" + std::to_string(ctx.principal.user_id);
    }
    return "ip:" + ctx.client_address;
}

std::string fingerprint(const Subject& subject)
{
    std::string text;
    for (const auto part : {subject.scope, subject.method, subject.path, subject.actor}) {
        text += part;
        text += '\n';
    }
    text += sha256_hex(subject.body);
    return sha256_hex(text);
}

Fingerprints::Fingerprints(std::string_view secret)
    : key_(as_text(hmac_sha256(secret, "everything-backend idempotency")))
{
}

std::string Fingerprints::of(const Subject& subject) const
{
    return hex_encode(as_text(key_.mac(fingerprint(subject))));
}

bool is_kept(int status)
{
    // 400 and 409 judge the request itself, and clients of the contract expect to see them again.
    return status < 400 || status == 400 || status == 409;
}

}  // namespace kit::idempotency
