// A repeated request takes effect once: the rules of keys and fingerprints, and where they are kept.
//
// A key is held for a short lease while its request runs and for the TTL once it is answered. The holder's
// number fences it: whoever lost the key to another request can neither store an answer nor commit an effect
// with it (docs/decisions/0022-idempotency.md).
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/http/rendering.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace kit::db {
class Database;
class Transaction;
}  // namespace kit::db

namespace kit::redis {
class Client;
}  // namespace kit::redis

namespace kit::telemetry {
class Logger;
class Registry;
}  // namespace kit::telemetry

namespace kit::idempotency {

inline constexpr std::size_t key_bytes_max = 128;

// How long a repetition that came too early is told to wait.
inline constexpr std::chrono::seconds retry_after{1};

enum class KeyFault : std::uint8_t {
    missing,  // or blank
    invalid   // longer than 128 bytes, or given twice
};

// The request's key. The header's value may be bare or a quoted string (RFC 9651 section 3.3.3): `abc` and
// `"abc"` are one key.
std::expected<std::string, KeyFault> read_key(const http::Request& request);

// `sub:<id>` of a signed-in user, else `ip:<address>`, without a port.
std::string actor_of(const http::RequestContext& ctx);

// What must be the same for a request to be a repetition.
struct Subject {
    std::string_view scope;
    std::string_view method;
    std::string_view path;  // the real one, as received
    std::string_view actor;
    std::string_view body;
};

// The contract's: lower-case hexadecimal SHA-256 of the five parts, the body's hash among them.
std::string fingerprint(const Subject& subject);

// As it is kept. Bodies hold passwords, so a plain hash of one would let its reader try passwords at the
// speed of SHA-256: the key of this MAC is not in the store.
class Fingerprints {
public:
    explicit Fingerprints(std::string_view secret);

    std::string of(const Subject& subject) const;

private:
    HmacKey key_;
};

// One request's use of a key. Scope, actor and key together name it: two users with one key do not meet.
struct Attempt {
    std::string scope;
    std::string actor;
    std::string key_hash;  // lower-case hexadecimal SHA-256
    std::string fingerprint;
    std::string holder;  // unlike that of any other attempt
};

// Whether an answer is kept for repetitions. Those that say "later" or "not you" are not, nor failures of
// ours: the key is free again.
bool is_kept(int status);

struct Found {
    enum class State : std::uint8_t {
        begun,        // the key is this attempt's now
        in_progress,  // another one's, that still runs
        completed,    // `answer` is stored
        reused        // another request had this key
    };

    State state = State::begun;
    http::Rendered answer{};
};

struct Times {
    std::chrono::milliseconds lease{60'000};
    std::chrono::milliseconds ttl{std::chrono::hours(24)};
};

// Thread-safe. Throws as its database or Redis does.
class Store {
public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    // Takes the key for a lease unless it is taken.
    virtual Task<Found> begin(const Attempt& attempt) = 0;

    // Whether complete() can be part of the effect's transaction.
    virtual bool is_transactional() const = 0;

    // Keeps the answer for the TTL; false where the attempt has lost its key.
    virtual Task<bool> complete(const Attempt& attempt, http::Rendered answer) = 0;

    // The same in a transaction, of a transactional store only.
    virtual Task<bool> complete(
        db::Transaction& transaction, const Attempt& attempt, http::Rendered answer
    ) = 0;

    // Frees the key unless it is completed or another one's.
    virtual Task<void> release(const Attempt& attempt) = 0;
};

std::unique_ptr<Store> database_store(db::Database& database, Clock& clock, Times times);

// `prefix`: what all its keys begin with, "v1:idem:".
std::unique_ptr<Store> redis_store(redis::Client& client, std::string prefix, Times times);

// Deletes what is over from the database, whichever store is in use: rows of a former one go, too.
class Sweeper {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
    };

    struct Options {
        std::chrono::milliseconds interval{std::chrono::minutes(5)};
        std::int64_t batch_rows_max = 500;
    };

    Sweeper(Deps deps, Options options);
    ~Sweeper();

    // Batch after batch until none is left. Returns the number of rows.
    Task<std::int64_t> sweep();

    // Sweeps once each interval until it is cancelled; what fails is logged and tried again.
    Task<void> keep();

private:
    struct Instruments;

    Deps deps_;
    Options options_;
    std::unique_ptr<const Instruments> instruments_;
};

}  // namespace kit::idempotency
