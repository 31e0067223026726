// The bytes of one connection. Lives on one worker; nothing here blocks.
#pragma once

#include "platform/crypto/tls.hpp"
#include "platform/redis/reply_parser.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace kit::redis {

class Stream : public std::enable_shared_from_this<Stream> {
public:
    using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

    // Connected. With a context, shake_hands() comes first.
    Stream(Socket socket, const TlsContext* tls);

    // Throws RedisUnavailable where the server is not the one it should be.
    Task<void> shake_hands();

    // Sends what the kernel takes now and the rest as it takes more. False where the connection is lost.
    bool send(std::string_view bytes);

    // Takes what has come. False where the connection is lost; what came before is in the parser.
    bool receive();

    // For those who do not want to wait in a coroutine.
    Socket& socket() { return socket_; }

    ReplyParser& parser() { return parser_; }

    std::size_t unsent() const { return unsent_.size(); }

    // Sends the commands and waits for their replies. Only for the greeting: nothing else may be under way.
    Task<std::vector<Reply>> exchange(std::vector<Command> commands);

private:
    bool fill();
    bool decrypt();
    bool write();

    Socket socket_;
    std::unique_ptr<TlsSession> tls_;
    ReplyParser parser_;
    std::string unsent_;
    bool waits_writable_ = false;
};

}  // namespace kit::redis
