#include "modules/auth/auth_oidc_state_service.hpp"

#include "modules/auth/auth_id_token_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/seal.hpp"

#include <cstdint>
#include <span>

namespace kit::auth {

namespace {

// A state's 24 bytes: when it was issued, in seconds; chance; and a MAC over both and the provider's name.
constexpr std::size_t time_bytes = 4;
constexpr std::size_t random_bytes = 12;
constexpr std::size_t mac_bytes = 8;
constexpr std::size_t state_bytes = time_bytes + random_bytes + mac_bytes;

HmacKey key_for(std::string_view secret, std::string_view purpose)
{
    const auto key = derive_key(secret, purpose);
    return HmacKey(as_text(key));
}

// Names of providers hold no NUL.
std::string bound(std::string_view provider, std::string_view bytes)
{
    return std::string(provider).append(1, '\0').append(bytes);
}

std::uint32_t seconds_of(Timestamp now)
{
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    return static_cast<std::uint32_t>(seconds);
}

}  // namespace

States::States(std::string_view secret, std::chrono::seconds life)
    : cookie_key_(secret),
      provider_key_(key_for(secret, "oidc state")),
      nonce_key_(key_for(secret, "oidc nonce")),
      verifier_key_(key_for(secret, "oidc code verifier")),
      life_(life)
{
}

std::string States::issue(std::string_view provider, Timestamp now, Random& random) const
{
    const auto seconds = seconds_of(now);
    std::string bytes;
    for (std::size_t index = 0; index < time_bytes; ++index) {
        bytes += static_cast<char>(seconds >> (8 * (time_bytes - 1 - index)));
    }
    bytes.resize(time_bytes + random_bytes);
    random.fill(std::as_writable_bytes(std::span(bytes).subspan(time_bytes)));
    const auto mac = provider_key_.mac(bound(provider, bytes));
    bytes += as_text(mac).substr(0, mac_bytes);
    return base64url_encode(bytes);
}

std::string States::cookie(std::string_view state) const
{
    return std::string(state).append(1, '.').append(base64url_encode(as_text(cookie_key_.mac(state))));
}

bool States::owns(std::string_view cookie, std::string_view state) const
{
    const auto dot = cookie.find('.');
    if (dot == std::string_view::npos || cookie.find('.', dot + 1) != std::string_view::npos) {
        return false;
    }
    return constant_time_equal(cookie, this->cookie(cookie.substr(0, dot))) &&
           constant_time_equal(cookie.substr(0, dot), state);
}

bool States::good(std::string_view state, std::string_view provider, Timestamp now) const
{
    const auto bytes = base64url_decode(state);
    if (!bytes || bytes->size() != state_bytes) {
        return false;
    }
    const auto content = std::string_view(*bytes).substr(0, time_bytes + random_bytes);
    const auto mac = provider_key_.mac(bound(provider, content));
    if (!constant_time_equal(
            std::string_view(*bytes).substr(content.size()), as_text(mac).substr(0, mac_bytes)
        )) {
        return false;
    }
    std::uint32_t issued = 0;
    for (const char byte : content.substr(0, time_bytes)) {
        issued = (issued << 8U) | static_cast<unsigned char>(byte);
    }
    // Other nodes' clocks may be ahead of ours.
    const auto age = std::chrono::seconds(static_cast<std::int32_t>(seconds_of(now) - issued));
    return age >= -clock_skew_max && age <= life_;
}

std::string States::nonce(std::string_view state, std::string_view provider) const
{
    return base64url_encode(as_text(nonce_key_.mac(bound(provider, state))));
}

std::string States::code_verifier(std::string_view state, std::string_view provider) const
{
    return base64url_encode(as_text(verifier_key_.mac(bound(provider, state))));
}

std::string States::code_challenge(std::string_view verifier)
{
    return base64url_encode(as_text(sha256(verifier)));
}

}  // namespace kit::auth
