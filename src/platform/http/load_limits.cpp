#include "platform/http/load_limits.hpp"

#include "platform/core/workers.hpp"
#include "platform/http/route.hpp"

namespace kit::http {

namespace {

constexpr telemetry::Instrument shed_requests{
    .name = "http.server.shed_requests",
    .description = "Requests refused because their worker had enough to do.",
    .attributes = {"http.route"},
};

constexpr telemetry::Instrument concurrency_limit{
    .name = "http.server.concurrency_limit",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{request}",
    .description = "Requests that the workers together take at once.",
};

std::vector<std::unique_ptr<LoadLimit>> make_limits(std::size_t workers, LoadLimitOptions options)
{
    std::vector<std::unique_ptr<LoadLimit>> limits;
    limits.reserve(workers);
    while (limits.size() < workers) {
        limits.push_back(std::make_unique<LoadLimit>(options));
    }
    return limits;
}

}  // namespace

LoadLimits::LoadLimits(
    std::size_t workers, LoadLimitOptions options, Clock& clock, telemetry::Registry& metrics
)
    : clock_(clock),
      limits_(make_limits(workers, options)),
      shed_(metrics, shed_requests),
      observed_limit_(metrics.observe(concurrency_limit, {}, [this] {
          std::size_t sum = 0;
          for (const auto& limit : limits_) {
              sum += limit->limit();
          }
          return static_cast<double>(sum);
      }))
{
}

LoadLimit* LoadLimits::limit_of(const Route& route) const
{
    const auto worker = Workers::current();
    return route.options.always_answered || worker >= limits_.size() ? nullptr : limits_[worker].get();
}

LoadLimits::Request::Request(const LoadLimits& limits, const Route& route)
    : limits_(limits), route_(route), limit_(limits.limit_of(route)), began_(limits.clock_.steady_now())
{
    if (limit_ != nullptr && !limit_->enter(began_)) {
        limit_ = nullptr;
        admitted_ = false;
        limits_.shed_.add({route.pattern});
    }
}

LoadLimits::Request::~Request()
{
    if (limit_ != nullptr) {
        const auto now = limits_.clock_.steady_now();
        limit_->leave(route_, now - began_, answered_, now);
    }
}

}  // namespace kit::http
