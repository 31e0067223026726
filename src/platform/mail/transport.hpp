// How a message leaves: to an SMTP server, or into the development mailbox.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/core/task.hpp"
#include "platform/mail/mime.hpp"
#include "platform/outbound/smtp_client.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace kit::mail {

enum class Outcome : std::uint8_t {
    accepted,
    refused,      // the server says: not now
    rejected,     // the server says: never
    unreachable,  // no server said anything about this message
};

std::string_view to_string(Outcome outcome);

struct Delivery {
    Outcome outcome;
    std::string reason;  // of what was not accepted: never an address or the message
};

class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    // Messages that may be under way at once.
    virtual std::size_t parallel_max() const = 0;

    // Throws Unavailable where there is no way to try: it counts as unreachable.
    virtual Task<Delivery> deliver(Outgoing mail) = 0;

    // Gives what is under way that long, then breaks it off. Blocks; not on a worker.
    virtual void stop(std::chrono::milliseconds grace) = 0;
};

// Whoever looks into the outbox has received everything: nothing travels.
class DevMailbox final : public Transport {
public:
    std::size_t parallel_max() const override { return 1; }

    Task<Delivery> deliver(Outgoing mail) override;

    void stop(std::chrono::milliseconds) override {}
};

class SmtpTransport final : public Transport {
public:
    struct Options {
        outbound::SmtpServer server;
        Sender sender;
        std::size_t connections_max = 8;
    };

    explicit SmtpTransport(Options options);

    std::size_t parallel_max() const override { return options_.connections_max; }

    Task<Delivery> deliver(Outgoing mail) override;

    void stop(std::chrono::milliseconds grace) override;

private:
    Options options_;
    std::stop_source broken_off_;
    BlockingPool pool_;
};

// What an SMTP conversation's end means for the message.
Delivery judge(const outbound::SmtpResult& result);

}  // namespace kit::mail
