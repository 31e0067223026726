#include "modules/keys/keys.hpp"
#include "platform/core/deadline.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/jwt.hpp"
#include "platform/crypto/seal.hpp"
#include "platform/crypto/signed_token.hpp"
#include "platform/db/database.hpp"
#include "platform/db/lock.hpp"
#include "platform/telemetry/logger.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace kit::keys {

namespace {

constexpr std::string_view channel = "signing_keys";  // of the messages that the database's trigger sends
constexpr std::size_t kid_bytes = 12;
constexpr std::chrono::milliseconds order_step{1};  // between two keys that are made at once

constexpr audit::Kind made{"auth.signing_key.create", "create"};

Timestamp verifies_until(const Row& next, std::chrono::milliseconds after)
{
    return next.signs_from + after;
}

}  // namespace

// What a node knows. Immutable.
struct Service::Ring {
    std::vector<Row> rows;  // in the order in which they sign
    std::vector<jwt::NamedKey> keys;
    std::string published;
};

// Tokens whose signature was found good. Each is shown many times while it lives, and a look in here costs a
// hash, as much as HS256 does, where checking the signature costs fifty of them. Newer ones push out older
// ones; what is known by its whole digest cannot be forged.
class Service::Seen {
public:
    bool contains(const Digest& digest) const
    {
        const auto& shard = shards_[shard_of(digest)];
        const std::lock_guard lock(shard.mutex);
        return shard.slots[slot_of(digest)] == digest;
    }

    void add(const Digest& digest)
    {
        auto& shard = shards_[shard_of(digest)];
        const std::lock_guard lock(shard.mutex);
        shard.slots[slot_of(digest)] = digest;
    }

private:
    static constexpr std::size_t shard_count = 16;
    static constexpr std::size_t shard_slots = 256;

    struct Shard {
        mutable std::mutex mutex;
        std::array<Digest, shard_slots> slots{};
    };

    static std::size_t shard_of(const Digest& digest)
    {
        return std::to_integer<std::size_t>(digest[0]) % shard_count;
    }

    static std::size_t slot_of(const Digest& digest)
    {
        return std::to_integer<std::size_t>(digest[1]) % shard_slots;
    }

    std::array<Shard, shard_count> shards_;
};

std::string_view to_string(State state)
{
    switch (state) {
        case State::upcoming:
            return "upcoming";
        case State::signing:
            return "signing";
        case State::retired:
            return "retired";
    }
    return {};
}

Service::Service(const Deps& deps, Settings settings)
    : deps_(deps),
      settings_(std::move(settings)),
      sealer_(std::make_unique<const Sealer>(settings_.secret, "everything-backend signing keys")),
      seen_(std::make_unique<Seen>()),
      ring_(std::make_shared<const Ring>(Ring{.rows = {}, .keys = {}, .published = R"({"keys":[]})"}))
{
}

Service::~Service() = default;

std::shared_ptr<const Service::Ring> Service::ring() const
{
    const std::lock_guard lock(mutex_);
    return ring_;
}

bool Service::can_open(const Row& row) const
{
    return sealer_->open(row.sealed_private_key, row.kid).has_value();
}

// A private half that does not open was sealed with another secret: such a key verifies all the same.
std::shared_ptr<const Service::Ring> Service::make_ring(std::vector<Row> rows) const
{
    auto ring = std::make_shared<Ring>();
    ring->published = R"({"keys":[)";
    for (const auto& row : rows) {
        const auto algorithm = parse_signature_algorithm(row.algorithm);
        if (!algorithm) {
            throw std::runtime_error("a signing key has an unknown algorithm");
        }
        const auto opened = sealer_->open(row.sealed_private_key, row.kid);
        auto key = opened
                       ? SignatureKey::from_private(*algorithm, *opened)
                       : SignatureKey::from_public(*algorithm, base64url_decode(row.public_key).value_or(""));
        if (!key) {
            throw std::runtime_error("a signing key is malformed");
        }
        if (!opened) {
            deps_.logger.error(
                "signing key not opened", {{"kid", row.kid}, {"setting", "JWT_ACCESS_SECRET"}}
            );
        }
        ring->keys.emplace_back(row.kid, std::move(*key));
        ring->published += ring->keys.size() == 1 ? "" : ",";
        ring->published += ring->keys.back().jwk();
    }
    ring->published += "]}";
    ring->rows = std::move(rows);
    return ring;
}

