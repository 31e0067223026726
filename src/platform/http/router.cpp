#include "platform/http/router.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>
#include <stdexcept>

namespace kit::http {

namespace {

struct Segment {
    std::string_view text;
    std::string_view rest;  // after it, with its leading '/', or empty
};

// `path` starts with '/'.
Segment next_segment(std::string_view path)
{
    path.remove_prefix(1);
    const auto end = path.find('/');
    if (end == std::string_view::npos) {
        return {path, {}};
    }
    return {path.substr(0, end), path.substr(end)};
}

bool is_parameter(std::string_view segment)
{
    return segment.starts_with('{') && segment.ends_with('}') && segment.size() > 2;
}

}  // namespace

Task<Reply> Next::operator()(RequestContext& ctx) const
{
    if (rest_.empty()) {
        return (*handler_)(ctx);
    }
    return rest_.front()->handle(ctx, Next(rest_.subspan(1), *handler_));
}

Router::Router(std::vector<Route> routes, const GuardBinder& bind_guard, const std::vector<Subtree>& subtrees)
{
    for (const auto& subtree : subtrees) {
        auto& guarded = subtrees_.emplace_back();
        guarded.prefix = subtree.prefix;
        for (const auto& guard : subtree.guards) {
            guarded.chain.push_back(bind_guard(guard));
        }
    }
    for (auto& route : routes) {
        auto& endpoint = endpoints_.emplace_back(
            Endpoint{.index = endpoints_.size(), .route = std::move(route), .chain = {}}
        );
        for (const auto& guard : endpoint.route.guards) {
            endpoint.chain.push_back(bind_guard(guard));
        }
        insert(endpoints_.size() - 1);
    }
}

void Router::insert(std::size_t index)
{
    const auto& route = endpoints_[index].route;
    if (!route.pattern.starts_with('/')) {
        throw std::invalid_argument("route pattern must start with '/': " + std::string(route.pattern));
    }
    Node* node = &root_;
    for (auto rest = route.pattern; !rest.empty();) {
        const auto segment = next_segment(rest);
        rest = segment.rest;
        auto& child =
            is_parameter(segment.text) ? node->parameter : node->literals[std::string(segment.text)];
        if (!child) {
            child = std::make_unique<Node>();
        }
        node = child.get();
    }
    for (const auto& [method, other] : node->methods) {
        if (method == route.method) {
            throw std::invalid_argument("route stands twice: " + std::string(route.pattern));
        }
    }
    node->methods.emplace_back(route.method, index);
}

const Router::Node* Router::find(const Node& node, std::string_view rest, std::vector<std::string>& values)
    const
{
    if (rest.empty()) {
        return node.methods.empty() ? nullptr : &node;
    }
    const auto segment = next_segment(rest);
    std::string decoded;
    auto text = segment.text;
    if (text.contains('%')) {
        auto plain = percent_decode(text);
        if (!plain) {
            return nullptr;
        }
        decoded = std::move(*plain);
        text = decoded;
    }
    if (const auto literal = node.literals.find(text); literal != node.literals.end()) {
        if (const auto* found = find(*literal->second, segment.rest, values)) {
            return found;
        }
    }
    if (node.parameter && !text.empty()) {
        values.emplace_back(text);
        if (const auto* found = find(*node.parameter, segment.rest, values)) {
            return found;
        }
        values.pop_back();
    }
    return nullptr;
}

std::span<const std::unique_ptr<Middleware>> Router::subtree_chain(std::string_view path) const
{
    const auto plain = percent_decode(path).value_or(std::string(path));
    for (const auto& subtree : subtrees_) {
        if (plain.starts_with(subtree.prefix) &&
            (plain.size() == subtree.prefix.size() || plain[subtree.prefix.size()] == '/')) {
            return subtree.chain;
        }
    }
    return {};
}

Match Router::match(Method method, std::string_view path) const
{
    Match match;
    if (path.starts_with('/')) {
        find_endpoint(match, method, path);
        match.chain = match.endpoint == nullptr ? subtree_chain(path) : match.endpoint->chain;
    }
    return match;
}

void Router::find_endpoint(Match& match, Method method, std::string_view path) const
{
    std::vector<std::string> values;
    const auto* node = find(root_, path, values);
    if (node == nullptr) {
        return;
    }
    const auto wanted = method == Method::head ? Method::get : method;
    const auto row = std::ranges::find(node->methods, wanted, &std::pair<Method, std::size_t>::first);
    if (row == node->methods.end()) {
        std::vector<std::string_view> allowed;
        for (const auto& [known, index] : node->methods) {
            allowed.push_back(to_string(known));
            if (known == Method::get) {
                allowed.emplace_back("HEAD");
            }
        }
        allowed.emplace_back("OPTIONS");
        std::ranges::sort(allowed);
        for (const auto name : allowed) {
            match.allow += (match.allow.empty() ? "" : ", ");
            match.allow += name;
        }
        return;
    }
    match.endpoint = &endpoints_[row->second];
    auto value = values.begin();
    for (auto rest = match.endpoint->route.pattern; !rest.empty();) {
        const auto segment = next_segment(rest);
        rest = segment.rest;
        if (is_parameter(segment.text)) {
            match.parameters.emplace_back(
                segment.text.substr(1, segment.text.size() - 2), std::move(*value++)
            );
        }
    }
}

}  // namespace kit::http
