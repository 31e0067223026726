#include "modules/auth/auth_record_service.hpp"
#include "platform/crypto/password.hpp"
#include "platform/db/database.hpp"

namespace kit::auth {

struct Accounts::Made {
    std::int64_t user_id;
    audit::Entry entry;
    cache::Epochs::Raised raised;
};

Task<Result<std::int64_t>> Accounts::create(Registration registration, audit::Origin origin)
{
    if (auto fault = normalise(registration)) {
        co_return failure(std::move(*fault));
    }
    const auto password_hash = co_await deps_.hasher.hash(std::move(registration.password));
    const auto made = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return create_in(transaction, registration, password_hash, origin);
    });
    if (!made) {
        co_return failure(made.error());
    }
    deps_.rbac.publish(made->raised);
    deps_.audit.announce(made->entry);
    co_return made->user_id;
}

Task<Result<Accounts::Made>> Accounts::create_in(
    db::Transaction& transaction,
    const Registration& registration,
    std::string_view password_hash,
    const audit::Origin& origin
)
{
    const auto now = deps_.clock.now();
    const auto id =
        co_await users::Repository::insert(transaction, {registration.email, registration.name, now});
    if (!id) {
        co_return failure(address_taken());
    }
    co_await Repository::insert_credential(
        transaction, {.user_id = *id, .password_hash = password_hash, .email_verified = true, .now = now}
    );
    auto raised = co_await deps_.rbac.assign_initial_roles(transaction, *id, registration.email, true);
    auto entry = deps_.audit.entry(
        {.kind = {"admin.user.create", "create"},
         .outcome = audit::outcome::success,
         .reason = "user_created",
         .target_type = "user",
         .target_id = std::to_string(*id)},
        origin
    );
    co_await audit::Repository::insert(transaction, entry);
    co_return Made{.user_id = *id, .entry = std::move(entry), .raised = std::move(raised)};
}

}  // namespace kit::auth
