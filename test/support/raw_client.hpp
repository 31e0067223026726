// A blocking client that sends exactly the bytes it is given, over loopback TCP or a Unix socket.
#pragma once

#include "support/descriptor.hpp"
#include "support/http_response.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace kit::test {

// Where somebody listens: a loopback port, or a Unix socket's path.
struct Endpoint {
    std::uint16_t port = 0;
    std::filesystem::path socket{};
};

// How a wait for bytes ended.
enum class Ended : std::uint8_t { got_it, closed, reset, timed_out };

class RawClient {
public:
    struct Answer {
        Ended ended;
        std::optional<HttpResponse> response;  // where `ended` is got_it
    };

    // Connects; throws std::system_error where nobody listens.
    explicit RawClient(const Endpoint& endpoint);

    // False where the connection is gone.
    bool send(std::string_view bytes);

    // What the socket takes without waiting: how many bytes that was.
    std::size_t send_some(std::string_view bytes);

    // Half-closes: nothing more will be sent.
    void finish();

    // Reads until the connection ends; received() has it all.
    Ended read_to_end(std::chrono::milliseconds limit = default_limit);

    // The next response, taken off received().
    Answer read_response(bool to_head = false, std::chrono::milliseconds limit = default_limit);

    // Is there something to read, bytes or the end?
    bool stirred() const;

    // What has been read and not yet been taken as a response.
    const std::string& received() const { return received_; }

private:
    static constexpr std::chrono::milliseconds default_limit{10'000};

    Ended read_more(std::chrono::steady_clock::time_point deadline);

    Descriptor socket_;
    std::string received_;
};

}  // namespace kit::test
