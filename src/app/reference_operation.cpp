#include "app/reference_operation.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/problem.hpp"
#include "platform/idempotency/idempotency.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace kit::app {

namespace {

using http::Field;
using http::Guard;
using http::Method;

constexpr std::string_view api_prefix = "/api/v1/";
constexpr std::string_view development_prefix = "/_dev/";

[[noreturn]] void reject(const http::Route& route, std::string_view fault)
{
    throw std::logic_error(
        std::string(to_string(route.method)) + ' ' + std::string(route.pattern) + ": " + std::string(fault)
    );
}

std::vector<std::string_view> segments_of(std::string_view pattern)
{
    std::vector<std::string_view> segments;
    while (pattern.starts_with('/')) {
        pattern.remove_prefix(1);
        segments.push_back(pattern.substr(0, pattern.find('/')));
        pattern.remove_prefix(segments.back().size());
    }
    return segments;
}

bool is_parameter(std::string_view segment)
{
    return segment.starts_with('{');
}

std::string_view parameter_name(std::string_view segment)
{
    return segment.substr(1, segment.size() - 2);
}

// "feature-flags" and "rule_id" as parts of a name: FeatureFlags, RuleId.
std::string camel(std::string_view text)
{
    std::string out;
    bool start = true;
    for (const char letter : text) {
        if (std::isalnum(static_cast<unsigned char>(letter)) == 0) {
            start = true;
        } else {
            out += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
            start = false;
        }
    }
    return out;
}

std::string_view within_api(std::string_view pattern)
{
    return pattern.starts_with(api_prefix) ? pattern.substr(api_prefix.size() - 1) : pattern;
}

std::string id_of(const http::Route& route)
{
    auto id = to_lower(to_string(route.method));
    for (const auto segment : segments_of(within_api(route.pattern))) {
        id += is_parameter(segment) ? "By" + camel(parameter_name(segment)) : camel(segment);
    }
    return id;
}

// Admin's parts each have a tag of their own.
std::string tag_of(const http::Route& route)
{
    const auto segments = segments_of(within_api(route.pattern));
    const bool admin = segments[0] == "admin" && segments.size() > 1;
    auto tag = admin ? "admin " + std::string(segments[1]) : std::string(segments[0]);
    tag.erase(0, tag.starts_with('.') ? 1 : 0);
    const auto dot = tag.find('.');
    return dot == std::string::npos ? tag : tag.substr(0, dot);
}

const Guard* find_guard(const http::Route& route, Guard::Kind kind)
{
    const auto found = std::ranges::find(route.guards, kind, &Guard::kind);
    return found == route.guards.end() ? nullptr : &*found;
}

// Ids are described by their name alone.
Field path_field(const http::Route& route, std::string_view name)
{
    const auto& described = route.doc.path;
    const auto found = std::ranges::find(described, name, &Field::name);
    if (found != described.end()) {
        auto field = *found;
        field.required = true;
        return field;
    }
    if (!name.ends_with("id")) {
        reject(route, "a part of the path that is no id is described in `path`");
    }
    return {.name = name, .required = true, .kind = Field::Kind::natural};
}

void add_parameters(Operation& operation)
{
    const auto& route = *operation.route;
    const auto add = [&](std::string_view in, const Field& field) {
        operation.parameters.push_back({.in = in, .field = field});
    };
    for (const auto segment : segments_of(route.pattern)) {
        if (is_parameter(segment)) {
            add("path", path_field(route, parameter_name(segment)));
        }
    }
    for (const auto& field : route.doc.query) {
        add("query", field);
    }
    if (find_guard(route, Guard::Kind::idempotent) != nullptr) {
        add("header",
            {.name = "Idempotency-Key",
             .note =
                 "a repetition with the same key and body takes effect once and gets the first one's answer",
             .required = true,
             .characters_min = 1,
             .characters_max = idempotency::key_bytes_max,
             .pattern = R"(\S)"});
    }
    if (route.doc.tagged && route.method == Method::get) {
        add("header", {.name = "If-None-Match", .note = "an ETag: 304 where the answer is still the same"});
    }
    if (route.doc.if_match) {
        add("header",
            {.name = "If-Match", .note = "an ETag: 412 where it is not the stored state's any more"});
    }
}

void add_security(Operation& operation)
{
    const auto& route = *operation.route;
    const bool pair = find_guard(route, Guard::Kind::csrf) != nullptr;
    const auto with_pair = [pair](Credentials credentials) {
        if (pair) {
            credentials.emplace_back("csrf");
        }
        return credentials;
    };
    if (find_guard(route, Guard::Kind::authenticated) != nullptr) {
        operation.security = {{"bearer"}, with_pair({"session"})};
    } else if (!route.doc.cookie.empty()) {
        const auto schemes = security_schemes();
        if (std::ranges::find(schemes, route.doc.cookie, &SecurityScheme::name) == schemes.end()) {
            reject(route, "the cookie is not among security_schemes()");
        }
        operation.security = {with_pair({route.doc.cookie})};
    }
}

bool is_redirection(int status)
{
    return status == 302 || status == 303;
}

Response& add_response(Operation& operation, int status, std::string_view note)
{
    auto& response = operation.responses[status];
    if (!note.empty()) {
        response.notes.emplace_back(note);
    }
    return response;
}

void add_successes(Operation& operation)
{
    const auto& doc = operation.route->doc;
    auto& ok = add_response(operation, doc.success, http::reason_phrase(doc.success));
    ok.contents.push_back(doc.ok);
    if (doc.tagged) {
        ok.headers.emplace_back("ETag");
    }
    if (std::ranges::find(doc.query, http::page_token_parameter, &Field::name) != doc.query.end()) {
        ok.headers.emplace_back("Link");
    }
    for (const auto& other : doc.also) {
        add_response(operation, other.status, other.note).contents.push_back(other.content);
    }
    if (is_redirection(doc.success)) {
        ok.headers.emplace_back("Location");
    }
    if (doc.tagged && operation.route->method == Method::get) {
        add_response(operation, 304, "What the client has is still the same").headers.emplace_back("ETag");
    }
    if (find_guard(*operation.route, Guard::Kind::idempotent) != nullptr) {
        ok.headers.emplace_back("X-Idempotency-Replayed");
    }
}

// What any route may answer, and what follows from the guards.
void add_failures(Operation& operation)
{
    const auto& route = *operation.route;
    for (const int status : {400, 429, 500, 503}) {
        add_response(operation, status, common_note(status));
    }
    if (find_guard(route, Guard::Kind::authenticated) != nullptr) {
        add_response(operation, 401, common_note(401));
        if (!http::is_safe(route.method)) {
            add_response(operation, 403, "A page of another site asked with the browser's cookies");
        }
    }
    if (find_guard(route, Guard::Kind::csrf) != nullptr) {
        add_response(operation, 403, "The CSRF pair is missing or wrong");
    }
    if (!operation.permission.empty()) {
        add_response(
            operation,
            403,
            "The permission " + std::string(operation.permission) + " is missing; `details` names it"
        );
    }
    if (find_guard(route, Guard::Kind::idempotent) != nullptr) {
        add_response(
            operation, 409, "The Idempotency-Key is another request's, or that one is still running"
        );
        add_response(operation, 422, "The first of these, where the server is set to be strict");
    }
    if (route.doc.if_match) {
        add_response(operation, 412, common_note(412));
    }
    if (route.doc.body.content.form() != http::Content::Form::none) {
        add_response(operation, 413, common_note(413));
    }
    for (const auto& refusal : route.doc.refusals) {
        auto& response = add_response(operation, refusal.status, refusal.note);
        if (refusal.content.form() != http::Content::Form::none) {
            response.contents.push_back(refusal.content);
        }
    }
    for (auto& [status, response] : operation.responses) {
        if (status == 401) {
            response.headers.emplace_back("WWW-Authenticate");
        } else if (status == 429 || status == 503) {
            response.headers.emplace_back("Retry-After");
        }
    }
}

// The rules of a body's members must be those of members.
void check(const http::Route& route)
{
    const auto& body = route.doc.body;
    if (body.content.shape() == nullptr) {
        return;
    }
    const auto shape = body.content.shape()();
    for (const auto& field : body.fields) {
        if (std::ranges::find(shape.members, field.name, &json::Member::name) == shape.members.end()) {
            reject(route, shape.type + " has no member " + std::string(field.name));
        }
    }
}

Operation operation_of(const http::Route& route)
{
    check(route);
    Operation operation{.route = &route, .id = id_of(route), .tag = tag_of(route)};
    operation.note = route.doc.note;
    if (const auto* guard = find_guard(route, Guard::Kind::permission)) {
        operation.permission = guard->permission;
    }
    operation.limits.push_back(to_string(http::Policy::api));
    if (const auto* guard = find_guard(route, Guard::Kind::limited)) {
        operation.limits.push_back(to_string(guard->policy));
    }
    add_parameters(operation);
    add_security(operation);
    add_successes(operation);
    add_failures(operation);
    return operation;
}

// The contract's one exception: a collection answers with and without a slash at its end.
bool is_second_name(const http::Route& route, const std::vector<const http::Route*>& rows)
{
    return route.pattern.ends_with('/') && std::ranges::any_of(rows, [&route](const http::Route* other) {
               return other->method == route.method &&
                      other->pattern == route.pattern.substr(0, route.pattern.size() - 1);
           });
}

}  // namespace

