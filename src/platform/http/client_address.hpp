// Whom a request comes from, through trusted proxies.
#pragma once

#include "platform/http/types.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::http {

// An IP address; IPv4 is held as an IPv4-mapped IPv6 address.
class IpAddress {
public:
    // IPv4 dotted quad or IPv6 (RFC 4291 section 2.2), with an optional port ("1.2.3.4:80", "[::1]:80") that
    // is dropped. No zone.
    static std::optional<IpAddress> parse(std::string_view text);

    // Canonical text, RFC 5952; IPv4-mapped as plain IPv4.
    std::string to_string() const;

    // For rate limits: the address itself, or the /64 of an IPv6 address.
    std::string limiter_key() const;

    bool operator==(const IpAddress&) const = default;

private:
    friend class AddressRange;
    std::array<std::uint8_t, 16> bytes_{};
};

// A CIDR block, RFC 4632 and RFC 4291 section 2.3.
class AddressRange {
public:
    // "10.0.0.0/8", "fd00::/8", or a single address.
    static std::optional<AddressRange> parse(std::string_view text);

    bool contains(const IpAddress& address) const;

private:
    IpAddress base_;
    unsigned bits_ = 128;
};

// The client's address: the peer's own, unless the peer is a trusted proxy; then the right-most address of
// X-Forwarded-For that is not a trusted proxy. An element that is no address ends the search: what stands
// left of it cannot be believed.
std::string client_address(const Request& request, const std::vector<AddressRange>& trusted_proxies);

}  // namespace kit::http
