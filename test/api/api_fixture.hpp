// The product in process: the real route table, chain, services and database; no sockets.
#pragma once

#include "app/app.hpp"
#include "platform/core/block_on.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct ApiRequest {
    std::string method = "GET";
    std::string path;
    Headers headers{};
    std::string body{};
    std::string peer = "192.0.2.7";
};

// As clients send where a key is demanded: each request has one of its own.
std::pair<std::string, std::string> new_idempotency_key();

struct ApiResponse {
    int status = 0;
    Headers headers;
    std::string body;

    std::optional<std::string> header(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;

    // The value of a cookie that this response sets.
    std::optional<std::string> cookie(std::string_view name) const;
};

// A browser's cookies: sends them all, takes what answers set.
class CookieJar {
public:
    void take(const ApiResponse& response);
    std::string header() const;
    std::string value(const std::string& name) const;

private:
    std::map<std::string, std::string> cookies_;
};

enum class ApiEngine : std::uint8_t { sqlite, postgres };

// One product on a fresh database, on one worker unless the settings name more. `configure` may change them
// first.
class Api {
public:
    explicit Api(ApiEngine engine, const std::function<void(config::Config&)>& configure = {});
    ~Api();

    ApiResponse send(const ApiRequest& request);

    // The same, with the stream where the answer is one.
    struct Opened {
        ApiResponse head;
        std::unique_ptr<http::Stream> stream;
    };

    Opened open(const ApiRequest& request);

    // To another node.
    ApiResponse send(app::Product& node, const ApiRequest& request);
    Opened open(app::Product& node, const ApiRequest& request);

    // A request whose client goes away as soon as `gone` holds. Returns once all that it began has ended.
    void abandon(const ApiRequest& request, const std::function<bool()>& gone);
    // The same inside a coroutine, on the worker that it runs on.
    Task<ApiResponse> ask(app::Product& node, ApiRequest request);

    // With the jar's cookies and, where there is one, its CSRF token as header.
    ApiResponse send(CookieJar& jar, ApiRequest request);

    // Registers and keeps the cookies.
    ApiResponse sign_up(CookieJar& jar, const std::string& email = "ada@example.com");

    // Runs SQL past the product, on PostgreSQL.
    std::vector<std::vector<std::string>> postgres(const std::string& sql);

    // The same on either engine, without an answer. Ends the triggers' protection of the audit trail first
    // where it is to be tampered with.
    void script(const std::string& sql);
    void tamper(const std::string& sql);

    // The audit trail, oldest first, refusals included.
    std::vector<audit::Record> trail();

    // Another node on the same database and Redis, with caches of its own.
    std::unique_ptr<app::Product> second_node();

    const config::Config& config() const { return config_; }

    const std::string& url() const { return url_; }

    // Whether idempotency keys are in the database, where tests can look at them.
    bool keeps_keys_itself() const { return !config_.idempotency.redis_enabled; }

    Executor executor(std::size_t worker = 0) { return workers_.executor(worker); }

    Random& random() { return random_; }

    ManualClock& clock() { return clock_; }

    app::Product& product() { return *product_; }

    const telemetry::Registry& metrics() const { return metrics_; }

    const telemetry::Recorder& recorder() const { return recorder_; }

    db::Database& database() { return *database_; }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(workers_.executor(0), std::move(task));
    }

    static constexpr const char* password = "Correct-Horse-42";

private:
    config::Config config_;
    std::string url_;
    ManualClock clock_;
    SeededRandom random_;
    telemetry::Recorder recorder_{{.workers = 1}};
    telemetry::Logger logger_;
    Workers workers_;
    telemetry::Registry metrics_;
    std::unique_ptr<db::Database> database_;
    std::unique_ptr<redis::Client> redis_;
    std::unique_ptr<app::Product> product_;
};

// Every API suite runs on both engines.
class ApiTest : public testing::TestWithParam<ApiEngine> {};

std::string engine_name(const testing::TestParamInfo<ApiEngine>& info);

#define KIT_BOTH_ENGINES(suite)                                                              \
    INSTANTIATE_TEST_SUITE_P(                                                                \
        Engines, suite, testing::Values(ApiEngine::sqlite, ApiEngine::postgres), engine_name \
    )

}  // namespace kit::test
