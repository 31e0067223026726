#include "proxies/relay.hpp"

#include "platform/core/encoding.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace kit::test {
namespace {

sockaddr_in loopback(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool send_all(int socket, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::optional<std::size_t> number(std::string_view text, int base)
{
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// The length of the chunked body at the front; nothing if incomplete or malformed.
std::optional<std::size_t> chunked_length(std::string_view bytes)
{
    std::size_t at = 0;
    while (true) {
        const auto line_end = bytes.find("\r\n", at);
        if (line_end == std::string_view::npos) {
            return std::nullopt;
        }
        const auto line = bytes.substr(at, line_end - at);
        const auto size = number(line.substr(0, line.find(';')), 16);
        if (!size) {
            return std::nullopt;
        }
        at = line_end + 2;
        if (*size == 0) {
            // A trailer section, mostly empty, ends as a header section does.
            const auto end = bytes.find("\r\n\r\n", line_end);
            return end == std::string_view::npos ? std::nullopt : std::optional(end + 4);
        }
        at += *size;
        if (bytes.size() < at + 2 || bytes.substr(at, 2) != "\r\n") {
            return std::nullopt;
        }
        at += 2;
    }
}

// The length of the request at the front, head and body; nothing if incomplete or malformed.
std::optional<std::size_t> request_length(std::string_view bytes)
{
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
        return std::nullopt;
    }
    std::size_t length = head_end + 4;
    auto head = bytes.substr(0, head_end + 2);
    std::optional<std::size_t> content_length;
    bool chunked = false;
    for (head.remove_prefix(head.find("\r\n") + 2); !head.empty();
         head.remove_prefix(head.find("\r\n") + 2)) {
        const auto line = head.substr(0, head.find("\r\n"));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            return std::nullopt;
        }
        const auto name = line.substr(0, colon);
        const auto value = trim(line.substr(colon + 1));
        if (equal_ignoring_case(name, "Content-Length")) {
            content_length = number(value, 10);
        } else if (equal_ignoring_case(name, "Transfer-Encoding")) {
            chunked = true;
        }
    }
    if (chunked) {
        const auto body = chunked_length(bytes.substr(length));
        return body ? std::optional(length + *body) : std::nullopt;
    }
    length += content_length.value_or(0);
    return bytes.size() >= length ? std::optional(length) : std::nullopt;
}

}  // namespace

std::vector<std::string> request_methods(std::string_view bytes)
{
    std::vector<std::string> methods;
    while (!bytes.empty()) {
        methods.emplace_back(bytes.substr(0, bytes.find(' ')));
        const auto length = request_length(bytes);
        if (!length) {
            break;
        }
        bytes.remove_prefix(*length);
    }
    return methods;
}

Relay::Relay(std::uint16_t server_port)
    : server_port_(server_port),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(eventfd(0, EFD_CLOEXEC))
{
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), SOMAXCONN) != 0 ||
        getsockname(listener_.get(), generic, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "relay");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

Relay::~Relay()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(stop_.get(), &one, sizeof one);
    acceptor_.join();
    for (auto& connection : connections_) {
        connection.join();
    }
}

std::vector<Relay::Tape> Relay::tapes() const
{
    const std::scoped_lock lock(mutex_);
    return {tapes_.begin(), tapes_.end()};
}

void Relay::accept_all()
{
    while (true) {
        std::array<pollfd, 2> sources{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
        poll(sources.data(), sources.size(), -1);
        if (sources[1].revents != 0) {
            return;
        }
        Descriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) {
            continue;
        }
        const std::scoped_lock lock(mutex_);
        auto& tape = tapes_.emplace_back();
        connections_.emplace_back([this, &tape, socket = std::move(client)]() mutable {
            pass(std::move(socket), tape);
        });
    }
}

void Relay::pass(Descriptor client, Tape& tape)
{
    const Descriptor server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(server_port_);
    if (!server || connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return;
    }
    std::array<pollfd, 3> sources{
        {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}
    };
    std::array<char, 65536> buffer{};
    while (sources[0].fd >= 0 || sources[1].fd >= 0) {
        poll(sources.data(), sources.size(), -1);
        if (sources[2].revents != 0) {
            return;
        }
        for (std::size_t side = 0; side < 2; ++side) {
            if (sources[side].fd < 0 || sources[side].revents == 0) {
                continue;
            }
            const int other = side == 0 ? server.get() : client.get();
            const auto got = recv(sources[side].fd, buffer.data(), buffer.size(), 0);
            if (got < 0) {
                return;
            }
            if (got == 0) {
                shutdown(other, SHUT_WR);
                sources[side].fd = -1;
                continue;
            }
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
            {
                // On the tape before it is passed on: whoever has seen an effect finds its cause.
                const std::scoped_lock lock(mutex_);
                (side == 0 ? tape.to_server : tape.from_server).append(bytes);
            }
            // A side that takes no more may still have something to say.
            if (!send_all(other, bytes) && side == 1) {
                return;
            }
        }
    }
}

}  // namespace kit::test