Task<void> Service::learn()
{
    auto rows = co_await Repository::list(deps_.database);
    const auto known = ring();
    if (std::ranges::equal(rows, known->rows, {}, &Row::kid, &Row::kid)) {
        co_return;
    }
    auto next = make_ring(std::move(rows));
    const std::lock_guard lock(mutex_);
    ring_ = std::move(next);
}

// When a key that is made now would sign; nothing where none is to be made. Nobody can have kept a set
// without the first key: there was none.
std::optional<Timestamp> Service::next_start(const std::vector<Row>& rows, Occasion occasion) const
{
    const auto now = deps_.clock.now();
    const auto lead = settings_.jwks_cache + propagation;
    const bool any_signs =
        std::ranges::any_of(rows, [&](const Row& row) { return row.signs_from <= now && can_open(row); });
    if (!any_signs) {
        return now;
    }
    const auto& last = rows.back();
    const bool due = occasion == Occasion::start ? last.algorithm != to_string(settings_.algorithm)
                                                 : last.signs_from + settings_.rotation <= now + lead;
    if (!due && occasion != Occasion::command) {
        return std::nullopt;
    }
    return std::max<Timestamp>(now + lead, last.signs_from + order_step);
}

// One node makes it: the others find it made.
struct Service::Making {
    const Service& service;
    Occasion occasion;
    const audit::Origin& origin;
    std::optional<audit::Entry>& entry;

    std::string_view reason(const std::vector<Row>& rows) const
    {
        if (rows.empty()) {
            return "first_key";
        }
        switch (occasion) {
            case Occasion::start:
                return "settings_changed";
            case Occasion::schedule:
                return "scheduled";
            case Occasion::command:
                return "commanded";
        }
        return {};
    }

    Task<std::optional<Row>> operator()(db::Transaction& transaction) const
    {
        co_await db::lock(transaction, db::LockKey::signing_keys);
        const auto rows = co_await Repository::list(transaction);
        const auto start = service.next_start(rows, occasion);
        if (!start) {
            co_return std::nullopt;
        }
        auto& random = service.deps_.random;
        const auto key = SignatureKey::make(service.settings_.algorithm, random);
        Row row{
            .kid = random.token(kid_bytes),
            .algorithm = std::string(to_string(key.algorithm())),
            .public_key = base64url_encode(key.public_bytes()),
            .sealed_private_key = {},
            .created_at = service.deps_.clock.now(),
            .signs_from = *start,
        };
        row.sealed_private_key = service.sealer_->seal(key.private_bytes(), row.kid, random);
        co_await Repository::insert(transaction, row);
        entry = service.deps_.audit.entry(
            {.kind = made,
             .outcome = audit::outcome::success,
             .reason = reason(rows),
             .target_type = "signing_key",
             .target_id = row.kid},
            origin
        );
        co_await audit::Repository::insert(transaction, *entry);
        co_return row;
    }
};

Task<std::optional<Row>> Service::make(Occasion occasion, audit::Origin origin)
{
    std::optional<audit::Entry> entry;
    const Making making{.service = *this, .occasion = occasion, .origin = origin, .entry = entry};
    auto row = co_await deps_.database.transaction([&making](db::Transaction& transaction) {
        return making(transaction);
    });
    if (row) {
        deps_.audit.announce(*entry);
        co_await learn();
    }
    co_return row;
}

