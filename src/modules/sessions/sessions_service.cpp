#include "modules/keys/keys.hpp"
#include "modules/sessions/sessions.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/jwt.hpp"
#include "platform/db/database.hpp"
#include "platform/json/json.hpp"

#include <charconv>

namespace kit::sessions {

namespace {

// In the contract's order, then ours.
struct AccessClaims {
    std::string_view token_type;
    std::optional<std::vector<std::string>> roles;
    std::optional<std::vector<std::string>> permissions;
    std::string_view iss;
    std::string sub;
    std::vector<std::string> aud;
    std::int64_t exp;
    std::int64_t iat;
    std::string_view jti;
    std::string_view sid;
};

struct RefreshClaims {
    std::string_view token_type;
    std::string_view iss;
    std::string sub;
    std::vector<std::string> aud;
    std::int64_t exp;
    std::int64_t iat;
    std::string_view jti;
    std::string_view sid;
    std::int64_t gen;
};

BOOST_DESCRIBE_STRUCT(AccessClaims, (), (token_type, roles, permissions, iss, sub, aud, exp, iat, jti, sid))
BOOST_DESCRIBE_STRUCT(RefreshClaims, (), (token_type, iss, sub, aud, exp, iat, jti, sid, gen))

constexpr audit::Kind refreshed{"auth.refresh", "refresh"};

constexpr telemetry::Instrument purged_rows{
    .name = "session.purged",
    .unit = "{session}",
    .description = "Rows of long expired sessions that were deleted.",
};

constexpr std::array session_counts{0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0};

constexpr telemetry::Instrument revoked_per_request{
    .name = "session.revoked.count",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "{session}",
    .description = "Sessions that one request ended.",
    .attributes = {"action"},
    .bounds = session_counts,
};

std::int64_t unix_seconds(Timestamp time)
{
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::optional<std::int64_t> parse_user_id(std::string_view subject)
{
    std::int64_t id = 0;
    const auto read = std::from_chars(subject.data(), subject.data() + subject.size(), id);
    if (read.ec != std::errc() || read.ptr != subject.data() + subject.size() || id <= 0) {
        return std::nullopt;
    }
    return id;
}

template <class T>
std::optional<std::vector<T>> unless_empty(std::vector<T> values)
{
    if (values.empty()) {
        return std::nullopt;
    }
    return values;
}

// Whose session it is stays unsaid where the token was no good.
audit::Event refresh_refused(std::string_view reason)
{
    return {
        .kind = refreshed,
        .outcome = audit::outcome::failure,
        .reason = reason,
        .target_type = "session",
        .target_id = "unknown"
    };
}

Error invalid_refresh()
{
    return Error::unauthenticated("invalid refresh token");
}

Device shortened(const Device& device)
{
    return {
        .user_agent = std::string(
            truncate_characters(to_valid_utf8(device.user_agent), Device::user_agent_characters_max)
        ),
        .ip = std::string(truncate_characters(device.ip, Device::ip_characters_max)),
    };
}

// A CSRF token is 24 bytes: 4 of chance, 8 that stand for the session, 12 of a MAC over both. So one look
// tells whether we issued it, and to which session, without a database.
constexpr std::size_t csrf_bytes = 24;
constexpr std::size_t csrf_random_bytes = 4;
constexpr std::size_t csrf_session_bytes = 8;
constexpr std::size_t csrf_mac_bytes = csrf_bytes - csrf_random_bytes - csrf_session_bytes;

std::string session_tag(std::string_view session_id)
{
    const auto digest = sha256(session_id);
    return std::string(as_text(digest).substr(0, csrf_session_bytes));
}

}  // namespace

struct Service::Keys {
    explicit Keys(const TokenSettings& settings)
        : access_signer(settings.access_secret),
          refresh_signer(settings.refresh_secret),
          access_verifier(settings.access_secret, {settings.issuer, settings.audience, "access"}),
          refresh_verifier(settings.refresh_secret, {settings.issuer, settings.audience, "refresh"}),
          csrf(as_text(hmac_sha256(settings.refresh_secret, "everything-backend csrf")))
    {
    }

