#include "platform/http/rendering.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/problem.hpp"
#include "platform/json/json.hpp"

#include <algorithm>

namespace kit::http {

namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view problem_type = "application/problem+json";

std::string declared_type(const Response& response)
{
    const auto found = std::ranges::find_if(response.headers, [](const auto& header) {
        return equal_ignoring_case(header.first, "content-type");
    });
    return found == response.headers.end() ? std::string() : found->second;
}

}  // namespace

void append_envelope(std::string& out, std::string_view data, const RequestContext& ctx, Timestamp now)
{
    out += R"({"success":true,"data":)";
    out += data;
    out += R"(,"meta":{"request_id":)";
    json::write(out, ctx.request_id);
    out += R"(,"timestamp":")";
    append_rfc3339(out, now);
    out += "\"}}\n";
}

std::string_view error_type(const RequestContext& ctx)
{
    return prefers_problem(ctx.request) ? problem_type : json_type;
}

void append_error(std::string& out, const RequestContext& ctx, const Error& error, Timestamp now)
{
    write_error(
        out,
        {.error = &error,
         .problem = prefers_problem(ctx.request),
         .instance = ctx.path,
         .request_id = ctx.request_id,
         .now = now}
    );
}

Rendered render(RequestContext& ctx, const Error& error)
{
    ctx.answered_at = ctx.clock.now();
    Rendered rendered{
        .status = wire_code(error.code()).status, .content_type = std::string(error_type(ctx)), .body = {}
    };
    append_error(rendered.body, ctx, error, *ctx.answered_at);
    return rendered;
}

Rendered render(RequestContext& ctx, const Response& response)
{
    ctx.answered_at = ctx.clock.now();
    Rendered rendered{.status = response.status, .content_type = {}, .body = {}};
    switch (response.payload) {
        case Payload::data:
            rendered.content_type = json_type;
            append_envelope(rendered.body, response.body, ctx, *ctx.answered_at);
            break;
        case Payload::complete:
            rendered.content_type = declared_type(response);
            rendered.body = response.body;
            break;
        case Payload::stream:
        case Payload::none:
            break;
    }
    return rendered;
}

}  // namespace kit::http
