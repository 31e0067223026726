#include "modules/avatars/avatars.hpp"
#include "platform/blob/blob.hpp"
#include "platform/core/encoding.hpp"
#include "platform/core/fail_point.hpp"
#include "platform/core/shielded.hpp"
#include "platform/db/database.hpp"
#include "platform/telemetry/logger.hpp"

namespace kit::avatars {

namespace {

constexpr audit::Kind uploaded_event{"avatar.upload", "upload"};
constexpr audit::Kind deleted_event{"avatar.delete", "delete"};

constexpr std::string_view doomed = "doomed";
constexpr std::string_view current = "current";

std::string folder_of(std::int64_t user_id)
{
    return "avatars/user-" + std::to_string(user_id) + '/';
}

audit::Event event(
    const audit::Kind& kind, std::string_view reason, const std::string& object_key, std::int64_t user_id
)
{
    return {
        .kind = kind,
        .outcome = audit::outcome::success,
        .reason = reason,
        .target_type = "avatar",
        .target_id = object_key,
        .actor = user_id,
        .extras = {{"object_key", object_key}}
    };
}

Error store_failed(std::string message)
{
    return Error(ErrorCode::unavailable, std::move(message)).with_retry_after(std::chrono::seconds(1));
}

blob::Object object_of(Image& image, std::string object_key, std::int64_t user_id, Timestamp now)
{
    const std::string type(content_type(image.type));
    return {
        .key = std::move(object_key),
        .content_type = type,
        .bytes = std::move(image.bytes),
        .metadata =
            {{"detected-content-type", type},
             {"user-id", std::to_string(user_id)},
             {"uploaded-at", to_rfc3339(std::chrono::floor<std::chrono::seconds>(now))}},
    };
}

}  // namespace

Task<Result<Uploaded>> Service::upload(Image image, Actor actor)
{
    return shielded(upload_here(std::move(image), std::move(actor)));
}

Task<Result<Uploaded>> Service::upload_here(Image image, Actor actor)
{
    const auto now = deps_.clock.now();
    const auto link = deps_.random.uuid_v4();
    auto key = folder_of(actor.user_id) + link + '.' + std::string(extension(image.type));
    Uploaded uploaded{.file_size = image.bytes.size(), .object_key = key, .uploaded_at = now};
    const Repository::NewRow row{
        .user_id = actor.user_id, .link = link, .object_key = key, .now = now, .due_at = now + upload_lease
    };
    if (!co_await operations_("avatar", "create", Repository::insert(deps_.database, row))) {
        co_return failure(Error::not_found("user not found"));
    }
    auto uploaded_now = event(uploaded_event, "avatar_uploaded", key, actor.user_id);
    uploaded_now.json_extras.emplace_back("file_size", std::to_string(uploaded.file_size));
    uploaded_now.extras.emplace_back(
        "content_type", truncate_characters(to_valid_utf8(image.declared_type), declared_type_characters_max)
    );
    const auto entry = deps_.audit.entry(uploaded_now, actor.origin);
    KIT_FAIL_POINT("avatar.noted");
    const bool stored = co_await put(object_of(image, key, actor.user_id, now));
    KIT_FAIL_POINT("avatar.stored");
    bool settled = false;
    cache::Epochs::Raised raised;
    if (stored) {
        settled = co_await deps_.database.transaction([&](db::Transaction& transaction) {
            return settle_in(
                transaction, actor.user_id, {.link = link, .object_key = key, .entry = entry}, raised
            );
        });
    }
    if (!settled) {
        co_await give_up(std::move(key));
        count("avatar_upload_storage_error");
        co_return failure(store_failed("failed to upload avatar"));
    }
    deps_.epochs.publish(raised);
    deps_.audit.announce(entry);
    uploaded.avatar_url = deps_.store.signed_url(key);
    count("avatar_upload_success");
    co_return uploaded;
}

// The user's row is locked first, always: uploads and removals of one user come one after another.
Task<bool> Service::settle_in(
    db::Transaction& transaction,
    std::int64_t user_id,
    const Settlement& settlement,
    cache::Epochs::Raised& raised
)
{
    const auto now = deps_.clock.now();
    const auto url = base_url_ + std::string(link_path) + std::string(settlement.link);
    if (!co_await users::Repository::update_avatar(transaction, user_id, url, now)) {
        co_return false;
    }
    co_await operations_("avatar", "replace", Repository::replace(transaction, user_id, now));
    if (!co_await operations_("avatar", "update", Repository::settle(transaction, settlement.object_key))) {
        throw Unavailable("avatar: stored too late");  // nothing of this transaction may stay
    }
    co_await audit::Repository::insert(transaction, settlement.entry);
    raised = co_await cache::Epochs::raise(transaction, {deps_.users.list_space()});
    co_return true;
}

// What was or may have been stored is nobody's picture. If even this fails, the row's lease ends by itself.
Task<void> Service::give_up(std::string object_key)
{
    try {
        co_await operations_(
            "avatar", "update", Repository::doom(deps_.database, object_key, deps_.clock.now())
        );
    } catch (const Unavailable& failed) {
        deps_.logger.warn("avatar's clean-up waits for its lease", {{"error", failed.what()}});
    }
}

Task<bool> Service::put(blob::Object object)
{
    try {
        co_await deps_.store.put(std::move(object));
        co_return true;
    } catch (const Unavailable& failed) {
        deps_.logger.warn("avatar not stored", {{"error", failed.what()}});
    }
    co_return false;
}

Task<bool> Service::remove_object(std::string object_key)
{
    try {
        co_await deps_.store.remove(std::move(object_key));
        co_return true;
    } catch (const Unavailable& failed) {
        deps_.logger.warn("avatar not removed", {{"error", failed.what()}});
    }
    co_return false;
}

Task<Result<void>> Service::remove(std::string object_key, Actor actor)
{
    return shielded(remove_here(std::move(object_key), std::move(actor)));
}

Task<Result<void>> Service::remove_here(std::string object_key, Actor actor)
{
    if (object_key.empty()) {
        count("avatar_delete_missing_key");
        co_return failure(Error::invalid("object_key is required"));
    }
    if (trim(object_key).empty()) {
        co_return Result<void>();
    }
    if (object_key.contains("..") || !object_key.starts_with(folder_of(actor.user_id))) {
        count("avatar_delete_unauthorized");
        co_return failure(Error::forbidden("you do not have permission to delete this avatar"));
    }
    if (!blob::is_key(object_key)) {
        co_return Result<void>();  // no object has such a name
    }
    const auto entry =
        deps_.audit.entry(event(deleted_event, "avatar_deleted", object_key, actor.user_id), actor.origin);
    cache::Epochs::Raised raised;
    const bool found = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return remove_in(
            transaction, actor.user_id, {.link = {}, .object_key = object_key, .entry = entry}, raised
        );
    });
    deps_.epochs.publish(raised);
    if (found) {
        deps_.audit.announce(entry);
    }
    if (!co_await remove_object(object_key)) {
        count("avatar_delete_storage_error");
        co_return failure(store_failed("failed to delete avatar"));
    }
    co_await operations_("avatar", "delete", Repository::forget(deps_.database, object_key));
    count("avatar_delete_success");
    co_return Result<void>();
}

Task<bool> Service::remove_in(
    db::Transaction& transaction,
    std::int64_t user_id,
    const Settlement& settlement,
    cache::Epochs::Raised& raised
)
{
    const auto now = deps_.clock.now();
    raised = {};
    co_await users::Repository::lock(transaction, user_id);
    const auto row =
        co_await operations_("avatar", "find", Repository::find(transaction, user_id, settlement.object_key));
    if (!row || row->state == doomed) {
        co_return false;
    }
    co_await operations_(
        "avatar", "update", Repository::doom(transaction, settlement.object_key, now + removal_lease)
    );
    if (row->state == current) {
        co_await users::Repository::update_avatar(transaction, user_id, "", now);
        raised = co_await cache::Epochs::raise(transaction, {deps_.users.list_space()});
    }
    co_await audit::Repository::insert(transaction, settlement.entry);
    co_return true;
}

Task<Result<std::string>> Service::address(std::string link)
{
    const auto key = co_await operations_("avatar", "find", Repository::find_by_link(deps_.database, link));
    if (!key) {
        co_return failure(Error::not_found("avatar not found"));
    }
    co_return deps_.store.signed_url(*key);
}

}  // namespace kit::avatars
