#include "modules/auth/auth.hpp"
#include "modules/auth/auth_mails_service.hpp"
#include "modules/auth/auth_record_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/password.hpp"
#include "platform/crypto/password_policy.hpp"
#include "platform/db/database.hpp"
#include "platform/mail/mail.hpp"
#include "platform/telemetry/span.hpp"

namespace kit::auth {

using telemetry::spanned;

std::optional<Error> normalise(Registration& registration)
{
    registration.email = normalise_email(registration.email);
    registration.name = normalise_name(registration.name);
    if (registration.email.empty()) {
        return Error::invalid("email is required");
    }
    if (!is_address(registration.email)) {
        return Error::invalid("invalid email");
    }
    if (registration.name.empty()) {
        return Error::invalid("name is required");
    }
    if (count_characters(registration.name) > name_characters_max) {
        return Error::invalid("name must be at most 255 characters");
    }
    if (!password_acceptable(registration.password)) {
        return weak_password();
    }
    return std::nullopt;
}

audit::Event refused(const Refusal& refusal, std::string_view error)
{
    audit::Event event{
        .kind = refusal.kind,
        .outcome = audit::outcome::failure,
        .reason = refusal.reason,
        .target_type = refusal.target_type,
        .target_id = refusal.user ? std::to_string(*refusal.user) : "unknown",
        .actor = refusal.user
    };
    if (!error.empty()) {
        event.extras.emplace_back("error", error);
    }
    return event;
}

Task<Result<Registered>> Service::register_account(
    Registration registration, sessions::Device device, audit::Origin origin, const Companion& companion
)
{
    co_return co_await on_record(
        deps_.audit,
        {registration_event, "service_error"},
        origin,
        try_register(std::move(registration), std::move(device), origin, companion)
    );
}

Task<Result<Registered>> Service::try_register(
    Registration registration,
    sessions::Device device,
    const audit::Origin& origin,
    const Companion& companion
)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    if (auto fault = normalise(registration)) {
        co_return failure(std::move(*fault));
    }
    const Account account{
        .email = std::move(registration.email),
        .name = std::move(registration.name),
        .password_hash =
            co_await spanned("password.hash", deps_.hasher.hash(std::move(registration.password))),
        .device = std::move(device),
    };
    std::optional<audit::Entry> entry;
    auto registered = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return create_account(transaction, account, origin, entry, companion);
    });
    if (registered) {
        deps_.rbac.publish(registered->raised);
        deps_.audit.announce(*entry);
    }
    co_return registered;
}

// `entry` is set where it succeeds.
Task<Result<Registered>> Service::create_account(
    db::Transaction& transaction,
    const Account& account,
    const audit::Origin& origin,
    std::optional<audit::Entry>& entry,
    const Companion& companion
)
{
    const auto now = deps_.clock.now();
    const auto id = co_await operations_(
        "user", "create", users::Repository::insert(transaction, {account.email, account.name, now})
    );
    if (!id) {
        co_return failure(address_taken());
    }
    const bool verified = !settings_.require_email_verification;
    co_await Repository::insert_credential(
        transaction,
        {.user_id = *id, .password_hash = account.password_hash, .email_verified = verified, .now = now}
    );
    // An account that nobody had to verify proves nothing about its address.
    auto raised = co_await deps_.rbac.assign_initial_roles(transaction, *id, account.email, false);
    auto user = co_await operations_("user", "find_by_id", users::Repository::find(transaction, *id));
    if (!user) {
        throw std::logic_error("a user inserted in this transaction is not there");
    }
    const auto event =
        verified ? audit::by_user(registration_event, *id, audit::outcome::success, "session_created")
                 : audit::by_user(registration_event, *id, audit::outcome::accepted, "verification_required");
    entry = deps_.audit.entry(event, origin);
    co_await audit::Repository::insert(transaction, *entry);
    Registered registered{.user = std::move(*user), .issued = std::nullopt, .raised = std::move(raised)};
    if (verified) {
        registered.issued = co_await deps_.sessions.sign_in_new(transaction, registered.user, account.device);
    }
    TRY(co_await companion(transaction, registered));
    co_return registered;
}

Task<Result<sessions::Issued>> Service::login(Credentials credentials, Visitor visitor, audit::Origin origin)
{
    co_return co_await on_record(
        deps_.audit, {login_event, "login_error"}, origin, try_login(std::move(credentials), visitor, origin)
    );
}

// A password that is replaced between its check and the session makes no session. It is checked again then:
// another sign-in may only have renewed its hash.
Task<Result<sessions::Issued>> Service::try_login(
    Credentials credentials, const Visitor& visitor, const audit::Origin& origin
)
{
    for (int attempt = 0; attempt < login_attempts_max; ++attempt) {
        auto proven = TRY(co_await check(credentials));
        const auto entry = deps_.audit.entry(
            audit::by_user(login_event, proven.user.id, audit::outcome::success, "credentials_valid"), origin
        );
        const auto notice = notice_of(visitor, proven.user);
        const sessions::Proof proof{
            .password_hash = proven.password_hash, .notice = notice ? &*notice : nullptr
        };
        auto issued = co_await deps_.sessions.sign_in(std::move(proven.user), visitor.device, entry, proof);
        if (issued) {
            deps_.audit.announce(entry);
            if (issued->noticed) {
                deps_.outbox.wake();
            }
            co_return issued;
        }
    }
    co_return failure(invalid_credentials());
}

std::optional<mail::Letter> Service::notice_of(const Visitor& visitor, const users::User& user) const
{
    if (!visitor.on_new_device) {
        return std::nullopt;
    }
    return letter_of(
        deps_.outbox,
        Mails(settings_.product)
            .new_device(
                {.to = user.email, .at = deps_.clock.now()},
                {.name = device_name(visitor.device.user_agent), .address = visitor.device.ip}
            )
    );
}

Task<Result<Service::Proven>> Service::check(Credentials credentials)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    const auto email = normalise_email(credentials.email);
    auto found = co_await operations_("user", "find_by_email", Repository::find_login(deps_.database, email));
    if (!found.credential || !found.user) {
        // As long as a real check takes, so that time does not tell which addresses have an account.
        co_await spanned("password.verify", deps_.hasher.verify_dummy(std::move(credentials.password)));
        co_return failure(invalid_credentials());
    }
    const bool right = co_await spanned(
        "password.verify", deps_.hasher.verify(credentials.password, found.credential->password_hash)
    );
    if (!right || found.user->status != users::active_status) {
        co_return failure(invalid_credentials());
    }
    if (settings_.require_email_verification && !found.credential->email_verified) {
        co_return failure({ErrorCode::email_unverified, "email verification required"});
    }
    Proven proven{
        .user = std::move(*found.user), .password_hash = std::move(found.credential->password_hash)
    };
    if (deps_.hasher.needs_rehash(proven.password_hash)) {
        co_await renew_hash(proven, std::move(credentials.password));
    }
    co_return proven;
}

// Unless the password was replaced meanwhile: an old one must not come back.
Task<void> Service::renew_hash(Proven& proven, std::string password)
{
    auto renewed = co_await spanned("password.hash", deps_.hasher.hash(std::move(password)));
    const bool replaced = co_await Repository::replace_hash(
        deps_.database,
        {.user_id = proven.user.id, .current = proven.password_hash, .next = renewed, .now = deps_.clock.now()
        }
    );
    if (replaced) {
        proven.password_hash = std::move(renewed);
    }
}

}  // namespace kit::auth
