// Redis Cluster: which server has which key.
#pragma once

#include "platform/redis/redis.hpp"

#include <array>

namespace kit::redis {

inline constexpr std::uint16_t slot_count = 16'384;

// CRC-16/XMODEM of the key, or of what stands between its first '{' and the next '}' unless that is empty,
// modulo 16384.
std::uint16_t slot_of(std::string_view key);

class SlotMap {
public:
    // The reply to CLUSTER SLOTS. A host left out is the one that was asked. Nothing where it is no such
    // reply.
    static std::optional<SlotMap> parse(const Reply& reply, const std::string& asked_host);

    // Null where no server has the slot.
    const config::Endpoint* find(std::uint16_t slot) const;

    void assign(std::uint16_t slot, const config::Endpoint& endpoint);

    // Every server that has a slot.
    const std::vector<config::Endpoint>& endpoints() const { return endpoints_; }

private:
    static constexpr std::uint16_t nobody = 0xffff;

    std::uint16_t index_of(const config::Endpoint& endpoint);

    std::vector<config::Endpoint> endpoints_;
    std::vector<std::uint16_t> owners_ = std::vector<std::uint16_t>(slot_count, nobody);
};

}  // namespace kit::redis
