#include "modules/auth/auth.hpp"
#include "modules/auth/auth_mails_service.hpp"
#include "modules/auth/auth_record_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/password.hpp"
#include "platform/crypto/password_policy.hpp"
#include "platform/db/database.hpp"
#include "platform/mail/mail.hpp"

namespace kit::auth {

// With what its transaction stores beside it.
struct Service::NewPassword {
    std::int64_t user_id;
    std::string hash;
    std::string_view reason;  // why the sessions end
    audit::Entry entry;
    std::optional<mail::Letter> notice;
};

Task<Result<void>> Service::request_reset(std::string email, audit::Origin origin, const AnswerCommit& commit)
{
    co_return co_await on_record(
        deps_.audit,
        {forgot_event, "service_error"},
        origin,
        try_request_reset(std::move(email), origin, commit)
    );
}

Task<Result<void>> Service::try_request_reset(
    std::string typed, const audit::Origin& origin, const AnswerCommit& commit
)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    auto email = normalise_email(typed);
    const auto event = accepted(forgot_event, "reset_requested");
    if (!is_address(email)) {
        deps_.audit.record(event, origin);  // nobody's, as the sender knows
        co_return Result<void>();
    }
    const auto entry = deps_.audit.entry(event, origin);
    TRY(co_await deps_.links.request_with(Purpose::password_reset, std::move(email), entry, commit));
    deps_.audit.announce(entry);
    co_return Result<void>();
}

Task<Result<void>> Service::reset_password(PasswordReset reset, audit::Origin origin)
{
    co_return co_await on_record(
        deps_.audit,
        {reset_event, "service_error", "password_reset_token"},
        origin,
        try_reset(std::move(reset), origin)
    );
}

// The token is looked at before the hashing, which a guess must not cost us, and used up after it.
Task<Result<void>> Service::try_reset(PasswordReset reset, const audit::Origin& origin)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    if (!password_acceptable(reset.new_password)) {
        co_return failure(weak_password());
    }
    const ShownToken token{
        .purpose = Purpose::password_reset, .hash = sha256_hex(trim(reset.token)), .now = deps_.clock.now()
    };
    const auto holder = co_await TokensRepository::find_holder(deps_.database, token);
    if (!holder) {
        co_return failure(invalid_token());
    }
    const NewPassword password{
        .user_id = holder->user_id,
        .hash = co_await deps_.hasher.hash(std::move(reset.new_password)),
        .reason = sessions::reason::password_reset,
        .entry = deps_.audit.entry(consumed(reset_event, "password_updated", "password_reset_token"), origin),
        .notice = letter_of(
            deps_.outbox,
            Mails(settings_.product).password_changed({.to = holder->email, .at = deps_.clock.now()})
        ),
    };
    const auto ended = TRY(co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return reset_in(transaction, token, password);
    }));
    announce(ended, password);
    co_return Result<void>();
}

Task<Result<sessions::Ended>> Service::reset_in(
    db::Transaction& transaction, const ShownToken& token, const NewPassword& password
)
{
    if (!co_await TokensRepository::set_hash(transaction, token, password.hash) ||
        !co_await TokensRepository::consume(transaction, token)) {
        co_return failure(invalid_token());
    }
    co_return co_await finish(transaction, password);
}

Task<Result<void>> Service::change_password(std::int64_t user_id, PasswordChange change, audit::Origin origin)
{
    co_return co_await on_record(
        deps_.audit,
        {change_event, "change_error", "user", user_id},
        origin,
        try_change(user_id, std::move(change), origin)
    );
}

Task<Result<void>> Service::try_change(
    std::int64_t user_id, PasswordChange change, const audit::Origin& origin
)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    if (!password_acceptable(change.new_password)) {
        co_return failure(weak_password());
    }
    const auto holder = co_await Repository::find_holder(deps_.database, user_id);
    if (!holder || !co_await deps_.hasher.verify(change.current_password, holder->password_hash)) {
        co_return failure(invalid_credentials());
    }
    if (change.new_password == change.current_password) {
        co_return failure(Error::invalid("new password must differ from current password"));
    }
    const NewPassword password{
        .user_id = user_id,
        .hash = co_await deps_.hasher.hash(std::move(change.new_password)),
        .reason = sessions::reason::password_change,
        .entry = deps_.audit.entry(
            audit::by_user(change_event, user_id, audit::outcome::success, "password_updated"), origin
        ),
        .notice = letter_of(
            deps_.outbox,
            Mails(settings_.product).password_changed({.to = holder->email, .at = deps_.clock.now()})
        ),
    };
    const auto ended = TRY(co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return change_in(transaction, holder->password_hash, password);
    }));
    announce(ended, password);
    co_return Result<void>();
}

Task<Result<sessions::Ended>> Service::change_in(
    db::Transaction& transaction, std::string_view current_hash, const NewPassword& password
)
{
    const bool replaced = co_await Repository::replace_hash(
        transaction,
        {.user_id = password.user_id, .current = current_hash, .next = password.hash, .now = deps_.clock.now()
        }
    );
    if (!replaced) {
        co_return failure(invalid_credentials());  // replaced by somebody else while we hashed
    }
    co_return co_await finish(transaction, password);
}

Task<sessions::Ended> Service::finish(db::Transaction& transaction, const NewPassword& password)
{
    auto ended = co_await deps_.sessions.end_all(transaction, password.user_id, password.reason);
    if (password.notice) {
        co_await mail::Outbox::store(transaction, *password.notice);
    }
    co_await audit::Repository::insert(transaction, password.entry);
    co_return ended;
}

void Service::announce(const sessions::Ended& ended, const NewPassword& password)
{
    deps_.sessions.announce(ended);
    deps_.audit.announce(password.entry);
    deps_.outbox.wake();
}

}  // namespace kit::auth
