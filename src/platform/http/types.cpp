#include "platform/http/types.hpp"

#include "platform/core/encoding.hpp"

#include <array>
#include <cassert>

namespace kit::http {

namespace {

constexpr std::array<std::string_view, 8> method_names{
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"
};

}  // namespace

std::string_view to_string(Method method)
{
    return method_names[static_cast<std::size_t>(method)];
}

bool is_safe(Method method)
{
    return method == Method::get || method == Method::head || method == Method::options;
}

std::optional<std::string_view> Request::header(std::string_view name) const
{
    for (const auto& header : headers) {
        if (equal_ignoring_case(header.name, name)) {
            return header.value;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> Request::cookie(std::string_view name) const
{
    for (const auto& header : headers) {
        if (!equal_ignoring_case(header.name, "cookie")) {
            continue;
        }
        auto rest = header.value;
        while (!rest.empty()) {
            const auto end = rest.find(';');
            auto pair = rest.substr(0, end);
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
            while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) {
                pair.remove_prefix(1);
            }
            if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
                return pair.substr(name.size() + 1);
            }
        }
    }
    return std::nullopt;
}

std::string_view RequestContext::path_parameter(std::string_view name) const
{
    for (const auto& [key, value] : path_parameters) {
        if (key == name) {
            return value;
        }
    }
    assert(false && "the route has no such parameter");
    return {};
}

std::optional<std::string> RequestContext::query_parameter(std::string_view name) const
{
    for (auto& [key, value] : parse_form(request.query)) {
        if (key == name) {
            return std::move(value);
        }
    }
    return std::nullopt;
}

}  // namespace kit::http
