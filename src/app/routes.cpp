#include "app/app.hpp"
#include "platform/db/open.hpp"

#include <iterator>

namespace kit::app {

std::vector<http::Route> route_table(const Services& services)
{
    std::vector<http::Route> table;
    const auto add = [&table](std::vector<http::Route> rows) {
        table.insert(table.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
    };
    add(health::routes(services.health));
    add(auth::oidc_routes(services.auth));
    add(auth::routes(services.auth));
    add(keys::routes(services.keys));
    add(users::routes(services.users, services.page_tokens));
    add(sessions::routes(services.sessions));
    add(flags::routes(services.flags));
    add(products::routes(services.products, services.page_tokens));
    add(rbac::routes(services.rbac, services.page_tokens));
    add(audit::routes(services.audit, services.page_tokens));
    add(avatars::routes(services.avatars));
    if (services.files != nullptr) {
        add(routes(*services.files));
    }
    if (services.pages != nullptr) {
        add(pages::routes(*services.pages));
    }
    add(routes(services.reference));
    if (services.mailbox != nullptr) {
        add(routes(*services.mailbox));
    }
    if (services.dev_idp != nullptr) {
        add(routes(*services.dev_idp));
    }
    return table;
}

std::vector<http::Subtree> guarded_subtrees()
{
    return {
        {"/api/v1/admin", {http::authenticated}},
        {"/api/v1/products", {http::authenticated}},
    };
}

namespace {

// A product that nobody asks anything of.
template <class Read>
auto with_product(Read read)
{
    SystemClock clock;
    SystemRandom random;
    telemetry::Logger logger({}, clock);
    telemetry::Registry metrics({});
    Workers workers(0);
    const auto database = db::open_database("sqlite::memory:", workers, clock, {});
    config::Config config;
    config.process.environment = "production";  // what every profile serves
    // The tokens' keys are made and never used: no handler is called.
    config.tokens.access_secret = config::Secret(random.token(32));
    config.tokens.refresh_secret = config::Secret(random.token(32));
    Product product(
        config, {.clock = clock, .random = random, .logger = logger, .metrics = metrics}, *database
    );
    auto result = read(product);
    database->close();
    return result;
}

}  // namespace

std::vector<http::Route> documented_routes()
{
    return with_product([](Product& product) {
        std::vector<http::Route> rows;
        for (const auto& endpoint : product.pipeline().router().endpoints()) {
            rows.push_back(endpoint.route);
        }
        return rows;
    });
}

std::string documented_api()
{
    return with_product([](Product& product) { return product.reference().document().body; });
}

}  // namespace kit::app
