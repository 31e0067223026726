#include "app/admin.hpp"

#include "platform/http/problem.hpp"
#include "platform/json/json.hpp"
#include "platform/telemetry/exposition.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace kit::app {

namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";
constexpr std::string_view json_text = "application/json";

struct Answer {
    int status;
    std::string_view content_type;
    std::string body;
    std::string_view header{};  // a further line, with its end
};

void append(std::string& out, const http::Request& request, bool close, const Answer& answer)
{
    const std::string_view connection = close              ? "Connection: close\r\n"
                                        : request.http_1_0 ? "Connection: keep-alive\r\n"
                                                           : "";
    fmt::format_to(
        std::back_inserter(out),
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{}{}\r\n",
        answer.status,
        http::reason_phrase(answer.status),
        answer.content_type,
        answer.body.size(),
        answer.header,
        connection
    );
    if (request.method != http::Method::head) {
        out += answer.body;
    }
}

Answer failed(int status, std::string_view header = {})
{
    return {status, plain_text, std::string(http::reason_phrase(status)) + "\n", header};
}

Answer refused(const Error& error)
{
    Answer answer{http::wire_code(error.code()).status, json_text, {}};
    json::object(answer.body).field("error", error.message());
    return answer;
}

}  // namespace

std::size_t Admin::body_bytes_max(const http::Request& /*head*/) const
{
    return 0;
}

// The work owns what it reads: it goes on where the client does not wait for it.
Task<Result<std::string>> Admin::view(std::string path, std::string query)
{
    try {
        co_return co_await offload(pool_, [this, path = std::move(path), query = std::move(query)] {
            return views_.show(path, query);
        });
    } catch (const Overloaded& overload) {
        co_return failure({ErrorCode::unavailable, overload.what()});
    }
}

Task<std::unique_ptr<http::Stream>> Admin::respond(const http::Request& request, bool close, std::string& out)
{
    const bool is_view = TelemetryViews::is_view(request.path);
    if (request.path != "/metrics" && !is_view) {
        append(out, request, close, failed(404));
    } else if (request.method != http::Method::get && request.method != http::Method::head) {
        append(out, request, close, failed(405, "Allow: GET, HEAD\r\n"));
    } else if (is_view) {
        const auto shown = co_await view(std::string(request.path), std::string(request.query));
        append(out, request, close, shown ? Answer{200, json_text, *shown} : refused(shown.error()));
    } else {
        const auto format = telemetry::choose_exposition(request.header("accept").value_or(""));
        append(
            out,
            request,
            close,
            {200, telemetry::content_type(format), expose(metrics_, format), "Vary: Accept\r\n"}
        );
    }
    co_return nullptr;
}

void Admin::refuse(const http::Request& head, const Error& error, std::string& out)
{
    append(out, head, true, failed(http::wire_code(error.code()).status));
}

}  // namespace kit::app
