// From a method and a path to a row of the route table.
#pragma once

#include "platform/http/route.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::http {

// A row with its chain, ready to serve.
struct Endpoint {
    std::size_t index = 0;  // among the router's endpoints
    Route route;
    std::vector<std::unique_ptr<Middleware>> chain;
};

struct Match {
    const Endpoint* endpoint = nullptr;  // null: not found, or another method
    std::string allow;  // with another method: the sorted value of Allow (RFC 9110 section 10.2.1)
    std::vector<std::pair<std::string_view, std::string>> parameters;
    std::span<const std::unique_ptr<Middleware>> chain;  // the endpoint's; without one, that of its subtree
};

// Immutable once built; used by all workers. A literal segment is preferred to a parameter. Segments are
// percent-decoded one by one before they are compared, so an encoded slash never splits one; paths are
// case-sensitive and trailing slashes count.
class Router {
public:
    // Throws std::invalid_argument on a pattern that is malformed or stands twice.
    Router(
        std::vector<Route> routes, const GuardBinder& bind_guard, const std::vector<Subtree>& subtrees = {}
    );

    // `path` as received, starting with '/'. HEAD finds GET's row.
    Match match(Method method, std::string_view path) const;

    const std::deque<Endpoint>& endpoints() const { return endpoints_; }

private:
    struct Node {
        std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
        std::unique_ptr<Node> parameter;
        std::vector<std::pair<Method, std::size_t>> methods;  // index into endpoints_
    };

    struct GuardedPrefix {
        std::string_view prefix;
        std::vector<std::unique_ptr<Middleware>> chain;
    };

    void find_endpoint(Match& match, Method method, std::string_view path) const;
    std::span<const std::unique_ptr<Middleware>> subtree_chain(std::string_view path) const;
    void insert(std::size_t index);
    const Node* find(const Node& node, std::string_view rest, std::vector<std::string>& values) const;

    std::deque<Endpoint> endpoints_;
    std::vector<GuardedPrefix> subtrees_;
    Node root_;
};

}  // namespace kit::http
