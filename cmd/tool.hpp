// What the commands that work on the database share.
#pragma once

#include "app/app.hpp"
#include "command.hpp"
#include "platform/core/block_on.hpp"

#include <functional>
#include <memory>

namespace kit::cmd {

// One worker and the database of the settings, for as long as a command runs.
class Tool {
public:
    explicit Tool(config::Config config);
    ~Tool();
    Tool(const Tool&) = delete;
    Tool& operator=(const Tool&) = delete;

    const config::Config& config() const { return config_; }

    db::Database& database() { return *database_; }

    Clock& clock() { return clock_; }

    Random& random() { return random_; }

    telemetry::Logger& logger() { return logger_; }

    audit::Service& audit() { return *audit_; }

    telemetry::Registry& metrics() { return metrics_; }

    cache::Epochs& epochs() { return *epochs_; }

    users::Service& users() { return *users_; }

    rbac::Service& rbac() { return *rbac_; }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(workers_.executor(0), std::move(task));
    }

private:
    config::Config config_;
    SystemClock clock_;
    SystemRandom random_;
    Workers workers_;
    telemetry::Logger logger_;
    telemetry::Registry metrics_{{.enabled = false}};  // nobody reads a command's
    std::unique_ptr<db::Database> database_;
    std::unique_ptr<audit::Service> audit_;
    std::unique_ptr<cache::Epochs> epochs_;
    std::unique_ptr<users::Service> users_;
    std::unique_ptr<rbac::Service> rbac_;
};

// Loads the settings, runs `work` on a Tool and prints the report. What goes wrong becomes the report's
// error.
int run_tool(const Arguments& arguments, std::string title, const std::function<void(Tool&, Report&)>& work);

// The same for work on whole tables, whose statements may take their time.
inline constexpr std::chrono::hours long_query_time_max{1};
int run_long_tool(
    const Arguments& arguments, std::string title, const std::function<void(Tool&, Report&)>& work
);

}  // namespace kit::cmd
