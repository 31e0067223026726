#include "modules/products/products.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/database.hpp"

#include <type_traits>

namespace kit::products {

namespace {

constexpr telemetry::Instrument operation_events{
    .name = "product.operation.events",
    .description = "Operations on products.",
    .attributes = {"operation", "outcome"},
};

constexpr telemetry::Instrument operation_duration{
    .name = "product.operation.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Operations on products.",
    .attributes = {"operation", "outcome"},
    .bounds = telemetry::buckets::seconds,
};

constexpr std::string_view created_event = "product.create";
constexpr std::string_view updated_event = "product.update";
constexpr std::string_view deleted_event = "product.delete";

std::string_view outcome_of(ErrorCode code)
{
    switch (code) {
        case ErrorCode::invalid_input:
            return "bad_request";
        case ErrorCode::not_found:
            return "not_found";
        default:
            return "error";
    }
}

Error no_such_product()
{
    return Error::not_found("product not found");
}

std::optional<Error> check_name(std::string& name)
{
    name = std::string(trim(name));
    const auto characters = count_characters(name);
    if (characters < name_characters_min || characters > name_characters_max) {
        return Error::invalid("name must be between 3 and 120 characters");
    }
    return std::nullopt;
}

std::optional<Error> check_description(std::string& description)
{
    description = std::string(trim(description));
    if (count_characters(description) > description_characters_max) {
        return Error::invalid("description must be <= 500 characters");
    }
    return std::nullopt;
}

std::optional<Error> check_price(double price)
{
    return price > 0 ? std::nullopt : std::optional(Error::invalid("price must be greater than 0"));
}

// Trims the texts; the first fault in the contract's order.
std::optional<Error> check(NewProduct& product)
{
    if (auto fault = check_name(product.name)) {
        return fault;
    }
    if (auto fault = check_description(product.description)) {
        return fault;
    }
    return check_price(product.price);
}

std::optional<Error> check(ProductChange& change)
{
    if (auto fault = change.name ? check_name(*change.name) : std::nullopt) {
        return fault;
    }
    if (auto fault = change.description ? check_description(*change.description) : std::nullopt) {
        return fault;
    }
    if (auto fault = change.price ? check_price(*change.price) : std::nullopt) {
        return fault;
    }
    if (!change.name && !change.description && !change.price) {
        return Error::invalid("no updates provided");
    }
    return std::nullopt;
}

audit::Event event(
    const audit::Kind& kind, std::string_view reason, std::int64_t id, const Service::Actor& actor
)
{
    return {
        .kind = kind,
        .outcome = audit::outcome::success,
        .reason = reason,
        .target_type = "product",
        .target_id = std::to_string(id),
        .actor = actor.user_id
    };
}

}  // namespace

Service::Service(Deps deps)
    : deps_(deps),
      operations_(deps.metrics),
      events_(deps.metrics, operation_events),
      duration_(deps.metrics, operation_duration)
{
}

// Counts the call when it ends; an exception is an error, and passes.
template <class T>
Task<Result<T>> Service::measured(std::string_view operation, Task<Result<T>> call)
{
    struct Call {
        const Service& service;
        std::string_view operation;
        SteadyTime started = service.deps_.clock.steady_now();
        std::string_view outcome = "error";

        ~Call()
        {
            const telemetry::Attributes attributes{operation, outcome};
            service.events_.add(attributes);
            service.duration_.record(
                telemetry::seconds_between(started, service.deps_.clock.steady_now()), attributes
            );
        }
    };

    Call measured{.service = *this, .operation = operation};
    auto result = co_await std::move(call);
    measured.outcome = result ? "success" : outcome_of(result.error().code());
    co_return result;
}

Task<Result<Page>> Service::list(Slice slice, Total total)
{
    return measured("list", try_list(std::move(slice), total));
}

Task<Result<Product>> Service::find(std::int64_t id)
{
    return measured("get", try_find(id));
}

Task<Result<Product>> Service::create(NewProduct product, Actor actor)
{
    return measured("create", try_create(std::move(product), std::move(actor)));
}

Task<Result<Product>> Service::update(std::int64_t id, ProductChange change, Actor actor)
{
    return measured("update", try_update(id, std::move(change), std::move(actor)));
}

Task<Result<void>> Service::remove(std::int64_t id, Actor actor)
{
    return measured("delete", try_remove(id, std::move(actor)));
}

Task<Result<Page>> Service::try_list(Slice slice, Total total)
{
    co_return co_await operations_("product", "list_paged", Repository::page(deps_.database, slice, total));
}

Task<Result<Product>> Service::try_find(std::int64_t id)
{
    auto product = co_await operations_("product", "find_by_id", Repository::find(deps_.database, id));
    if (!product) {
        co_return failure(no_such_product());
    }
    co_return std::move(*product);
}

Task<Result<Product>> Service::try_create(NewProduct product, Actor actor)
{
    if (auto fault = check(product)) {
        co_return failure(std::move(*fault));
    }
    std::optional<audit::Entry> entry;
    auto created = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return create_in(transaction, product, actor, entry);
    });
    deps_.audit.announce(*entry);
    co_return created;
}

Task<Product> Service::create_in(
    db::Transaction& transaction,
    const NewProduct& product,
    const Actor& actor,
    std::optional<audit::Entry>& entry
)
{
    auto row = co_await operations_(
        "product", "create", Repository::insert(transaction, product, deps_.clock.now())
    );
    auto made = event({created_event, "create"}, "product_created", row.id, actor);
    made.extras.emplace_back("name", row.name);
    entry = deps_.audit.entry(made, actor.origin);
    co_await audit::Repository::insert(transaction, *entry);
    co_return row;
}

Task<Result<Product>> Service::try_update(std::int64_t id, ProductChange change, Actor actor)
{
    if (auto fault = check(change)) {
        co_return failure(std::move(*fault));
    }
    std::optional<audit::Entry> entry;
    auto updated = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return update_in(transaction, {.id = id, .change = change}, actor, entry);
    });
    if (!updated) {
        co_return failure(no_such_product());
    }
    deps_.audit.announce(*entry);
    co_return std::move(*updated);
}

Task<std::optional<Product>> Service::update_in(
    db::Transaction& transaction, Update update, const Actor& actor, std::optional<audit::Entry>& entry
)
{
    auto row = co_await operations_(
        "product", "update", Repository::update(transaction, update.id, update.change, deps_.clock.now())
    );
    if (row) {
        auto changed = event({updated_event, "update"}, "product_updated", update.id, actor);
        changed.extras.emplace_back("name", row->name);
        entry = deps_.audit.entry(changed, actor.origin);
        co_await audit::Repository::insert(transaction, *entry);
    }
    co_return row;
}

Task<Result<void>> Service::try_remove(std::int64_t id, Actor actor)
{
    const auto entry =
        deps_.audit.entry(event({deleted_event, "delete"}, "product_deleted", id, actor), actor.origin);
    const bool removed = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return remove_in(transaction, id, entry);
    });
    if (!removed) {
        co_return failure(no_such_product());
    }
    deps_.audit.announce(entry);
    co_return Result<void>();
}

Task<bool> Service::remove_in(db::Transaction& transaction, std::int64_t id, const audit::Entry& entry)
{
    const bool found = co_await operations_("product", "delete_by_id", Repository::remove(transaction, id));
    if (found) {
        co_await audit::Repository::insert(transaction, entry);
    }
    co_return found;
}

}  // namespace kit::products
