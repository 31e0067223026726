#include "platform/db/postgres/connector.hpp"

#include "platform/core/deadline.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <netdb.h>
#include <stdexcept>
#include <string_view>

namespace kit::db::postgres {

namespace {

struct FreeOptions {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

struct FreeAddresses {
    void operator()(addrinfo* addresses) const noexcept { freeaddrinfo(addresses); }
};

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

std::string* find_option(Target& target, std::string_view keyword)
{
    const auto found = std::ranges::find(target, keyword, &Target::value_type::first);
    return found == target.end() ? nullptr : &found->second;
}

std::vector<std::string> split_list(std::string_view list)
{
    std::vector<std::string> parts;
    while (true) {
        const auto comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) {
            return parts;
        }
        list.remove_prefix(comma + 1);
    }
}

bool is_port(std::string_view text)
{
    std::uint16_t number = 1;  // empty: the default
    const auto parsed = std::from_chars(text.begin(), text.end(), number);
    return text.empty() || (parsed.ec == std::errc() && parsed.ptr == text.end() && number > 0);
}

// A server given by more than one address is listed once for each: libpq then tries them in turn.
struct Expanded {
    std::string hosts;
    std::string addresses;
    std::string ports;

    void add(const std::string& host, const std::string& address, const std::string& port)
    {
        const auto* comma = hosts.empty() && addresses.empty() && ports.empty() && first ? "" : ",";
        first = false;
        hosts.append(comma).append(host);
        addresses.append(comma).append(address);
        ports.append(comma).append(port);
    }

    bool first = true;
};

std::vector<std::string> resolve_name(const std::string& host)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
        throw Unavailable("the database's host name cannot be resolved: " + host);
    }
    const std::unique_ptr<addrinfo, FreeAddresses> owner(found);
    std::vector<std::string> addresses;
    for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
            0) {
            addresses.emplace_back(text);
        }
    }
    return addresses;
}

bool needs_resolving(const std::string& host)
{
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    const bool numeric =
        host.empty() || host.starts_with('/') || getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0;
    const std::unique_ptr<addrinfo, FreeAddresses> owner(found);
    return !numeric;
}

// libpq would resolve names itself, on this thread.
Target resolve(Target target)
{
    auto* host_option = find_option(target, "host");
    const auto hosts = split_list(*host_option);
    auto* port_option = find_option(target, "port");
    const auto ports = split_list(port_option == nullptr ? "" : *port_option);
    Expanded expanded;
    for (std::size_t index = 0; index < hosts.size(); ++index) {
        const auto& port = ports.size() == 1 ? ports.front() : ports.at(std::min(index, ports.size() - 1));
        if (!needs_resolving(hosts[index])) {
            expanded.add(hosts[index], "", port);
            continue;
        }
        for (const auto& address : resolve_name(hosts[index])) {
            expanded.add(hosts[index], address, port);
        }
    }
    *host_option = expanded.hosts;
    if (port_option != nullptr) {
        *port_option = expanded.ports;
    }
    target.emplace_back("hostaddr", expanded.addresses);
    return target;
}

bool has_names(Target target)
{
    const auto* host = find_option(target, "host");
    if (host == nullptr || find_option(target, "hostaddr") != nullptr) {
        return false;
    }
    return std::ranges::any_of(split_list(*host), needs_resolving);
}

std::string first_line(std::string_view text)
{
    return std::string(text.substr(0, text.find('\n')));
}

// Stands between two steps: libpq may have another socket after each.
Task<void> wait_for_socket(const ConnectionHandle& handle, Descriptor::wait_type what)
{
    Descriptor descriptor(co_await asio::this_coro::executor, PQsocket(handle.get()));

    struct Release {
        Descriptor& descriptor;

        ~Release() { descriptor.release(); }
    } const release{descriptor};

    co_await descriptor.async_wait(what, use_task);
}

Task<ConnectionHandle> open(Target target)
{
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : target) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    ConnectionHandle handle(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (!handle) {
        throw Unavailable("no memory for a database connection");
    }
    auto state = PQstatus(handle.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (state == PGRES_POLLING_WRITING || state == PGRES_POLLING_READING) {
        co_await wait_for_socket(
            handle, state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write
        );
        state = PQconnectPoll(handle.get());
    }
    if (state != PGRES_POLLING_OK || PQsetnonblocking(handle.get(), 1) != 0 ||
        PQenterPipelineMode(handle.get()) != 1) {
        throw Unavailable("no connection to the database: " + first_line(PQerrorMessage(handle.get())));
    }
    PQsetNoticeProcessor(
        handle.get(), [](void*, const char*) {}, nullptr
    );  // notices would go to standard error
    co_return handle;
}

}  // namespace

Target parse_target(const std::string& url, std::chrono::milliseconds statement_time_max)
{
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), &message));
    PQfreemem(message);  // it quotes the URL, hence the password
    if (!options) {
        throw std::invalid_argument(
            "not a PostgreSQL URL or key=value list (percent-encode special characters in a URL)"
        );
    }
    Target target;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) {
            target.emplace_back(option->keyword, option->val);
        }
    }
    if (const auto* host = find_option(target, "host");
        host != nullptr && host->find('@') != std::string::npos) {
        throw std::invalid_argument("the host contains an '@': percent-encode it in the password as %40");
    }
    if (const auto* port = find_option(target, "port");
        port != nullptr && !std::ranges::all_of(split_list(*port), is_port)) {
        throw std::invalid_argument("the port is not a number from 1 to 65535");
    }
    auto* server_options = find_option(target, "options");
    if (server_options == nullptr) {
        server_options = &target.emplace_back("options", "").second;
    }
    if (server_options->find("statement_timeout") == std::string::npos) {
        server_options->append(" -c statement_timeout=" + std::to_string(statement_time_max.count()));
    }
    target.emplace_back("client_encoding", "UTF8");
    target.emplace_back("fallback_application_name", "everything-backend");
    return target;
}

Task<ConnectionHandle> connect(
    const Target& target, BlockingPool& resolver, Clock& clock, SteadyTime deadline
)
{
    auto resolved = target;
    if (has_names(target)) {
        resolved = co_await offload(resolver, [copy = target]() mutable { return resolve(std::move(copy)); });
    }
    co_return co_await with_deadline(clock, deadline, open(std::move(resolved)));
}

}  // namespace kit::db::postgres
