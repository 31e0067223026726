#include "app/telemetry.hpp"

#include "app/app.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace kit::app {

namespace {

bool exports(const config::Config& config, bool signal)
{
    return signal && !config.telemetry.endpoint.empty();
}

telemetry::Recorder::Options recorder_options(const config::Config& config, telemetry::ExportBell& bell)
{
    const auto& settings = config.telemetry;
    const auto workers = worker_count(config);
    telemetry::Recorder::Options options{.workers = workers};
    const telemetry::RecordBuffer::Options exported{
        .workers = workers,
        .records_max = settings.span_queue_max,
        .records_ready = settings.span_batch_max,
        .on_ready = [&bell] { bell.ring(); },
    };
    if (exports(config, settings.tracing_enabled)) {
        options.exported_spans = exported;
    }
    if (exports(config, settings.logs_enabled)) {
        options.exported_logs = exported;
    }
    return options;
}

telemetry::ExportTarget export_target(const config::TelemetryConfig& settings)
{
    return {
        .endpoint = settings.endpoint,
        .protocol = static_cast<telemetry::ExportTarget::Protocol>(settings.protocol),
        .insecure = settings.insecure,
        .gzip = settings.compression == config::OtlpCompression::gzip,
        .headers = telemetry::parse_pairs(settings.headers.reveal()),
        .ca_file = settings.ca_file,
        .client_certificate_file = settings.client_certificate_file,
        .client_key_file = settings.client_key_file,
    };
}

telemetry::Exporter::Options exporter_options(const config::Config& config, Random& random)
{
    const auto& settings = config.telemetry;
    return {
        .target = export_target(settings),
        .resource = resource_attributes(config, random),
        .time_max =
            std::chrono::milliseconds(std::min(settings.export_timeout_ms, settings.span_export_timeout_ms)),
        .record_delay = std::chrono::milliseconds(settings.span_delay_ms),
        .metrics_interval = settings.metrics_interval,
        .batch_records_max = settings.span_batch_max,
    };
}

std::string host_name()
{
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> resource_attributes(
    const config::Config& config, Random& random
)
{
    const auto& settings = config.telemetry;
    std::vector<std::pair<std::string, std::string>> attributes{
        {"service.name", settings.service_name},
        {"service.version", KIT_VERSION},
        {"service.instance.id", random.uuid_v4()},
        {"deployment.environment", settings.environment},
        {"deployment.environment.name", settings.environment},
        {"host.name", host_name()},
        {"telemetry.sdk.name", "everything-backend"},
        {"telemetry.sdk.language", "cpp"},
        {"telemetry.sdk.version", KIT_VERSION},
    };
    for (auto& [key, value] : telemetry::parse_pairs(settings.resource_attributes)) {
        const auto same = std::ranges::find(attributes, key, &std::pair<std::string, std::string>::first);
        if (same == attributes.end()) {
            attributes.emplace_back(std::move(key), std::move(value));
        } else if (key != "service.name" || !config.given("OTEL_SERVICE_NAME")) {
            same->second = std::move(value);  // the variable of its own outweighs the list
        }
    }
    return attributes;
}

Telemetry::Telemetry(const config::Config& config, Clock& clock, Random& random, int descriptor)
    : config_(config),
      recorder_(recorder_options(config, bell_)),
      logger_(
          {.level = static_cast<telemetry::LogLevel>(config.telemetry.log_level),
           .descriptor = descriptor,
           .readable = std::nullopt,
           .recorder = &recorder_},
          clock
      ),
      metrics_({.workers = worker_count(config), .enabled = config.telemetry.metrics_enabled})
{
    log_signals();
    const auto& settings = config.telemetry;
    if (exports(config, settings.enabled())) {
        exporter_.emplace(
            exporter_options(config, random),
            telemetry::Exporter::Sources{
                .spans = recorder_.exported_spans(),
                .logs = recorder_.exported_logs(),
                .metrics = settings.metrics_enabled ? &metrics_ : nullptr,
            },
            telemetry::Exporter::Environment{
                .clock = clock, .random = random, .logger = logger_, .metrics = metrics_, .bell = bell_
            }
        );
    }
}

void Telemetry::log_signals()
{
    const auto& settings = config_.telemetry;
    const auto& endpoint = settings.endpoint;
    if (exports(config_, settings.logs_enabled)) {
        logger_.info("otel logs initialized", {{"endpoint", endpoint}});
    } else {
        logger_.info("otel logs disabled");
    }
    if (exports(config_, settings.metrics_enabled)) {
        logger_.info("otel metrics initialized", {{"endpoint", endpoint}});
    } else {
        logger_.info("otel metrics disabled");
    }
    if (exports(config_, settings.tracing_enabled)) {
        logger_.info(
            "otel tracing initialized", {{"endpoint", endpoint}, {"sampling_ratio", settings.sampling_ratio}}
        );
    } else {
        logger_.info("otel tracing disabled");
    }
}

void Telemetry::stop()
{
    if (exporter_) {
        exporter_->stop(std::min<std::chrono::milliseconds>(config_.shutdown.observability, flush_time_max));
    }
}

}  // namespace kit::app
