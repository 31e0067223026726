#include "modules/products/products.hpp"
#include "platform/db/database.hpp"
#include "platform/db/list_statements.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::products {

BOOST_DESCRIBE_STRUCT(Product, (), (id, name, description, price, created_at, updated_at))

namespace {

#define KIT_PRODUCT_COLUMNS "id, name, description, price, created_at, updated_at"

constexpr db::Query insert_product{
    "products.insert",
    "INSERT INTO products (name, description, price, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) "
    "RETURNING " KIT_PRODUCT_COLUMNS
};

constexpr db::Query find_product{
    .name = "products.find",
    .sql = "SELECT " KIT_PRODUCT_COLUMNS " FROM products WHERE id = $1",
    .brief = true
};

constexpr std::array<db::OrderColumn, 1> list_order{{{.name = "id", .unique = true}}};

db::ListStatements list_statements({
    .name = "products.list",
    .count = "products.count",
    .columns = KIT_PRODUCT_COLUMNS,
    .from = "products p",
    .alias = "p.",
    .order = list_order,
});

constexpr db::Query update_product{
    "products.update",
    "UPDATE products SET name = coalesce($2, name), description = coalesce($3, description), "
    "price = coalesce($4, price), updated_at = $5 WHERE id = $1 RETURNING " KIT_PRODUCT_COLUMNS
};

#undef KIT_PRODUCT_COLUMNS

constexpr db::Query delete_product{"products.delete", "DELETE FROM products WHERE id = $1"};

std::optional<Product> first(std::vector<Product> rows)
{
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

}  // namespace

Task<Product> Repository::insert(db::Session& session, const NewProduct& product, Timestamp now)
{
    auto rows = co_await session.query<Product>(
        insert_product, product.name, product.description, product.price, now
    );
    co_return std::move(rows.at(0));
}

Task<std::optional<Product>> Repository::find(db::Session& session, std::int64_t id)
{
    co_return first(co_await session.query<Product>(find_product, id));
}

Task<Page> Repository::page(db::Session& session, const Slice& slice, Total total)
{
    const db::Conditions all(session.engine());
    const auto listed =
        co_await list_statements.read(session, all, {.order = {}, .slice = slice, .total = total});
    Page page{.rows = db::map_rows<Product>(*listed.query, listed.rows), .total = listed.total};
    db::trim_to(page, slice);
    co_return page;
}

Task<std::optional<Product>> Repository::update(
    db::Session& session, std::int64_t id, const ProductChange& change, Timestamp now
)
{
    co_return first(co_await session.query<Product>(
        update_product, id, change.name, change.description, change.price, now
    ));
}

Task<bool> Repository::remove(db::Session& session, std::int64_t id)
{
    co_return co_await session.execute(delete_product, id) > 0;
}

}  // namespace kit::products
