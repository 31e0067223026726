#include "proxies/proxy.hpp"

#include "support/http_client.hpp"
#include "support/server.hpp"

#include <fmt/format.h>

#include <fstream>

namespace kit::test {
namespace {

constexpr auto nginx_configuration = R"(
daemon off;
master_process off;
error_log stderr error;
pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream server_under_test {{
        server 127.0.0.1:{port};
        keepalive 1;
    }}
    server {{
        listen unix:{folder}/front;
        client_max_body_size 16m;
        client_header_timeout 2s;
        client_body_timeout 2s;
        ignore_invalid_headers off;
        underscores_in_headers on;
        location / {{
            proxy_pass http://server_under_test;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
            proxy_next_upstream off;
            proxy_read_timeout 5s;
        }}
    }}
}}
)";

constexpr auto haproxy_configuration = R"(
global
    nbthread 1
    maxconn 256
defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout client 2s
    timeout server 5s
    timeout queue 5s
    timeout http-request 2s
    timeout http-keep-alive 5s
frontend front
    bind unix@{folder}/front
    option accept-invalid-http-request
    default_backend server_under_test
backend server_under_test
    http-reuse always
    server one 127.0.0.1:{port} maxconn 1 pool-max-conn 1
)";

ProcessOptions options_of(Product product, const std::filesystem::path& folder, std::uint16_t port)
{
    const auto file = (folder / "configuration").string();
    const bool nginx = product == Product::nginx;
    std::ofstream(file) << fmt::format(
        fmt::runtime(nginx ? nginx_configuration : haproxy_configuration),
        fmt::arg("folder", folder.string()),
        fmt::arg("port", port)
    );
    if (nginx) {
        return {
            .command = {"/usr/sbin/nginx", "-e", "stderr", "-p", folder.string(), "-c", file},
            .environment = {}
        };
    }
    return {.command = {"/usr/sbin/haproxy", "-db", "-f", file}, .environment = {}};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, Product product)
{
    return out << (product == Product::nginx ? "nginx" : "haproxy");
}

Proxy::Proxy(Product product, std::uint16_t server_port)
    : socket_(folder_.path() / "front"), process_(options_of(product, folder_.path(), server_port))
{
    const auto answers = [this] {
        try {
            return HttpClient(endpoint()).get("/health/live").status == 200;
        } catch (const std::exception&) {
            return false;
        }
    };
    if (!eventually(answers)) {
        throw std::runtime_error(
            "the proxy does not answer; it said: " + process_.output() + process_.errors()
        );
    }
}

}  // namespace kit::test
