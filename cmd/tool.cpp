#include "tool.hpp"

#include <exception>
#include <unistd.h>

namespace kit::cmd {

Tool::Tool(config::Config config)
    : config_(std::move(config)),
      workers_(1),
      logger_({.descriptor = STDERR_FILENO, .readable = std::nullopt}, clock_)
{
    workers_.start();
    database_ = app::open_database(config_, workers_, clock_);
    audit_ = std::make_unique<audit::Service>(
        audit::Service::Deps{.database = *database_, .clock = clock_, .logger = logger_},
        config_.audit.retention
    );
    epochs_ = std::make_unique<cache::Epochs>(*database_, clock_);
    users_ = std::make_unique<users::Service>(
        users::Service::Deps{
            .database = *database_, .clock = clock_, .metrics = metrics_, .audit = *audit_, .epochs = *epochs_
        },
        app::list_cache(config_)
    );
    rbac_ = std::make_unique<rbac::Service>(
        rbac::Service::Deps{
            .database = *database_,
            .clock = clock_,
            .random = random_,
            .metrics = metrics_,
            .audit = *audit_,
            .epochs = *epochs_,
            .users = *users_
        },
        app::rbac_settings(config_)
    );
}

Tool::~Tool()
{
    if (database_) {
        database_->close();
    }
    workers_.stop();
}

namespace {

int run_with(
    const Arguments& arguments,
    std::string title,
    const std::function<void(config::Config&)>& adjust,
    const std::function<void(Tool&, Report&)>& work
)
{
    Report report{.title = std::move(title), .details = {}, .error = {}};
    auto settings = load_settings(arguments, {});
    if (!settings.config) {
        report.error = std::move(settings.error);
        return print(report, arguments);
    }
    adjust(*settings.config);
    try {
        Tool tool(std::move(*settings.config));
        work(tool, report);
    } catch (const std::exception& failed) {
        report.error = failed.what();
    }
    return print(report, arguments);
}

}  // namespace

int run_tool(const Arguments& arguments, std::string title, const std::function<void(Tool&, Report&)>& work)
{
    return run_with(arguments, std::move(title), [](config::Config& /*unchanged*/) {}, work);
}

int run_long_tool(
    const Arguments& arguments, std::string title, const std::function<void(Tool&, Report&)>& work
)
{
    const auto patient = [](config::Config& config) { config.database.query_time_max = long_query_time_max; };
    return run_with(arguments, std::move(title), patient, work);
}

}  // namespace kit::cmd
