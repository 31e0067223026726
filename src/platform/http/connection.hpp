// One client's connection: a coroutine on its worker's loop that reads requests, has them answered and writes
// the answers.
#pragma once

#include "platform/http/chunked.hpp"
#include "platform/http/head_guard.hpp"
#include "platform/http/server.hpp"
#include "platform/http/types.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list_hook.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <expected>
#include <memory>
#include <string>

namespace kit::http {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;

class ConnectionSet;

// What a connection needs while it has something to do, and gives back while it waits: an idle connection
// owns no buffer.
struct Scratch {
    explicit Scratch(std::size_t capacity) : input(std::make_unique_for_overwrite<char[]>(capacity)) {}

    std::unique_ptr<char[]> input;
    Request request;
    std::string body;  // where it is not whole in `input`
    std::string out;   // answers not yet sent
};

using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class Connection final : public ConnectionHook {
public:
    Connection(std::shared_ptr<ConnectionSet> set, Socket socket, std::string peer);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    // Serves requests until the connection ends. *this must outlive it.
    Task<void> serve();

    // Where the set's owner has serve() listen for cancellation.
    asio::cancellation_slot slot() { return cancel_.slot(); }

    // Ends what has taken too long. Called by the worker's sweep, while serve() is suspended.
    void on_tick(SteadyTime now);

    // Ends the connection now. True if a request was on its way.
    bool abort();

private:
    class Incoming;

    // Every wait is for one of these, and deadline_ is its end.
    enum class Phase : std::uint8_t { idle, head, body, respond, stream, write, linger };
    // Why the sweep, or the drain, ended the phase.
    enum class Stop : std::uint8_t { none, park, expired, client_gone, shutdown };
    enum class Sent : std::uint8_t { all, some, failed };

    void enter(Phase phase, std::chrono::steady_clock::duration limit);
    void enter_waiting();
    void stop(Stop reason);
    bool client_is_gone(SteadyTime now);
    void watch_stream(SteadyTime now);

    asio::mutable_buffer free_input();
    void make_room();
    std::string_view input_from(std::size_t offset) const;
    std::expected<HeadFacts, Refusal> take_head();
    void finish_request();

    Task<bool> after_failed_read();
    Task<bool> receive_body(HeadFacts facts);
    Task<bool> receive_counted(std::size_t length);
    Task<bool> receive_chunked(std::size_t body_bytes_max);
    Task<std::size_t> receive_some(asio::mutable_buffer space);
    Task<bool> respond_to_incoming(HeadFacts facts, bool close);
    Task<bool> respond(bool close);
    Task<void> send_stream(std::unique_ptr<Stream> stream);
    Task<std::string> next_piece(Stream& stream);
    Task<bool> send_piece(std::string piece);
    Task<bool> conclude_stopped(std::exception_ptr failed);
    Sent send(std::size_t end);
    bool send_all();
    Task<bool> flush();
    Task<void> refuse(Refusal refusal, bool head_is_known);
    Task<void> close_gently();

    std::shared_ptr<ConnectionSet> set_;
    Socket socket_;
    std::string peer_;
    std::unique_ptr<Scratch> scratch_;  // null while parked
    asio::cancellation_signal cancel_;
    HeadScanner scanner_;
    SteadyTime since_{};        // when the phase began
    SteadyTime deadline_{};     // when it must have ended
    std::size_t begin_ = 0;     // of the current request in scratch_->input
    std::size_t end_ = 0;       // of what has been received
    std::size_t next_ = 0;      // where the next request begins, once that is known
    std::size_t answered_ = 0;  // bytes of whole answers in scratch_->out
    std::size_t sent_ = 0;      // of them, already sent
    std::size_t body_received_ = 0;
    Phase phase_ = Phase::idle;
    Stop stop_ = Stop::none;
    bool served_ = false;  // at least one request
};

}  // namespace kit::http
