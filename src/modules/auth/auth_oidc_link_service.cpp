// Whose account at a provider it is: docs/oidc.md, "Linking".
#include "modules/auth/auth.hpp"
#include "modules/auth/auth_mails_service.hpp"
#include "modules/auth/auth_oidc_parts_service.hpp"
#include "modules/auth/auth_oidc_repository.hpp"
#include "platform/db/database.hpp"

#include <stdexcept>

namespace kit::auth {

namespace {

constexpr audit::Kind linked_event{"auth.identity.link", "link"};
constexpr std::string_view created = "account_created";
constexpr std::string_view linked_to_proven = "linked";
constexpr std::string_view taken_over = "unproven_account_taken_over";

// Somebody has to be called something.
std::string name_or_local_part(const std::string& name, const std::string& email)
{
    return name.empty() ? email.substr(0, email.rfind('@')) : name;
}

// Another sign-in or registration of the same person was under way, and was first.
Error meanwhile()
{
    return Error::conflict("signed in elsewhere at the same time");
}

// What came from the provider follows it; what the user set himself stays; a blank overwrites nothing.
std::string followed(const std::string& own, const std::string& last, const std::string& next)
{
    return own == last && !next.empty() ? next : own;
}

const std::string& unless_blank(const std::string& next, const std::string& last)
{
    return next.empty() ? last : next;
}

}  // namespace

struct Oidc::Linking {
    const Party& party;
    const Person& person;
    const audit::Origin& caller;
    Timestamp now;
    const mail::Letter* letter;  // to the owner of an account that gets another way in

