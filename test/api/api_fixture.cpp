#include "api_fixture.hpp"

#include "app/protection.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/migrations.hpp"
#include "platform/db/open.hpp"
#include "support/postgres_cluster.hpp"
#include "support/redis_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <future>
#include <thread>

namespace kit::test {

namespace {

http::Method parse_method(std::string_view text)
{
    for (const auto method :
         {http::Method::get,
          http::Method::head,
          http::Method::post,
          http::Method::put,
          http::Method::patch,
          http::Method::del,
          http::Method::options}) {
        if (http::to_string(method) == text) {
            return method;
        }
    }
    return http::Method::other;
}

ApiResponse parse_response(std::string_view text)
{
    ApiResponse response;
    const auto head_end = text.find("\r\n\r\n");
    auto head = text.substr(0, head_end);
    response.body = std::string(text.substr(head_end + 4));
    response.status = std::atoi(std::string(head.substr(9, 3)).c_str());
    head.remove_prefix(std::min(head.find("\r\n"), head.size()));
    while (head.size() > 2) {
        head.remove_prefix(2);
        const auto end = std::min(head.find("\r\n"), head.size());
        const auto line = head.substr(0, end);
        const auto colon = line.find(':');
        response.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
        head.remove_prefix(end);
    }
    return response;
}

// Its views are of the request's texts.
http::Request parse_request(const ApiRequest& request)
{
    http::Request incoming;
    incoming.method = parse_method(request.method);
    incoming.method_text = request.method;
    incoming.target = request.path;
    incoming.path = incoming.target.substr(0, incoming.target.find('?'));
    incoming.query = incoming.path.size() == incoming.target.size()
                         ? ""
                         : incoming.target.substr(incoming.path.size() + 1);
    for (const auto& [name, value] : request.headers) {
        incoming.headers.push_back({name, value});
    }
    incoming.body = request.body;
    incoming.peer = request.peer;
    return incoming;
}

config::Config test_config()
{
    config::Config config;
    config.tokens.access_secret = config::Secret("test-access-secret-0123456789abcdef");
    config.tokens.refresh_secret = config::Secret("test-refresh-secret-0123456789abcde");
    config.tokens.refresh_pepper = config::Secret("test-pepper-0123456789");
    config.cookies.secure = false;
    // The suites ask more than people do. Those about limits and the guard set their own.
    auto& limits = config.rate_limits;
    for (auto* per_minute :
         {&limits.api_per_minute,
          &limits.auth_per_minute,
          &limits.forgot_per_minute,
          &limits.login_per_minute,
          &limits.refresh_per_minute,
          &limits.admin_write_per_minute,
          &limits.admin_sync_per_minute}) {
        *per_minute = 1'000'000;
    }
    config.abuse.enabled = false;
    return config;
}

// ./dev check chaos runs the suites with Redis as well. KIT_API_REDIS is "cluster", whose three nodes share
// the keys of limits, counters and caches, or "server"; with KIT_API_IDEMPOTENCY=redis the idempotency keys
// are there, too. Each product has a namespace of its own. Suites that start a Redis themselves keep it.
void use_redis(config::Config& config)
{
    const char* const kind = std::getenv("KIT_API_REDIS");
    if (kind == nullptr || config.redis.configured()) {
        return;
    }
    if (std::string_view(kind) == "cluster") {
        static RedisCluster cluster;
        config.redis.address = cluster.addresses();
    } else {
        static RedisServer server;
        config.redis.address = server.address();
    }
    static std::atomic<int> products = 0;
    config.redis.key_namespace = "product" + std::to_string(++products);
    config.redis.command_timeout = std::chrono::seconds(3);  // an outage is no part of these suites
    config.idempotency.redis_enabled = std::getenv("KIT_API_IDEMPOTENCY") != nullptr;
}

config::Config configured(const std::function<void(config::Config&)>& configure)
{
    auto config = test_config();
    if (configure) {
        configure(config);
    }
    use_redis(config);
    return config;
}

int null_device()
{
    static const int descriptor = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    return descriptor;
}

}  // namespace

std::optional<std::string> ApiResponse::header(std::string_view name) const
{
    const auto values = all(name);
    return values.empty() ? std::nullopt : std::optional(values.front());
}

std::vector<std::string> ApiResponse::all(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& [key, value] : headers) {
        if (equal_ignoring_case(key, name)) {
            values.push_back(value);
        }
    }
    return values;
}

std::optional<std::string> ApiResponse::cookie(std::string_view name) const
{
    for (const auto& value : all("set-cookie")) {
        const auto equals = value.find('=');
        if (std::string_view(value).substr(0, equals) == name) {
            return value.substr(equals + 1, value.find(';') - equals - 1);
        }
    }
    return std::nullopt;
}

void CookieJar::take(const ApiResponse& response)
{
    for (const auto& value : response.all("set-cookie")) {
        const auto name = value.substr(0, value.find('='));
        if (value.contains("Max-Age=0")) {
            cookies_.erase(name);
        } else {
            cookies_[name] = response.cookie(name).value();
        }
    }
}

std::string CookieJar::header() const
{
    std::string text;
    for (const auto& [name, value] : cookies_) {
        text += text.empty() ? "" : "; ";
        text += name + "=" + value;
    }
    return text;
}