    jwt::Signer access_signer;
    jwt::Signer refresh_signer;
    jwt::Verifier access_verifier;
    jwt::Verifier refresh_verifier;
    HmacKey csrf;
};

Service::Service(Deps deps, TokenSettings settings, Lifetimes lifetimes, Watchers::Limits watchers)
    : deps_(deps),
      settings_(std::move(settings)),
      lifetimes_(lifetimes),
      keys_(std::make_unique<const Keys>(settings_)),
      operations_(deps.metrics),
      purged_(deps.metrics, purged_rows),
      revoked_count_(deps.metrics, revoked_per_request),
      watchers_(watchers)
{
}

Service::~Service() = default;

std::chrono::seconds Service::access_ttl() const
{
    return std::chrono::floor<std::chrono::seconds>(settings_.access_ttl);
}

std::chrono::seconds Service::refresh_ttl() const
{
    return std::chrono::floor<std::chrono::seconds>(settings_.refresh_ttl);
}

Generation Service::first_generation(std::int64_t user_id, const Device& device)
{
    const auto now = deps_.clock.now();
    Generation generation{
        .user_id = user_id,
        .family_id = deps_.random.uuid_v4(),
        .token_id = deps_.random.uuid_v4(),
        .generation = 0,
        .refresh_token_hash = {},
        .device = shortened(device),
        .now = now,
        .expires_at = now + settings_.refresh_ttl,
    };
    generation.refresh_token_hash = peppered_hash(refresh_token(generation), settings_.refresh_pepper);
    return generation;
}

// A function of the row alone, so that the grace can hand out the same token again.
std::string Service::refresh_token(const Generation& generation) const
{
    std::string claims;
    json::write(
        claims,
        RefreshClaims{
            .token_type = "refresh",
            .iss = settings_.issuer,
            .sub = std::to_string(generation.user_id),
            .aud = {settings_.audience},
            .exp = unix_seconds(generation.expires_at),
            .iat = unix_seconds(generation.now),
            .jti = generation.token_id,
            .sid = generation.family_id,
            .gen = generation.generation,
        }
    );
    return keys_->refresh_signer.sign(claims);
}

Issued Service::issue(users::User user, const Generation& generation)
{
    const auto now = deps_.clock.now();
    const auto expires_at = now + settings_.access_ttl;
    std::string claims;
    json::write(
        claims,
        AccessClaims{
            .token_type = "access",
            .roles = unless_empty(users::role_names(user)),
            .permissions = unless_empty(users::permission_names(user)),
            .iss = settings_.issuer,
            .sub = std::to_string(user.id),
            .aud = {settings_.audience},
            .exp = unix_seconds(expires_at),
            .iat = unix_seconds(now),
            .jti = generation.token_id,
            .sid = generation.family_id,
        }
    );
    return {
        .user = std::move(user),
        .access_token = deps_.keys != nullptr ? deps_.keys->sign(claims) : keys_->access_signer.sign(claims),
        .refresh_token = refresh_token(generation),
        .csrf_token = csrf_token(generation.family_id),
        .access_expires_at = expires_at,
    };
}

Task<Result<Issued>> Service::sign_in(
    users::User user, Device device, const audit::Entry& entry, const Proof& proof
)
{
    const auto session = first_generation(user.id, device);
    const Repository::Login login{.proof = proof, .used_before = user.last_login_at != never};
    Repository::Insertion inserted;
    try {
        inserted = co_await operations_(
            "session", "create", Repository::insert_at_login(deps_.database, session, entry, login)
        );
    } catch (const db::ConstraintViolation& refused) {
        if (refused.kind() != db::ConstraintViolation::Kind::check) {
            throw;
        }
    }
    if (!inserted.made) {
        co_return failure(Error::forbidden("user is not active or has another password"));
    }
    user.last_login_at = session.now;
    auto issued = issue(std::move(user), session);
    issued.noticed = inserted.noticed;
    co_return issued;
}

Task<Issued> Service::sign_in_new(db::Transaction& transaction, users::User user, Device device)
{
    const auto session = first_generation(user.id, device);
    co_await operations_("session", "create", Repository::insert(transaction, session));
    co_return issue(std::move(user), session);
}

AliveSince Service::alive_since(Timestamp now) const
{
    const auto cutoff = [now](std::chrono::milliseconds limit) {
        return limit.count() > 0 ? now - limit : never;
    };
    return {.created = cutoff(lifetimes_.absolute), .refreshed = cutoff(lifetimes_.idle)};
}

std::unexpected<Error> Service::refuse_refresh(std::string_view reason, const audit::Origin& origin)
{
    deps_.audit.record(refresh_refused(reason), origin);
    return failure(invalid_refresh());
}

Task<Result<Issued>> Service::refresh(
    std::string presented, Device device, audit::Origin origin, RefreshOutcome& outcome
)
{
    outcome = RefreshOutcome::invalid;
    if (presented.empty()) {
        deps_.audit.record(refresh_refused("missing_refresh_cookie"), origin);
        co_return failure(Error::unauthenticated("missing refresh token"));
    }
    const auto now = deps_.clock.now();
    const auto claims = keys_->refresh_verifier.verify(presented, now);
    if (!claims || claims->session.empty() || !claims->generation) {
        co_return refuse_refresh("invalid_refresh", origin);
    }
    const auto user_id = parse_user_id(claims->subject);
    if (!user_id) {
        co_return refuse_refresh("invalid_refresh", origin);
    }
    auto presented_hash = peppered_hash(presented, settings_.refresh_pepper);
    Generation next{
        .user_id = *user_id,
        .family_id = claims->session,
        .token_id = deps_.random.uuid_v4(),
        .generation = *claims->generation + 1,
        .refresh_token_hash = {},
        .device = shortened(device),
        .now = now,
        .expires_at = now + settings_.refresh_ttl,
    };
    next.refresh_token_hash = peppered_hash(refresh_token(next), settings_.refresh_pepper);
    const auto entry = deps_.audit.entry(
        audit::by_user(refreshed, *user_id, audit::outcome::success, "token_rotated"), origin
    );
    auto rotation = co_await operations_(
        "session",
        "rotate_session",
        Repository::rotate(deps_.database, next, presented_hash, alive_since(now), entry)
    );
    if (rotation.rotated && rotation.user) {
        outcome = RefreshOutcome::rotated;
        deps_.audit.announce(entry);
        co_return issue(std::move(*rotation.user), next);
    }
    --next.generation;
    co_return co_await refresh_replaced(
        {.generation = std::move(next), .hash = std::move(presented_hash), .user = std::move(rotation.user)},
        origin,
        outcome
    );
}

// The presented token is well signed but is not the row's current one: just replaced, stolen, or simply void.
Task<Result<Issued>> Service::refresh_replaced(
    Presented token, const audit::Origin& origin, RefreshOutcome& outcome
)
{
    const auto& presented = token.generation;
    const auto session = co_await operations_(
        "session", "find_by_family_id", Repository::find(deps_.database, presented.family_id)
    );
    const auto alive = alive_since(presented.now);
    const bool usable = session && session->user_id == presented.user_id && !session->revoked_at &&
                        session->expires_at > presented.now && session->created_at > alive.created &&
                        session->rotated_at > alive.refreshed;
    if (!usable) {
        co_return refuse_refresh("invalid_refresh", origin);
    }
    const bool just_replaced = session->previous_token_hash == token.hash;
    // Without a grace there is none, even for a request that came before the rotation and lost the race for
    // the row.
    const bool graceful =
        settings_.refresh_grace.count() > 0 && presented.now < session->rotated_at + settings_.refresh_grace;
    if (just_replaced && graceful) {
        if (!token.user || token.user->status != users::active_status) {
            co_return refuse_refresh("invalid_refresh", origin);
        }
        outcome = RefreshOutcome::replayed;
        const Generation current{
            .user_id = session->user_id,
            .family_id = session->family_id,
            .token_id = session->token_id,
            .generation = session->generation,
            .refresh_token_hash = session->refresh_token_hash,
            .device = {},
            .now = session->rotated_at,
            .expires_at = session->expires_at,
        };
        deps_.audit.record(
            audit::by_user(refreshed, session->user_id, audit::outcome::success, "token_reissued"), origin
        );
        co_return issue(std::move(*token.user), current);
    }
    // Whoever holds a token that was replaced long ago holds a copy.
    if (just_replaced || presented.generation < session->generation - 1) {
        outcome = RefreshOutcome::reuse_detected;
        co_await end_stolen(session->family_id, origin);
        co_return failure(invalid_refresh());
    }
    co_return refuse_refresh("invalid_refresh", origin);
}

Task<void> Service::end_stolen(std::string session_id, const audit::Origin& origin)
{
    const auto entry = deps_.audit.entry(refresh_refused("refresh_reuse_detected"), origin);
    const auto ended = co_await operations_(
        "session",
        "revoke_by_family_id",
        Repository::revoke(
            deps_.database, session_id, {.reason = reason::reuse_detected, .now = deps_.clock.now()}, entry
        )
    );
    deps_.audit.announce(entry);
    announce({.session_ids = ended, .reason = reason::reuse_detected});
}

// Where there are keys, tokens of the time before them count until they have expired.
std::expected<jwt::Claims, jwt::Failure> Service::access_claims(std::string_view token, jwt::Expiry expiry)
    const
{
    const auto now = deps_.clock.now();
    if (deps_.keys == nullptr) {
        return keys_->access_verifier.verify(token, now, expiry);
    }
    if (const auto payload = deps_.keys->verify(token)) {
        return keys_->access_verifier.check(*payload, now, expiry);
    }
    if (now < deps_.keys->older_tokens_until()) {
        return keys_->access_verifier.verify(token, now, expiry);
    }
    return std::unexpected(jwt::Failure::bad_signature);
}

std::optional<Identity> Service::authenticate(std::string_view access_token) const
{
    auto claims = access_claims(access_token, jwt::Expiry::enforced);
    if (!claims || claims->session.empty() || revoked_.contains(claims->session)) {
        return std::nullopt;
    }
    const auto user_id = parse_user_id(claims->subject);
    if (!user_id) {
        return std::nullopt;
    }
    return Identity{
        .user_id = *user_id, .session_id = std::move(claims->session), .token_id = std::move(claims->id)
    };
}

std::optional<std::string> Service::session_of_access(std::string_view access_token) const
{
    auto claims = access_claims(access_token, jwt::Expiry::ignored);
    return claims ? std::optional(std::move(claims->session)) : std::nullopt;
}

std::optional<std::string> Service::session_of_refresh(std::string_view refresh_token) const
{
    auto claims = keys_->refresh_verifier.verify(refresh_token, deps_.clock.now(), jwt::Expiry::ignored);
    return claims ? std::optional(std::move(claims->session)) : std::nullopt;
}

std::string Service::csrf_token(std::string_view session_id)
{
    std::string bytes(csrf_random_bytes, '\0');
    deps_.random.fill(std::as_writable_bytes(std::span(bytes)));
    bytes += session_tag(session_id);
    const auto mac = keys_->csrf.mac(bytes);
    bytes += as_text(mac).substr(0, csrf_mac_bytes);
    return base64url_encode(bytes);
}

bool Service::csrf_token_good(std::string_view token, std::span<const std::string> sessions) const
{
    const auto bytes = base64url_decode(token);
    if (!bytes || bytes->size() != csrf_bytes) {
        return false;
    }
    const auto signed_part = std::string_view(*bytes).substr(0, csrf_bytes - csrf_mac_bytes);
    const auto mac = keys_->csrf.mac(signed_part);
    if (!constant_time_equal(
            as_text(mac).substr(0, csrf_mac_bytes), std::string_view(*bytes).substr(signed_part.size())
        )) {
        return false;
    }
    const auto tag = signed_part.substr(csrf_random_bytes);
    return sessions.empty() || std::ranges::any_of(sessions, [tag](const std::string& session) {
               return session_tag(session) == tag;
           });
}

}  // namespace kit::sessions
