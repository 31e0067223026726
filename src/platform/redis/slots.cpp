#include "platform/redis/slots.hpp"

#include <algorithm>

namespace kit::redis {

namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table()
{
    constexpr unsigned polynomial = 0x1021;
    std::array<std::uint16_t, 256> table{};
    for (unsigned byte = 0; byte < table.size(); ++byte) {
        unsigned crc = byte << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ polynomial : crc << 1U;
        }
        table[byte] = static_cast<std::uint16_t>(crc);
    }
    return table;
}

constexpr auto crc_table = make_crc_table();

std::uint16_t crc16(std::string_view bytes)
{
    unsigned crc = 0;
    for (const char byte : bytes) {
        crc = (crc << 8U) ^ crc_table[((crc >> 8U) ^ static_cast<unsigned char>(byte)) & 0xffU];
        crc &= 0xffffU;
    }
    return static_cast<std::uint16_t>(crc);
}

bool is_slot(const Reply& reply)
{
    return reply.kind == Reply::Kind::integer && reply.integer >= 0 && reply.integer < slot_count;
}

std::optional<config::Endpoint> parse_server(const Reply& server, const std::string& asked_host)
{
    constexpr std::int64_t port_max = 65'535;
    if (server.kind != Reply::Kind::array || server.items.size() < 2 ||
        server.items[1].kind != Reply::Kind::integer || server.items[1].integer <= 0 ||
        server.items[1].integer > port_max) {
        return std::nullopt;
    }
    const auto& host = server.items[0].text;
    return config::Endpoint{
        .host = host.empty() ? asked_host : host,
        .port = static_cast<std::uint16_t>(server.items[1].integer),
    };
}

}  // namespace

std::uint16_t slot_of(std::string_view key)
{
    const auto open = key.find('{');
    if (open != std::string_view::npos) {
        const auto close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    return crc16(key) % slot_count;
}

std::optional<SlotMap> SlotMap::parse(const Reply& reply, const std::string& asked_host)
{
    if (reply.kind != Reply::Kind::array) {
        return std::nullopt;
    }
    SlotMap map;
    for (const auto& range : reply.items) {
        if (range.kind != Reply::Kind::array || range.items.size() < 3 || !is_slot(range.items[0]) ||
            !is_slot(range.items[1])) {
            return std::nullopt;
        }
        const auto master = parse_server(range.items[2], asked_host);
        if (!master) {
            return std::nullopt;
        }
        if (master->host == "?") {
            continue;  // a server that does not know its own name yet
        }
        const auto owner = map.index_of(*master);
        for (auto slot = range.items[0].integer; slot <= range.items[1].integer; ++slot) {
            map.owners_[static_cast<std::size_t>(slot)] = owner;
        }
    }
    return map;
}

const config::Endpoint* SlotMap::find(std::uint16_t slot) const
{
    const auto owner = owners_[slot];
    return owner == nobody ? nullptr : &endpoints_[owner];
}

void SlotMap::assign(std::uint16_t slot, const config::Endpoint& endpoint)
{
    owners_[slot] = index_of(endpoint);
}

std::uint16_t SlotMap::index_of(const config::Endpoint& endpoint)
{
    const auto found = std::ranges::find(endpoints_, endpoint);
    if (found == endpoints_.end()) {
        endpoints_.push_back(endpoint);
        return static_cast<std::uint16_t>(endpoints_.size() - 1);
    }
    return static_cast<std::uint16_t>(found - endpoints_.begin());
}

}  // namespace kit::redis
