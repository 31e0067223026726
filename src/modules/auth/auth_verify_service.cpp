#include "modules/auth/auth.hpp"
#include "modules/auth/auth_record_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/db/database.hpp"

namespace kit::auth {

Task<Result<void>> Service::request_verification(std::string email, audit::Origin origin)
{
    co_return co_await on_record(
        deps_.audit,
        {verify_request_event, "service_error"},
        origin,
        try_request_verification(std::move(email), origin)
    );
}

Task<Result<void>> Service::try_request_verification(std::string typed, const audit::Origin& origin)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    auto email = normalise_email(typed);
    if (email.empty()) {
        co_return failure(Error::invalid("email is required"));
    }
    if (!is_address(email)) {
        co_return failure(Error::invalid("invalid email"));
    }
    // Whether or not one will be: the trail tells nobody either.
    const auto entry = deps_.audit.entry(accepted(verify_request_event, "verification_token_issued"), origin);
    co_await deps_.links.request(Purpose::email_verify, std::move(email), entry);
    deps_.audit.announce(entry);
    co_return Result<void>();
}

Task<Result<void>> Service::confirm_verification(std::string token, audit::Origin origin)
{
    co_return co_await on_record(
        deps_.audit,
        {verify_confirm_event, "service_error", "verification_token"},
        origin,
        try_confirm(std::move(token), origin)
    );
}

Task<Result<void>> Service::try_confirm(std::string typed, const audit::Origin& origin)
{
    if (!settings_.local_enabled) {
        co_return failure(not_enabled());
    }
    const ShownToken token{
        .purpose = Purpose::email_verify, .hash = sha256_hex(trim(typed)), .now = deps_.clock.now()
    };
    const auto entry =
        deps_.audit.entry(consumed(verify_confirm_event, "email_verified", "verification_token"), origin);
    cache::Epochs::Raised raised;
    auto confirmed = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return confirm_in(transaction, token, entry, raised);
    });
    if (confirmed) {
        deps_.rbac.publish(raised);
        deps_.audit.announce(entry);
    }
    co_return confirmed;
}

Task<Result<void>> Service::confirm_in(
    db::Transaction& transaction,
    const ShownToken& token,
    const audit::Entry& entry,
    cache::Epochs::Raised& raised
)
{
    if (!co_await TokensRepository::verify_email(transaction, token) ||
        !co_await TokensRepository::consume(transaction, token)) {
        co_return failure(invalid_token());
    }
    co_await deps_.rbac.assign_bootstrap_admin(transaction, raised);
    co_await audit::Repository::insert(transaction, entry);
    co_return Result<void>();
}

}  // namespace kit::auth