std::string Response::note() const
{
    std::string text;
    for (const auto& note : notes) {
        text += text.empty() ? "" : ". ";
        text += note;
    }
    return text;
}

std::vector<SecurityScheme> security_schemes()
{
    return {
        {"bearer", R"("type":"http","scheme":"bearer","bearerFormat":"JWT")", "An access token"},
        {"session", R"("type":"apiKey","in":"cookie","name":"access_token")", "The access token in its cookie"
        },
        {"csrf",
         R"("type":"apiKey","in":"header","name":"X-CSRF-Token")",
         "The value of the cookie csrf_token once more; beside cookies only"},
        {"refresh_token",
         R"("type":"apiKey","in":"cookie","name":"refresh_token")",
         "The refresh token in its cookie"},
    };
}

std::vector<ResponseHeader> response_headers()
{
    return {
        {"X-Request-Id", "The id of the request in logs, and in `meta.request_id`"},
        {"ETag", "Changes whenever the answer does"},
        {"Link", "The pages before and after this one, as rel=prev and rel=next, where there are such"},
        {"Location", "Where to go on"},
        {"Retry-After", "Seconds", true},
        {"WWW-Authenticate", "Bearer"},
        {"X-Idempotency-Replayed", "`true` where this is the answer to an earlier request of the same key"},
    };
}

