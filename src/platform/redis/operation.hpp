// One thing that a caller waits for: commands that are sent together.
#pragma once

#include "platform/redis/redis.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/intrusive/list.hpp>

#include <functional>
#include <utility>

namespace kit::redis {

class Node;

using DeadlineHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct Part {
    Command command;
    Reply reply{};
    Node* node = nullptr;    // that has it, sent or not
    std::uint8_t tries = 0;  // sent again after a redirection or a lost connection
    bool as_source = false;  // a script that the server does not know
    bool asking = false;     // to a server that is about to take over the slot
    bool finished = false;
};

// Lives as long as one of its parts is with a node, whether or not the caller still waits.
struct Operation : DeadlineHook, std::enable_shared_from_this<Operation> {
    std::vector<Part> parts{};
    std::size_t left = 0;
    SteadyTime started{};
    SteadyTime deadline{};
    std::optional<Failure> failed{};
    std::string reason{};
    bool cancelled = false;
    std::move_only_function<void()> done{};
    asio::cancellation_slot cancellation{};

    Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    ~Operation() { stop_listening(); }

    bool answered() const { return !done; }

    // The slot serves the caller's next operation from now on.
    void stop_listening()
    {
        if (cancellation.is_connected()) {
            std::exchange(cancellation, {}).clear();
        }
    }

    // Resumes the caller.
    void answer()
    {
        unlink();
        stop_listening();
        if (auto call = std::exchange(done, nullptr)) {
            call();
        }
    }
};

struct Entry {
    std::shared_ptr<Operation> operation;
    std::size_t index = 0;

    Part& part() const { return operation->parts[index]; }
};

}  // namespace kit::redis
