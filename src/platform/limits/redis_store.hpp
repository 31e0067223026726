// The limits' state in Redis, shared by all nodes.
#pragma once

#include "platform/core/task.hpp"
#include "platform/limits/quota.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kit::redis {
class Client;
}  // namespace kit::redis

namespace kit::limits {

// One limit that a request counts against.
struct Charge {
    Quota quota;
    std::string_view suffix;  // of its keys: "route:login"
    std::string_view client;  // "sub:7", "203.0.113.9"
};

class RedisStore {
public:
    // `prefix` stands before all keys, without a colon at its end.
    RedisStore(redis::Client& client, std::string prefix) : client_(client), prefix_(std::move(prefix)) {}

    // Counts in order and stops at the first refusal: as many verdicts as were counted. All charges of one
    // client go in one script call; those of another client have keys elsewhere on a cluster, and go in the
    // next. Throws RedisUnavailable.
    Task<std::vector<Verdict>> take(std::vector<Charge> charges, std::int64_t now);

    // "v1:rl:route:login:{203.0.113.9}": the braces keep one client's keys on one node of a cluster.
    std::string key(const Charge& charge) const;

private:
    redis::Client& client_;
    std::string prefix_;
};

}  // namespace kit::limits
