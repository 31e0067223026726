#include "platform/redis/connector.hpp"

#include "platform/core/deadline.hpp"
#include "platform/redis/server_error.hpp"

#include <algorithm>
#include <netdb.h>
#include <netinet/tcp.h>

namespace kit::redis {

namespace {

using Tcp = asio::ip::tcp;

struct FreeAddresses {
    void operator()(addrinfo* addresses) const noexcept { ::freeaddrinfo(addresses); }
};

std::vector<std::string> look_up(const std::string& host)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
        throw RedisUnavailable(Failure::connection_lost, "the host name cannot be resolved");
    }
    const std::unique_ptr<addrinfo, FreeAddresses> owner(found);
    std::vector<std::string> addresses;
    for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
        char text[NI_MAXHOST];
        if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
            0) {
            addresses.emplace_back(text);
        }
    }
    return addresses;
}

template <int Level, int Name>
using Option = asio::detail::socket_option::integer<Level, Name>;

// A connection that a firewall has forgotten is found out before a command is lost on it.
void keep_alive(Stream::Socket& socket)
{
    constexpr int idle_seconds = 30;
    constexpr int probe_seconds = 5;
    constexpr int probes = 3;
    socket.set_option(Tcp::no_delay(true));
    socket.set_option(asio::socket_base::keep_alive(true));
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPIDLE>(idle_seconds));
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPINTVL>(probe_seconds));
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPCNT>(probes));
}

// A text of HELLO's map.
std::string_view find_text(const Reply& map, std::string_view key)
{
    for (std::size_t index = 0; index + 1 < map.items.size(); index += 2) {
        if (map.items[index].text == key) {
            return map.items[index + 1].text;
        }
    }
    return {};
}

// Nothing but trouble of the server itself keeps us away: a user may lack the right to PING.
void check(const Reply& reply)
{
    if (!reply.is_error()) {
        return;
    }
    const auto meaning = classify(reply.text);
    if (meaning != ServerError::command && meaning != ServerError::no_permission) {
        throw RedisUnavailable(failure_of(meaning), reply.text);
    }
}

// Without a user the default one, in the words that every version knows.
Command login_of(const std::string& username, const std::string& password)
{
    Command login{"AUTH"};
    if (!username.empty()) {
        login << username;
    }
    login << password;
    return login;
}

// A failure to select the database or to log in must not be overlooked.
void require(const Reply& reply)
{
    if (reply.is_error()) {
        throw RedisUnavailable(failure_of(classify(reply.text)), reply.text);
    }
}

}  // namespace

Connector::Connector(const Options& options, Clock& clock) : options_(options), clock_(clock)
{
    if (options_.tls) {
        tls_.emplace(*options_.tls);
    }
}

Task<Connected> Connector::connect_master()
{
    auto endpoints = options_.address.endpoints;
    if (!options_.address.sentinel_master.empty()) {
        const auto master = co_await ask_sentinels();
        endpoints = {master};
    }
    co_return co_await connect_any(std::move(endpoints), Role::master);
}

Task<Connected> Connector::connect_any(std::vector<config::Endpoint> endpoints, Role role)
{
    std::exception_ptr failed;
    for (const auto& endpoint : endpoints) {
        try {
            co_return co_await connect(endpoint, role);
        } catch (const RedisUnavailable&) {
            failed = std::current_exception();
        }
    }
    std::rethrow_exception(failed);
}

Task<Connected> Connector::connect(config::Endpoint endpoint, Role role)
{
    const auto name = config::to_string(endpoint);
    const auto limit = std::min(options_.connect_time_max, attempt_time_max);
    try {
        co_return co_await with_deadline(clock_, clock_.steady_now() + limit, open(endpoint, role));
    } catch (const DeadlineExceeded&) {
        throw RedisUnavailable(Failure::timed_out, name + " does not answer");
    } catch (const RedisUnavailable& failed) {
        throw RedisUnavailable(failed.failure(), name + ": " + failed.what());
    } catch (const boost::system::system_error& failed) {
        throw RedisUnavailable(Failure::connection_lost, name + ": " + failed.code().message());
    } catch (const Overloaded& failed) {  // the resolver's queue
        throw RedisUnavailable(Failure::overloaded, name + ": " + failed.what());
    }
}

Task<Connected> Connector::open(config::Endpoint endpoint, Role role)
{
    Connected connected{.stream = co_await open_stream(endpoint), .endpoint = endpoint};
    co_await greet(connected, role);
    co_return connected;
}

Task<std::vector<std::string>> Connector::resolve(std::string host)
{
    boost::system::error_code error;
    asio::ip::make_address(host, error);
    if (!error) {
        co_return std::vector{host};
    }
    co_return co_await offload(resolver_, [host = std::move(host)] { return look_up(host); });
}