Task<void> Service::prepare()
{
    co_await learn();
    if (next_start(ring()->rows, Occasion::start)) {
        co_await make(Occasion::start, {});
        co_await learn();  // another node may have been faster
    }
}

Task<void> Service::keep()
{
    const auto known = ring();
    const auto now = deps_.clock.now();
    for (std::size_t index = 1; index < known->rows.size(); ++index) {
        if (verifies_until(known->rows[index], kept_after_use) < now) {
            co_await Repository::remove(deps_.database, known->rows[index - 1].kid);
        }
    }
    if (!known->rows.empty() && next_start(known->rows, Occasion::schedule)) {
        co_await make(Occasion::schedule, {});
    }
}

Task<void> Service::follow()
{
    while (true) {
        auto pause = poll;
        try {
            co_await learn();
            co_await keep();
        } catch (const Unavailable&) {
            pause = retry;
        }
        try {
            co_await with_deadline(deps_.clock, deps_.clock.steady_now() + pause, heard_.wait());
        } catch (const DeadlineExceeded&) {
            continue;  // nobody called: it is time to look
        }
    }
}

Task<void> Service::hear()
{
    co_await deps_.database.listen(std::string(channel), [this](std::string_view) { heard_.ring(); });
}

Task<Listed> Service::rotate(audit::Origin origin)
{
    const auto row = co_await make(Occasion::command, std::move(origin));
    co_return Listed{
        .kid = row.value().kid,
        .algorithm = row->algorithm,
        .state = row->signs_from > deps_.clock.now() ? State::upcoming : State::signing,
        .created_at = row->created_at,
        .signs_from = row->signs_from,
        .verifies_until = std::nullopt,
    };
}

std::vector<Listed> Service::list() const
{
    const auto known = ring();
    const auto now = deps_.clock.now();
    std::vector<Listed> listed;
    for (std::size_t index = 0; index < known->rows.size(); ++index) {
        const auto& row = known->rows[index];
        const auto* next = index + 1 < known->rows.size() ? &known->rows[index + 1] : nullptr;
        auto state = row.signs_from <= now ? State::signing : State::upcoming;
        std::optional<Timestamp> until;
        if (next != nullptr && next->signs_from <= now) {
            state = State::retired;
            until = verifies_until(*next, settings_.access_ttl);
        }
        listed.push_back(
            {.kid = row.kid,
             .algorithm = row.algorithm,
             .state = state,
             .created_at = row.created_at,
             .signs_from = row.signs_from,
             .verifies_until = until}
        );
    }
    return listed;
}

std::string Service::sign(std::string_view claims) const
{
    const auto known = ring();
    const auto now = deps_.clock.now();
    for (std::size_t index = known->rows.size(); index-- > 0;) {
        if (known->rows[index].signs_from <= now && known->keys[index].key().can_sign()) {
            return known->keys[index].sign(claims);
        }
    }
    throw Unavailable("no key can sign access tokens");
}

std::optional<std::string> Service::verify(std::string_view token) const
{
    if (token.size() > jwt::token_bytes_max) {
        return std::nullopt;
    }
    const auto known = ring();
    const auto key = std::ranges::find_if(known->keys, [token](const jwt::NamedKey& named) {
        return named.is_named_by(token);
    });
    if (key == known->keys.end()) {
        return std::nullopt;
    }
    const auto digest = sha256(token);
    if (seen_->contains(digest)) {
        return key->payload(token);
    }
    auto payload = key->verify(token);
    if (payload) {
        seen_->add(digest);
    }
    return payload;
}

Timestamp Service::older_tokens_until() const
{
    const auto known = ring();
    return known->rows.empty() ? never : known->rows.front().signs_from + settings_.access_ttl;
}

std::string Service::published() const
{
    return ring()->published;
}

std::chrono::seconds Service::jwks_cache() const
{
    return std::chrono::floor<std::chrono::seconds>(settings_.jwks_cache);
}

}  // namespace kit::keys