std::string CookieJar::value(const std::string& name) const
{
    const auto found = cookies_.find(name);
    return found == cookies_.end() ? std::string() : found->second;
}

std::pair<std::string, std::string> new_idempotency_key()
{
    static std::atomic<int> keys = 0;
    return {"Idempotency-Key", "key-" + std::to_string(++keys)};
}

Api::Api(ApiEngine engine, const std::function<void(config::Config&)>& configure)
    : config_(configured(configure)),
      logger_(
          {.level = telemetry::LogLevel::debug,
           .descriptor = null_device(),
           .readable = false,
           .recorder = &recorder_},
          clock_
      ),
      workers_(config_.http.workers > 0 ? static_cast<std::size_t>(config_.http.workers) : 1),
      metrics_({.workers = workers_.size()})
{
    workers_.start();
    url_ = engine == ApiEngine::sqlite ? "sqlite::memory:" : PostgresCluster::shared().create_database();
    database_ = db::open_database(url_, workers_, clock_, {});
    redis_ = app::open_redis(
        config_,
        {.workers = workers_, .clock = clock_, .random = random_, .logger = logger_, .metrics = metrics_}
    );
    product_ = second_node();
    run(db::migrate_up(*database_, db::embedded_migrations(database_->engine()), clock_.now()));
    run(product_->rbac().seed());
    if (auto* keys = product_->keys()) {
        run(keys->prepare());
    }
}

Api::~Api()
{
    database_->close();
    if (redis_) {
        redis_->close();
    }
    workers_.stop();
}

std::vector<std::vector<std::string>> Api::postgres(const std::string& sql)
{
    const auto name = url_.substr(url_.rfind('/') + 1);
    return PostgresCluster::shared().execute(name.substr(0, name.find('?')), sql);
}

void Api::script(const std::string& sql)
{
    struct Script {
        std::string_view sql;

        Task<int> operator()(db::Transaction& transaction) const
        {
            co_await transaction.run_script(sql);
            co_return 0;
        }
    };

    run(database_->transaction(Script{sql}));
}

void Api::tamper(const std::string& sql)
{
    const std::string table = database_->engine() == db::Engine::postgres ? " ON audit_events;" : ";";
    script(
        "DROP TRIGGER IF EXISTS audit_events_sealed_once" + table +
        "DROP TRIGGER IF EXISTS audit_events_kept" + table + sql
    );
}

std::vector<audit::Record> Api::trail()
{
    run(product_->audit().flush());
    auto page = run(product_->audit().page({}, {.rows_max = 10'000}));
    std::ranges::reverse(page.records);
    return std::move(page.records);
}

std::unique_ptr<app::Product> Api::second_node()
{
    return std::make_unique<app::Product>(
        config_, app::Environment{clock_, random_, logger_, metrics_, &recorder_}, *database_, redis_.get()
    );
}

ApiResponse Api::send(const ApiRequest& request)
{
    return send(*product_, request);
}

ApiResponse Api::send(app::Product& node, const ApiRequest& request)
{
    return open(node, request).head;
}

Api::Opened Api::open(const ApiRequest& request)
{
    return open(*product_, request);
}

Api::Opened Api::open(app::Product& node, const ApiRequest& request)
{
    const auto incoming = parse_request(request);
    std::string out;
    auto stream = block_on(workers_.executor(0), node.pipeline().respond(incoming, false, out));
    return {.head = parse_response(out), .stream = std::move(stream)};
}

void Api::abandon(const ApiRequest& request, const std::function<bool()>& gone)
{
    const auto incoming = parse_request(request);
    std::string out;
    const auto signal = std::make_shared<asio::cancellation_signal>();
    const auto ended = std::make_shared<std::promise<void>>();
    auto future = ended->get_future();
    asio::co_spawn(
        executor(),
        product_->pipeline().respond(incoming, false, out),
        asio::bind_cancellation_slot(
            signal->slot(),
            [ended](const std::exception_ptr&, const std::unique_ptr<http::Stream>&) { ended->set_value(); }
        )
    );
    while (!gone()) {
        std::this_thread::yield();
    }
    asio::post(executor(), [signal] { signal->emit(asio::cancellation_type::terminal); });
    future.get();
}

Task<ApiResponse> Api::ask(app::Product& node, ApiRequest request)
{
    const auto incoming = parse_request(request);
    std::string out;
    co_await node.pipeline().respond(incoming, false, out);
    co_return parse_response(out);
}

ApiResponse Api::send(CookieJar& jar, ApiRequest request)
{
    request.headers.emplace_back("Cookie", jar.header());
    if (!jar.value("csrf_token").empty()) {
        request.headers.emplace_back("X-CSRF-Token", jar.value("csrf_token"));
    }
    auto response = send(request);
    jar.take(response);
    return response;
}

ApiResponse Api::sign_up(CookieJar& jar, const std::string& email)
{
    return send(
        jar,
        {.method = "POST",
         .path = "/api/v1/auth/local/register",
         .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", "sign-up-" + email}},
         .body = R"({"email":")" + email + R"(","name":"Ada","password":")" + password + R"("})"}
    );
}

std::string engine_name(const testing::TestParamInfo<ApiEngine>& info)
{
    return info.param == ApiEngine::sqlite ? "sqlite" : "postgres";
}

}  // namespace kit::test
