#include "support/http_client.hpp"

#include "platform/core/encoding.hpp"

#include <atomic>
#include <stdexcept>
#include <unistd.h>

namespace kit::test {
namespace {

std::string unique_key()
{
    static std::atomic<unsigned> count{0};
    return "test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

// RFC 6265 section 5.1.4.
bool path_matches(std::string_view target, std::string_view cookie_path)
{
    const auto path = target.substr(0, target.find('?'));
    return path == cookie_path ||
           (path.starts_with(cookie_path) && (cookie_path.ends_with('/') || path[cookie_path.size()] == '/'));
}

}  // namespace

std::string to_wire(const HttpRequest& request)
{
    auto text = request.method + " " + request.target + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const auto& [name, value] : request.headers) {
        text.append(name).append(": ").append(value).append("\r\n");
    }
    if (!request.body.empty() || request.method == "POST") {
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return text + "\r\n" + request.body;
}

HttpResponse HttpClient::send(const HttpRequest& request)
{
    auto complete = request;
    std::string cookies;
    for (const auto& [name, cookie] : jar_) {
        if (path_matches(request.target, cookie.path)) {
            cookies.append(cookies.empty() ? "" : "; ").append(name).append("=").append(cookie.value);
        }
    }
    if (!cookies.empty()) {
        complete.headers.emplace_back("Cookie", cookies);
    }
    if (!connection_ || connection_->stirred()) {
        connection_.emplace(endpoint_);
    }
    if (!connection_->received().empty()) {
        throw std::runtime_error("an unsolicited response: " + connection_->received());
    }
    connection_->send(to_wire(complete));
    auto answer = connection_->read_response(request.method == "HEAD");
    if (!answer.response) {
        connection_.reset();
        throw std::runtime_error("no response to " + request.method + " " + request.target);
    }
    if (answer.response->closes()) {
        connection_.reset();
    }
    store_cookies(*answer.response);
    return std::move(*answer.response);
}

HttpResponse HttpClient::post(std::string_view target, std::string body)
{
    HttpRequest request{.method = "POST", .target = std::string(target), .body = std::move(body)};
    request.headers.emplace_back("Idempotency-Key", unique_key());
    if (!request.body.empty()) {
        request.headers.emplace_back("Content-Type", "application/json");
    }
    if (const auto token = cookie("csrf_token"); !token.empty()) {
        request.headers.emplace_back("X-CSRF-Token", token);
    }
    return send(request);
}

std::string HttpClient::cookie(std::string_view name) const
{
    const auto found = jar_.find(name);
    return found == jar_.end() ? std::string() : found->second.value;
}

void HttpClient::store_cookies(const HttpResponse& response)
{
    for (const auto& line : response.all("Set-Cookie")) {
        const auto pair = std::string_view(line).substr(0, line.find(';'));
        const auto name = std::string(pair.substr(0, pair.find('=')));
        Cookie cookie{.value = std::string(pair.substr(name.size() + 1)), .path = "/"};
        if (const auto path = line.find("; Path="); path != std::string::npos) {
            const auto begin = path + 7;
            cookie.path = line.substr(begin, line.find(';', begin) - begin);
        }
        if (line.find("; Max-Age=0") != std::string::npos) {
            jar_.erase(name);
        } else {
            jar_[name] = std::move(cookie);
        }
    }
}

}  // namespace kit::test
