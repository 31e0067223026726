#include "platform/limits/limit_headers.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace kit::limits {

namespace {

constexpr std::int64_t second = 1'000'000;

// The header's value, added where there is none yet.
std::string& header(http::RequestContext& ctx, std::string_view name)
{
    auto& headers = ctx.response_headers;
    const auto found = std::ranges::find(headers, name, [](const auto& each) { return each.first; });
    return found == headers.end() ? headers.emplace_back(name, "").second : found->second;
}

struct Parameter {
    std::string_view name;
    std::int64_t value;
};

// One more item of a structured list, RFC 9651 section 3.1: "api";q=120;w=60
void append_item(
    std::string& list, std::string_view scope, const Parameter& first, const Parameter& second_one
)
{
    list.append(list.empty() ? "\"" : ", \"").append(scope).append("\"");
    for (const auto& [name, value] : {first, second_one}) {
        list.append(";").append(name).append("=").append(std::to_string(value));
    }
}

}  // namespace

std::int64_t seconds_up(std::int64_t microseconds)
{
    return (microseconds + second - 1) / second;
}

void set_headers(
    http::RequestContext& ctx, std::string_view scope, const Quota& quota, const Verdict& verdict
)
{
    const auto now = ctx.clock.now().time_since_epoch().count();
    header(ctx, "X-RateLimit-Limit") = std::to_string(quota.limit);
    header(ctx, "X-RateLimit-Remaining") = std::to_string(verdict.remaining);
    header(ctx, "X-RateLimit-Reset") = std::to_string(verdict.reset / second);
    append_item(header(ctx, "RateLimit-Policy"), scope, {"q", quota.limit}, {"w", seconds_up(quota.window)});
    append_item(
        header(ctx, "RateLimit"),
        scope,
        {"r", verdict.remaining},
        {"t", seconds_up(std::max<std::int64_t>(0, verdict.reset - now))}
    );
}

}  // namespace kit::limits
