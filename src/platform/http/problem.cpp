#include "platform/http/problem.hpp"

#include "platform/core/encoding.hpp"
#include "platform/json/json.hpp"

#include <charconv>
#include <optional>

namespace kit::http {

namespace {

// The problem's title: the contract names those of its own codes, others have their status' phrase.
std::string_view title(std::string_view code, int status)
{
    if (code == "INVALID_OR_EXPIRED_TOKEN") {
        return "Invalid or Expired Token";
    }
    if (code == "EMAIL_UNVERIFIED") {
        return "Email Unverified";
    }
    return reason_phrase(status);
}

std::string problem_type(std::string_view code)
{
    std::string type = "urn:problem:everything-backend:";
    for (const char letter : to_lower(code)) {
        type += letter == '_' ? '-' : letter;
    }
    return type;
}

// RFC 9110 section 12.4.2 in thousandths; a malformed weight counts as 1.
int quality(std::string_view parameters)
{
    int found = 1000;
    while (!parameters.empty()) {
        const auto end = parameters.find(';');
        const auto parameter = trim(parameters.substr(0, end));
        parameters = end == std::string_view::npos ? std::string_view() : parameters.substr(end + 1);
        if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') {
            continue;
        }
        double value = 1;
        const auto text = parameter.substr(2);
        const auto read =
            std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
        const bool sound =
            read.ec == std::errc() && read.ptr == text.data() + text.size() && value >= 0 && value <= 1;
        found = sound ? static_cast<int>(value * 1000) : 1000;
    }
    return found;
}

struct Preferences {
    std::optional<int> problem;
    std::optional<int> json;
    std::optional<int> application;  // application/*
    std::optional<int> anything;     // */*
};

void read_accept(Preferences& preferences, std::string_view value)
{
    while (!value.empty()) {
        const auto end = value.find(',');
        const auto item = value.substr(0, end);
        value = end == std::string_view::npos ? std::string_view() : value.substr(end + 1);
        const auto semicolon = item.find(';');
        const auto type = to_lower(trim(item.substr(0, semicolon)));
        const int weight = quality(semicolon == std::string_view::npos ? "" : item.substr(semicolon + 1));
        if (type == "application/problem+json") {
            preferences.problem = weight;
        } else if (type == "application/json") {
            preferences.json = weight;
        } else if (type == "application/*") {
            preferences.application = weight;
        } else if (type == "*/*") {
            preferences.anything = weight;
        }
    }
}

}  // namespace

WireCode wire_code(ErrorCode code)
{
    switch (code) {
        case ErrorCode::internal:
            return {500, "INTERNAL"};
        case ErrorCode::invalid_input:
            return {400, "BAD_REQUEST"};
        case ErrorCode::invalid_or_expired_token:
            return {400, "INVALID_OR_EXPIRED_TOKEN"};
        case ErrorCode::unauthenticated:
            return {401, "UNAUTHORIZED"};
        case ErrorCode::forbidden:
            return {403, "FORBIDDEN"};
        case ErrorCode::email_unverified:
            return {403, "EMAIL_UNVERIFIED"};
        case ErrorCode::not_found:
            return {404, "NOT_FOUND"};
        case ErrorCode::not_enabled:
            return {404, "NOT_ENABLED"};
        case ErrorCode::conflict:
            return {409, "CONFLICT"};
        case ErrorCode::unprocessable:
            return {422, "UNPROCESSABLE_CONTENT"};
        case ErrorCode::precondition_failed:
            return {412, "PRECONDITION_FAILED"};
        case ErrorCode::rate_limited:
            return {429, "RATE_LIMITED"};
        case ErrorCode::method_not_allowed:
            return {405, "METHOD_NOT_ALLOWED"};
        case ErrorCode::request_timeout:
            return {408, "REQUEST_TIMEOUT"};
        case ErrorCode::expectation_failed:
            return {417, "EXPECTATION_FAILED"};
        case ErrorCode::version_unsupported:
            return {505, "HTTP_VERSION_NOT_SUPPORTED"};
        case ErrorCode::payload_too_large:
            return {413, "PAYLOAD_TOO_LARGE"};
        case ErrorCode::uri_too_long:
            return {414, "URI_TOO_LONG"};
        case ErrorCode::headers_too_large:
            return {431, "HEADERS_TOO_LARGE"};
        case ErrorCode::unsupported:
            return {501, "NOT_IMPLEMENTED"};
        case ErrorCode::unavailable:
            return {503, "DEPENDENCY_UNREADY"};
    }
    std::unreachable();
}

std::string_view reason_phrase(int status)
{
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

bool prefers_problem(const Request& request)
{
    Preferences preferences;
    for (const auto& header : request.headers) {
        if (equal_ignoring_case(header.name, "accept")) {
            read_accept(preferences, header.value);
        }
    }
    const int problem = preferences.problem.value_or(0);
    const int json =
        preferences.json.value_or(preferences.application.value_or(preferences.anything.value_or(0)));
    return problem > 0 && problem >= json;
}

void write_error(std::string& out, const ErrorBody& body)
{
    const auto& error = *body.error;
    const auto wire = wire_code(error.code());
    const auto code = error.wire_code().empty() ? wire.code : std::string_view(error.wire_code());
    if (body.problem) {
        out += R"({"type":)";
        json::write(out, problem_type(code));
        out += R"(,"title":)";
        json::write(out, title(code, wire.status));
        out += R"(,"status":)";
        json::write(out, wire.status);
        out += R"(,"detail":)";
        json::write(out, error.message());
        out += R"(,"instance":)";
        json::write(out, body.instance);
        out += R"(,"code":)";
        json::write(out, code);
        out += R"(,"request_id":)";
        json::write(out, body.request_id);
        if (!error.details_json().empty()) {
            out += R"(,"details":)";
            out += error.details_json();
        }
        out += "}\n";
        return;
    }
    out += R"({"success":false,"error":{"code":)";
    json::write(out, code);
    out += R"(,"message":)";
    json::write(out, error.message());
    if (!error.details_json().empty()) {
        out += R"(,"details":)";
        out += error.details_json();
    }
    out += R"(},"meta":{"request_id":)";
    json::write(out, body.request_id);
    out += R"(,"timestamp":")";
    append_rfc3339(out, body.now);
    out += "\"}}\n";
}

}  // namespace kit::http