    OidcRepository::Key key() const { return {.provider = party.settings.name, .subject = person.subject}; }
};

Task<Result<Oidc::Linked>> Oidc::link(const Party& party, const Person& person, const audit::Origin& caller)
{
    const auto now = deps_.clock.now();
    const auto letter = letter_of(
        deps_.outbox,
        Mails(settings_.product).sign_in_linked({.to = person.email, .at = now}, party.settings.label)
    );
    const Linking linking{
        .party = party, .person = person, .caller = caller, .now = now, .letter = letter ? &*letter : nullptr
    };
    const auto attempt = [&](db::Transaction& transaction) { return link_in(transaction, linking); };
    auto outcome = co_await deps_.database.transaction(attempt);
    if (!outcome && outcome.error().code() == ErrorCode::conflict) {
        outcome = co_await deps_.database.transaction(attempt);  // finds what the other one has made
    }
    auto linked = TRY(std::move(outcome));
    for (const auto& raised : linked.raised) {
        deps_.rbac.publish(raised);
    }
    if (!linked.ended.session_ids.empty()) {
        deps_.sessions.announce(linked.ended);
    }
    if (linked.entry) {
        deps_.audit.announce(*linked.entry);
    }
    if (linked.told) {
        deps_.outbox.wake();
    }
    co_return linked;
}

Task<Result<Oidc::Linked>> Oidc::link_in(db::Transaction& transaction, const Linking& linking)
{
    Linked linked;
    const auto account = co_await OidcRepository::find(transaction, linking.key());
    std::int64_t user_id = 0;
    if (account) {
        user_id = account->user_id;
    } else {
        user_id = TRY(co_await attach(transaction, linking, linked));
    }
    auto user = co_await users::Repository::find(transaction, user_id);
    if (!user || user->status != users::active_status) {
        co_return refuse(linking.party, not_active());
    }
    linked.user = std::move(*user);
    co_await follow(transaction, linking, linked);
    cache::Epochs::Raised raised;
    if (co_await deps_.rbac.assign_bootstrap_admin(transaction, raised)) {
        linked.raised.push_back(std::move(raised));
        user = co_await users::Repository::find(transaction, user_id);
        linked.user = std::move(user.value());
    }
    co_return linked;
}

// The user with the verified address, or a new one, gets the account. unauthenticated (disabled); conflict:
// see meanwhile().
Task<Result<std::int64_t>> Oidc::attach(db::Transaction& transaction, const Linking& linking, Linked& linked)
{
    auto owner = co_await users::Repository::lock_status(transaction, linking.person.email);
    std::int64_t user_id = 0;
    if (owner && owner->status != users::active_status) {
        co_return refuse(linking.party, not_active());
    }
    if (owner) {
        user_id = owner->user_id;
        co_await adopt(transaction, linking, user_id, linked);
    } else {
        user_id = TRY(co_await create(transaction, linking, linked));
    }
    const auto& person = linking.person;
    const auto user = co_await users::Repository::find(transaction, user_id);
    const bool inserted = user && co_await OidcRepository::insert(
                                      transaction,
                                      linking.key(),
                                      {.user_id = user_id,
                                       .name = linked.how == created ? user->name : person.name,
                                       .avatar_url = person.picture},
                                      linking.now
                                  );
    if (!inserted) {
        co_return failure(meanwhile());
    }
    auto event = audit::by_user(linked_event, user_id, audit::outcome::success, linked.how);
    event.extras.emplace_back("provider", linking.party.settings.name);
    linked.entry = deps_.audit.entry(event, linking.caller);
    co_await audit::Repository::insert(transaction, *linked.entry);
    co_return user_id;
}

// conflict: see meanwhile().
Task<Result<std::int64_t>> Oidc::create(db::Transaction& transaction, const Linking& linking, Linked& linked)
{
    const auto& person = linking.person;
    const auto name = name_or_local_part(person.name, person.email);
    const auto id = co_await users::Repository::insert(transaction, {person.email, name, linking.now});
    if (!id) {
        co_return failure(meanwhile());
    }
    linked.how = created;
    if (!person.picture.empty()) {
        co_await OidcRepository::set_profile(
            transaction, *id, {.name = name, .avatar_url = person.picture}, linking.now
        );
    }
    linked.raised.push_back(co_await deps_.rbac.assign_initial_roles(transaction, *id, person.email, true));
    co_return *id;
}

// An account whose address nobody has proven may be somebody else's trap: whoever made it loses password and
// sessions, and what he called himself.
Task<void> Oidc::adopt(
    db::Transaction& transaction, const Linking& linking, std::int64_t user_id, Linked& linked
)
{
    const auto& person = linking.person;
    const bool proven =
        co_await OidcRepository::address_proven(transaction, user_id, settings_.unproven_addresses_count);
    const auto user = co_await users::Repository::find(transaction, user_id);
    if (!user) {
        throw std::logic_error("a user who is locked is not there");
    }
    OidcRepository::Profile profile{.name = user->name, .avatar_url = user->avatar_url};
    if (proven) {
        linked.how = linked_to_proven;
        profile.avatar_url = unless_blank(user->avatar_url, person.picture);
    } else {
        linked.how = taken_over;
        co_await OidcRepository::void_password(transaction, user_id, linking.now);
        linked.ended =
            co_await deps_.sessions.end_all(transaction, user_id, sessions::reason::account_taken_over);
        profile = {.name = name_or_local_part(person.name, person.email), .avatar_url = person.picture};
    }
    if (profile.name != user->name || profile.avatar_url != user->avatar_url) {
        co_await OidcRepository::set_profile(transaction, user_id, profile, linking.now);
        linked.raised.push_back(co_await cache::Epochs::raise(transaction, {deps_.users.list_space()}));
    }
    if (linking.letter != nullptr) {
        co_await mail::Outbox::store(transaction, *linking.letter);
        linked.told = true;
    }
}

Task<void> Oidc::follow(db::Transaction& transaction, const Linking& linking, Linked& linked)
{
    const auto& person = linking.person;
    auto& user = linked.user;
    const auto account = co_await OidcRepository::find(transaction, linking.key());
    if (!account) {
        throw std::logic_error("an account that was just linked is not there");
    }
    const OidcRepository::Profile next{
        .name = followed(user.name, account->name, person.name),
        .avatar_url = followed(user.avatar_url, account->avatar_url, person.picture)
    };
    if (next.name != user.name || next.avatar_url != user.avatar_url) {
        co_await OidcRepository::set_profile(transaction, user.id, next, linking.now);
        linked.raised.push_back(co_await cache::Epochs::raise(transaction, {deps_.users.list_space()}));
        user.name = next.name;
        user.avatar_url = next.avatar_url;
        user.updated_at = linking.now;
    }
    const OidcAccount said{
        .user_id = user.id,
        .name = unless_blank(person.name, account->name),
        .avatar_url = unless_blank(person.picture, account->avatar_url)
    };
    if (said.name != account->name || said.avatar_url != account->avatar_url) {
        co_await OidcRepository::update_profile(transaction, linking.key(), said, linking.now);
    }
}

std::optional<mail::Letter> new_device_letter(
    const mail::Outbox& outbox,
    const std::string& product,
    const std::string& email,
    const sessions::Device& device,
    Timestamp now
)
{
    return letter_of(
        outbox,
        Mails(product).new_device(
            {.to = email, .at = now}, {.name = device_name(device.user_agent), .address = device.ip}
        )
    );
}

}  // namespace kit::auth
