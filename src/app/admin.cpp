#include "app/admin.hpp"

#include "platform/http/problem.hpp"
#include "platform/telemetry/exposition.hpp"

#include <fmt/format.h>

#include <iterator>

namespace kit::app {

namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";

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

}  // namespace

std::size_t Admin::body_bytes_max(const http::Request& /*head*/) const
{
    return 0;
}

Task<std::unique_ptr<http::Stream>> Admin::respond(const http::Request& request, bool close, std::string& out)
{
    if (request.path != "/metrics") {
        append(out, request, close, failed(404));
    } else if (request.method != http::Method::get && request.method != http::Method::head) {
        append(out, request, close, failed(405, "Allow: GET, HEAD\r\n"));
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
