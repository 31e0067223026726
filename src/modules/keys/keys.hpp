// The keys that sign access tokens where JWT_SIGNING is EdDSA or ES256: whoever knows the public halves, from
// /.well-known/jwks.json, can check the tokens, and only this service can make them.
//
// A key is published as long as others may keep the set, and a little longer, before it signs; the one before
// it verifies until its last token has expired (docs/decisions/0028-signing-keys.md). Every node holds all of
// them in memory: no request asks the database.
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/core/bell.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit {
class Sealer;
enum class SignatureAlgorithm : std::uint8_t;
}  // namespace kit

namespace kit::db {
class Database;
class Session;
}  // namespace kit::db

namespace kit::http {
struct Route;
}  // namespace kit::http

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::keys {

// A key as it is stored.
struct Row {
    std::string kid;
    std::string algorithm;           // as a token's header names it
    std::string public_key;          // base64url
    std::string sealed_private_key;  // for the place that is the kid
    Timestamp created_at{};
    Timestamp signs_from{};
};

class Repository {
public:
    // In the order in which they sign.
    static Task<std::vector<Row>> list(db::Session& session);
    static Task<void> insert(db::Session& session, const Row& row);
    static Task<void> remove(db::Session& session, std::string_view kid);
};

struct Settings {
    SignatureAlgorithm algorithm;
    std::string secret;                    // encrypts the private halves
    std::chrono::milliseconds rotation;    // from a key's first use to the next one's
    std::chrono::milliseconds jwks_cache;  // how long others may keep the set
    std::chrono::milliseconds access_ttl;  // of the tokens
};

enum class State : std::uint8_t { upcoming, signing, retired };

std::string_view to_string(State state);

struct Listed {
    std::string kid;
    std::string algorithm;
    State state;
    Timestamp created_at;
    Timestamp signs_from;
    std::optional<Timestamp> verifies_until;  // of a retired one
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        audit::Service& audit;
    };

    Service(const Deps& deps, Settings settings);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    // Before the first request: learns the keys and makes what is missing, a first one or one of the
    // algorithm that is set now.
    Task<void> prepare();

    // Reads the keys.
    Task<void> learn();

    // Makes the next key if the last one's time is up, and deletes those that nobody needs any more.
    Task<void> keep();

    // Both, again and again until it is cancelled.
    Task<void> follow();

    // Learns of other nodes' keys at once, where the database can tell: until it is cancelled.
    Task<void> hear();

    // Makes the next key now. It signs once everybody can know it.
    Task<Listed> rotate(audit::Origin origin);

    // As far as learnt.
    std::vector<Listed> list() const;

    // The token over the claims, a JSON object. Throws Unavailable where no key can sign.
    std::string sign(std::string_view claims) const;

    // The payload of a token that one of the keys has signed.
    std::optional<std::string> verify(std::string_view token) const;

    // Until then tokens of the time before there were any keys may be alive.
    Timestamp older_tokens_until() const;

    // The published set, a JSON object; and how long it may be kept.
    std::string published() const;
    std::chrono::seconds jwks_cache() const;

    static constexpr std::chrono::seconds poll{5};
    static constexpr std::chrono::seconds retry{1};

    // From a key's making to its first use, beyond JWT_JWKS_CACHE: for every node to have learnt it, also by
    // polling, and for clocks that differ.
    static constexpr std::chrono::seconds propagation{30};

    // Tokens live at most an hour, whatever JWT_ACCESS_TTL was when they were signed.
    static constexpr std::chrono::minutes kept_after_use{65};

private:
    struct Ring;
    struct Making;
    class Seen;

    // Why a key is made.
    enum class Occasion : std::uint8_t { start, schedule, command };

    std::shared_ptr<const Ring> ring() const;
    std::shared_ptr<const Ring> make_ring(std::vector<Row> rows) const;
    std::optional<Timestamp> next_start(const std::vector<Row>& rows, Occasion occasion) const;
    bool can_open(const Row& row) const;
    Task<std::optional<Row>> make(Occasion occasion, audit::Origin origin);

    Deps deps_;
    Settings settings_;
    std::unique_ptr<const Sealer> sealer_;
    std::unique_ptr<Seen> seen_;
    mutable std::mutex mutex_;
    Bell heard_;                        // of a key that another node has made
    std::shared_ptr<const Ring> ring_;  // replaced as a whole, under the mutex
};

struct Routes {
    const Service* service;  // null: HS256, nothing is published
};

std::vector<http::Route> routes(Routes& handlers);

}  // namespace kit::keys
