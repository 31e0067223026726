#include "platform/limits/bypass.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::limits {

namespace {

constexpr telemetry::Instrument bypass_events{
    .name = "security.bypass.events",
    .description = "Limits and guards that somebody was let past.",
    .attributes = {"reason", "scope"},
};

}  // namespace

Bypass::Bypass(const Options& options, telemetry::Registry& metrics)
    : events_(metrics, bypass_events), internal_probes_(options.internal_probes)
{
    if (!options.trusted_actors) {
        return;
    }
    for (const auto& cidr : options.cidrs) {
        if (auto range = http::AddressRange::parse(trim(cidr))) {
            ranges_.push_back(*range);
        }
    }
    for (const auto& subject : options.subjects) {
        if (const auto text = trim(subject); !text.empty()) {
            subjects_.emplace_back(text);
        }
    }
}

std::optional<std::string_view> Bypass::reason(const Caller& caller) const
{
    if (internal_probes_) {
        const auto path = trim(caller.path);
        if (equal_ignoring_case(path, "/health/live") || equal_ignoring_case(path, "/health/ready")) {
            return "internal_probe_path";
        }
    }
    if (!ranges_.empty()) {
        const auto address = http::IpAddress::parse(caller.address);
        if (address &&
            std::ranges::any_of(ranges_, [&](const auto& range) { return range.contains(*address); })) {
            return "trusted_actor_cidr";
        }
    }
    if (!subjects_.empty() && caller.subject &&
        std::ranges::find(subjects_, std::to_string(*caller.subject)) != subjects_.end()) {
        return "trusted_actor_subject";
    }
    return std::nullopt;
}

}  // namespace kit::limits