std::string pattern_of(const http::Field& field)
{
    if (!field.pattern.empty() || !field.trimmed) {
        return std::string(field.pattern);
    }
    const auto least = field.characters_min.value_or(0);
    const auto inner = [&field](std::size_t used) {
        return field.characters_max ? std::to_string(*field.characters_max - used) : std::string();
    };
    if (least >= 2) {
        return R"(^\s*\S[\s\S]{)" + std::to_string(least - 2) + ',' + inner(2) + R"(}\S\s*$)";
    }
    const auto text = R"(\S([\s\S]{0,)" + inner(2) + R"(}\S)?)";
    return least == 1 ? R"(^\s*)" + text + R"(\s*$)" : R"(^\s*()" + text + R"()?\s*$)";
}

std::string_view common_note(int status)
{
    switch (status) {
        case 400:
            return "The request is malformed, or a value is not acceptable";
        case 401:
            return "No access token, or none that is good";
        case 412:
            return "The resource has changed since it was read";
        case 413:
            return "The body is too large";
        case 429:
            return "Too many requests";
        case 500:
            return "Something failed that should not";
        case 503:
            return "The server cannot answer now";
        default:
            return {};
    }
}

std::vector<Operation> operations(const std::vector<const http::Route*>& rows)
{
    std::vector<Operation> all;
    for (const auto* route : rows) {
        const bool other = route->doc.for_people || route->pattern.starts_with(development_prefix);
        if (!other && !is_second_name(*route, rows)) {
            all.push_back(operation_of(*route));
        }
    }
    return all;
}

}  // namespace kit::app
