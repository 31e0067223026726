// A small browser: one keep-alive connection, a cookie jar, JSON bodies.
#pragma once

#include "support/http_response.hpp"
#include "support/raw_client.hpp"

#include <boost/json/value.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kit::test {

struct HttpRequest {
    std::string method = "GET";
    std::string target = "/";
    Headers headers{};
    std::string body{};
};

class HttpClient {
public:
    // Connects with the first request.
    explicit HttpClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

    // Sends the jar's cookies for the target's path and stores those that come back. A connection that the
    // server closed meanwhile is replaced before anything is sent; nothing is ever sent twice. Throws
    // std::system_error where nobody listens and std::runtime_error where the connection ends without a whole
    // response.
    HttpResponse send(const HttpRequest& request);

    HttpResponse get(std::string_view target) { return send({.target = std::string(target)}); }

    // As a page's script would: with the CSRF token of the jar, if there is one, and an Idempotency-Key of
    // its own.
    HttpResponse post(std::string_view target, std::string body = {});

    // Empty where the jar has none of that name.
    std::string cookie(std::string_view name) const;

    // The jar, whole: to be another client of the same browser, or the same one after a restart.
    struct Cookie {
        std::string value;
        std::string path;
    };

    using Jar = std::map<std::string, Cookie, std::less<>>;

    const Jar& jar() const { return jar_; }

    void set_jar(Jar jar) { jar_ = std::move(jar); }

    void disconnect() { connection_.reset(); }

private:
    void store_cookies(const HttpResponse& response);

    Endpoint endpoint_;
    std::optional<RawClient> connection_;
    Jar jar_;
};

// The text of a request as it goes over the wire: Host, the headers given, Content-Length where there is a
// body or it is a POST.
std::string to_wire(const HttpRequest& request);

}  // namespace kit::test
