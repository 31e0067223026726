// What the tests of the HTTP client share.
#pragma once

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"
#include "platform/outbound/http_client.hpp"
#include "support/process.hpp"
#include "support/stub_server.hpp"

#include <cstdlib>
#include <string>

namespace kit::outbound {

// Two loops with their threads, as the server has them. The client is gone before they are.
struct HttpClientTest : testing::Test {
    HttpClientTest()
    {
        for (const auto* variable : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
            ::unsetenv(variable);
        }
        workers.start();
    }

    HttpResult send(HttpClient& sender, HttpRequest request)
    {
        return block_on(workers.executor(0), sender.send(std::move(request)));
    }

    HttpResult send(HttpRequest request) { return send(client, std::move(request)); }

    Workers workers{2};
    HttpClient client;
};

inline std::string answer(std::string_view body, std::string_view headers = "")
{
    return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

}  // namespace kit::outbound
