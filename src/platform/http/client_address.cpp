#include "platform/http/client_address.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <ranges>

namespace kit::http {

namespace {

constexpr std::array<std::uint8_t, 12> ipv4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_ipv4(const std::array<std::uint8_t, 16>& bytes)
{
    return std::equal(ipv4_prefix.begin(), ipv4_prefix.end(), bytes.begin());
}

bool is_port(std::string_view text)
{
    return !text.empty() && text.size() <= 5 &&
           std::ranges::all_of(text, [](char digit) { return digit >= '0' && digit <= '9'; });
}

// Nothing where what follows the address is not a port.
std::optional<std::string_view> without_port(std::string_view text)
{
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const auto rest = text.substr(end + 1);
        if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) {
            return std::nullopt;
        }
        return text.substr(1, end - 1);
    }
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
        if (!is_port(text.substr(colon + 1))) {
            return std::nullopt;
        }
        return text.substr(0, colon);
    }
    return text;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text)
{
    const auto host = without_port(trim(text));
    if (!host || host->size() >= INET6_ADDRSTRLEN) {
        return std::nullopt;
    }
    const std::string terminated(*host);
    IpAddress address;
    if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) {
        return address;
    }
    std::ranges::copy(ipv4_prefix, address.bytes_.begin());
    if (::inet_pton(AF_INET, terminated.c_str(), address.bytes_.data() + ipv4_prefix.size()) == 1) {
        return address;
    }
    return std::nullopt;
}

std::string IpAddress::to_string() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_ipv4(bytes_)) {
        ::inet_ntop(AF_INET, bytes_.data() + ipv4_prefix.size(), text.data(), text.size());
    } else {
        ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    }
    return text.data();
}

std::string IpAddress::limiter_key() const
{
    if (is_ipv4(bytes_)) {
        return to_string();
    }
    IpAddress network = *this;
    std::fill(network.bytes_.begin() + 8, network.bytes_.end(), std::uint8_t{0});
    return network.to_string() + "/64";
}

std::optional<AddressRange> AddressRange::parse(std::string_view text)
{
    text = trim(text);
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    const auto base = IpAddress::parse(host);
    if (!base) {
        return std::nullopt;
    }
    const bool short_form = is_ipv4(base->bytes_) && !host.contains(':');
    const unsigned bits_max = short_form ? 32 : 128;
    unsigned bits = bits_max;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size() ||
            bits > bits_max) {
            return std::nullopt;
        }
    }
    AddressRange range;
    range.base_ = *base;
    range.bits_ = short_form ? bits + 96 : bits;
    return range;
}

bool AddressRange::contains(const IpAddress& address) const
{
    for (unsigned bit = 0; bit < bits_; bit += 8) {
        const unsigned left = bits_ - bit;
        const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xFF : 0xFF << (8 - left));
        const auto index = bit / 8;
        if (((base_.bytes_[index] ^ address.bytes_[index]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

std::string client_address(const Request& request, const std::vector<AddressRange>& trusted_proxies)
{
    if (trusted_proxies.empty()) {
        return std::string(request.peer);
    }
    const auto trusted = [&](const IpAddress& address) {
        return std::ranges::any_of(trusted_proxies, [&](const AddressRange& range) {
            return range.contains(address);
        });
    };
    const auto peer = IpAddress::parse(request.peer);
    if (!peer || !trusted(*peer)) {
        return std::string(request.peer);
    }
    auto client = *peer;
    for (const auto& header : std::views::reverse(request.headers)) {
        if (!equal_ignoring_case(header.name, "x-forwarded-for")) {
            continue;
        }
        auto rest = header.value;
        while (!rest.empty()) {
            const auto comma = rest.rfind(',');
            const auto element = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
            rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
            const auto address = IpAddress::parse(element);
            if (!address) {
                return client.to_string();
            }
            client = *address;
            if (!trusted(client)) {
                return client.to_string();
            }
        }
    }
    return client.to_string();
}

}  // namespace kit::http
