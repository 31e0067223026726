#include "modules/products/products.hpp"
#include "platform/http/body.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"
#include "platform/json/paginated.hpp"

#include <array>

namespace kit::products {

BOOST_DESCRIBE_STRUCT(Product, (), (id, name, description, price, created_at, updated_at))
BOOST_DESCRIBE_STRUCT(NewProduct, (), (name, description, price))
BOOST_DESCRIBE_STRUCT(ProductChange, (), (name, description, price))

namespace {

constexpr http::Field name_field{
    .name = "name",
    .trimmed = true,
    .characters_min = name_characters_min,
    .characters_max = name_characters_max,
};
constexpr http::Field description_field{
    .name = "description", .trimmed = true, .characters_max = description_characters_max
};
constexpr http::Field price_field{.name = "price", .above = 0};

constexpr std::array new_product_fields{
    http::required(name_field), description_field, http::required(price_field)
};
constexpr std::array product_change_fields{name_field, description_field, price_field};

struct Deleted {
    bool deleted = true;
};
BOOST_DESCRIBE_STRUCT(Deleted, (), (deleted))

Service::Actor actor_of(const http::RequestContext& ctx)
{
    return {.user_id = ctx.principal.user_id, .origin = audit::origin_of(ctx)};
}

Result<std::int64_t> product_id(const http::RequestContext& ctx)
{
    const auto id = http::path_id(ctx, "id");
    if (!id) {
        return failure(Error::invalid("invalid product id"));
    }
    return *id;
}

constexpr http::ListParameters by_id;

Task<http::Reply> list(Service& service, const http::PageTokens& tokens, http::RequestContext& ctx)
{
    const auto wanted = TRY(http::read_list_request(ctx, tokens, by_id));
    const auto page = TRY(co_await service.list(wanted.paging.slice(), wanted.paging.total));
    auto response = http::ok_json(json::paginated(page, wanted.paging));
    const auto place_of = [](const Product& product) { return Place{.value = {}, .id = product.id}; };
    http::set_links(response, wanted.links(neighbours_of(wanted.paging, page, place_of)));
    co_return response;
}

Task<http::Reply> get(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(product_id(ctx));
    co_return http::ok(TRY(co_await service.find(id)));
}

Task<http::Reply> create(Service& service, http::RequestContext& ctx)
{
    auto product = TRY(ctx.json<NewProduct>());
    co_return http::created(TRY(co_await service.create(std::move(product), actor_of(ctx))));
}

Task<http::Reply> update(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(product_id(ctx));
    auto change = TRY(ctx.json<ProductChange>());
    co_return http::ok(TRY(co_await service.update(id, std::move(change), actor_of(ctx))));
}

Task<http::Reply> remove(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(product_id(ctx));
    const auto removed = co_await service.remove(id, actor_of(ctx));
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return http::ok(Deleted());
}

}  // namespace

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens)
{
    using namespace http;
    const Guard read = permission("products:read");
    const Guard write = permission("products:write");
    static constexpr Refusal not_found{404, "product not found"};
    std::vector<Route> rows{
        {Method::get,
         "/api/v1/products",
         {authenticated, read},
         http::bind(list, service, tokens),
         {.summary = "List products, the newest first",
          .ok = data<json::ListOf<Product>>,
          .query = paging_parameters()}},
        {Method::post,
         "/api/v1/products",
         {authenticated, write},
         http::bind(create, service),
         {.summary = "Create a product",
          .success = 201,
          .ok = data<Product>,
          .body = body<NewProduct>(new_product_fields)}},
        {Method::get,
         "/api/v1/products/{id}",
         {authenticated, read},
         http::bind(get, service),
         {.summary = "One product", .ok = data<Product>, .refusals = {not_found}}},
        {Method::put,
         "/api/v1/products/{id}",
         {authenticated, write},
         http::bind(update, service),
         {.summary = "Change a product; what is absent stays as it is",
          .ok = data<Product>,
          .body = body<ProductChange>(product_change_fields),
          .refusals = {not_found}}},
        {Method::del,
         "/api/v1/products/{id}",
         {authenticated, permission("products:delete")},
         http::bind(remove, service),
         {.summary = "Delete a product", .ok = data<Deleted>, .refusals = {not_found}}},
    };
    // The collection answers with and without a slash at its end: the contract's one exception.
    for (std::size_t collection = 0; collection < 2; ++collection) {
        rows.push_back(rows[collection]);
        rows.back().pattern = "/api/v1/products/";
    }
    return rows;
}

}  // namespace kit::products