Task<std::shared_ptr<Stream>> Connector::open_stream(config::Endpoint endpoint)
{
    const auto addresses = co_await resolve(endpoint.host);
    std::exception_ptr failed =
        std::make_exception_ptr(RedisUnavailable(Failure::connection_lost, "the host has no address"));
    for (const auto& address : addresses) {
        try {
            Stream::Socket socket(co_await asio::this_coro::executor);
            co_await socket.async_connect(
                Tcp::endpoint(asio::ip::make_address(address), endpoint.port), use_task
            );
            keep_alive(socket);
            auto stream = std::make_shared<Stream>(std::move(socket), tls_ ? &*tls_ : nullptr);
            if (tls_) {
                co_await stream->shake_hands();
            }
            co_return stream;
        } catch (const boost::system::system_error&) {
            failed = std::current_exception();
        }
    }
    std::rethrow_exception(failed);
}

Task<void> Connector::greet(Connected& connected, Role role)
{
    Command hello{"HELLO", "3"};
    if (!options_.password.empty()) {
        hello << "AUTH" << (options_.username.empty() ? "default" : options_.username) << options_.password;
    }
    hello << "SETNAME" << options_.client_name;
    const auto greeting = co_await connected.stream->exchange({std::move(hello)});
    std::string mode;
    std::string server_role;
    if (greeting[0].kind == Reply::Kind::array) {
        mode = find_text(greeting[0], "mode");
        server_role = find_text(greeting[0], "role");
    } else {
        check(greeting[0]);
        mode = co_await greet_in_old_words(*connected.stream);
    }
    const bool cluster = mode == "cluster" || role == Role::cluster_node;
    std::vector<Command> commands{{"PING"}};
    if (cluster) {
        commands.push_back({"CLUSTER", "SLOTS"});
    } else if (options_.database != 0) {
        commands.push_back({"SELECT", std::to_string(options_.database)});
    }
    const auto replies = co_await connected.stream->exchange(std::move(commands));
    check(replies[0]);
    if (cluster) {
        require(replies[1]);
        connected.slots = SlotMap::parse(replies[1], connected.endpoint.host);
        if (!connected.slots) {
            throw RedisUnavailable(Failure::protocol, "CLUSTER SLOTS is answered by something else");
        }
        co_return;
    }
    if (replies.size() > 1) {
        require(replies[1]);
    }
    if (server_role == "replica" || server_role == "slave") {
        throw RedisUnavailable(Failure::read_only, "the server is a replica");
    }
}

// Redis before version 6, proxies, and users who may not say HELLO. They do not tell their mode.
Task<std::string> Connector::greet_in_old_words(Stream& stream)
{
    std::vector<Command> commands;
    if (!options_.password.empty()) {
        commands.push_back(login_of(options_.username, options_.password));
    }
    commands.push_back({"CLIENT", "SETNAME", options_.client_name});
    const auto replies = co_await stream.exchange(std::move(commands));
    if (!options_.password.empty()) {
        require(replies[0]);
    }
    check(replies.back());
    co_return "standalone";
}

Task<config::Endpoint> Connector::ask_sentinels()
{
    std::exception_ptr failed =
        std::make_exception_ptr(RedisUnavailable(Failure::connection_lost, "no sentinel knows the master"));
    for (const auto& sentinel : options_.address.endpoints) {
        try {
            const auto limit = std::min(options_.connect_time_max, attempt_time_max);
            const auto master =
                co_await with_deadline(clock_, clock_.steady_now() + limit, ask_sentinel(sentinel));
            if (master) {
                co_return *master;
            }
        } catch (const DeadlineExceeded&) {
            failed = std::make_exception_ptr(
                RedisUnavailable(Failure::timed_out, "sentinel " + config::to_string(sentinel) + " is silent")
            );
        } catch (const boost::system::system_error& error) {
            failed = std::make_exception_ptr(RedisUnavailable(
                Failure::connection_lost,
                "sentinel " + config::to_string(sentinel) + ": " + error.code().message()
            ));
        } catch (const RedisUnavailable&) {
            failed = std::current_exception();
        }
    }
    std::rethrow_exception(failed);
}

// Nothing where it does not know the name.
Task<std::optional<config::Endpoint>> Connector::ask_sentinel(config::Endpoint sentinel)
{
    const auto stream = co_await open_stream(sentinel);
    std::vector<Command> commands;
    if (!options_.sentinel_password.empty()) {
        commands.push_back(login_of(options_.sentinel_username, options_.sentinel_password));
    }
    commands.push_back({"SENTINEL", "get-master-addr-by-name", options_.address.sentinel_master});
    const auto replies = co_await stream->exchange(std::move(commands));
    std::ranges::for_each(replies, require);
    const auto& found = replies.back();
    const auto& items = found.items;
    if (found.kind != Reply::Kind::array || items.size() != 2) {
        co_return std::nullopt;
    }
    const auto host =
        items[0].text.find(':') == std::string::npos ? items[0].text : "[" + items[0].text + "]";
    co_return config::parse_endpoint(host + ":" + items[1].text);
}

}  // namespace kit::redis
