// Sends what waits in the outbox, on every node at once: a message is claimed by a lease, so no two nodes
// send it, and a node that dies is followed by another one when the lease ends. Then, and only then, may a
// message arrive twice; its Message-ID tells receivers.
//
// As many lanes as the transport takes messages at once each send one at a time. Messages that failed before
// may hold half of them, so that neither a slow one nor many delay a new one.
#pragma once

#include "platform/core/background.hpp"
#include "platform/core/clock.hpp"
#include "platform/mail/mail.hpp"
#include "platform/mail/transport.hpp"
#include "platform/telemetry/metrics.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::mail {

struct Claimed;

// Waits between attempts: the first, doubled each time up to the longest; half of it is chance, so that nodes
// and messages do not come all at once.
struct BackOff {
    std::chrono::milliseconds first;
    std::chrono::milliseconds longest;

    // `tries` that failed so far, 1 or more.
    std::chrono::milliseconds wait(std::int64_t tries, Random& random) const;
};

class Dispatcher {
public:
    struct Deps {
        Outbox& outbox;
        db::Database& database;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
    };

    struct Options {
        std::int64_t attempts_max = 30;           // that the server refused; then dead
        std::chrono::milliseconds lease{62'000};  // longer than an attempt and its record take
        std::chrono::milliseconds retention{std::chrono::hours(168)};  // of what was sent or is dead
        BackOff refused{std::chrono::seconds(1), std::chrono::minutes(15)};
        BackOff unreachable{std::chrono::seconds(1), std::chrono::seconds(15)};
    };

    static constexpr std::chrono::seconds poll_interval{1};     // for what no wake() told of
    static constexpr std::chrono::seconds upkeep_interval{15};  // expired, old and counted messages
    static constexpr std::chrono::seconds rest{1};              // of a lane that reached no server
    static constexpr std::chrono::milliseconds record_interval{250};
    static constexpr std::chrono::seconds stop_grace{3};  // for what is under way at the end
    static constexpr std::int64_t purge_rows_max = 500;   // of one statement

    // Without a transport messages wait until they are too old.
    Dispatcher(Deps deps, std::unique_ptr<Transport> transport, Options options);
    ~Dispatcher();

    // The lanes and the upkeep, until stop(). Once.
    void start(Background& background, const Executor& executor);

    // No further message; what is under way gets its record. Before the background's stop. Blocks.
    void stop();

    // One message, if any is due: false where none was. Throws Unavailable where the database is.
    Task<bool> send_one();

    // Ends what is past its time, removes what is past its retention, counts the rest.
    Task<void> upkeep();

private:
    Task<void> lane();
    Task<void> look();
    Task<void> deliver(Claimed& claimed);
    Task<Delivery> attempt(const Claimed& claimed);
    Task<void> record(const Claimed& claimed, const Delivery& delivery);
    Task<bool> settle(const Claimed& claimed, const Delivery& delivery);
    Task<bool> bury(const Claimed& claimed, const std::string& reason);
    void note_reach(const Delivery& delivery);
    void note_database(const std::string& error);

    Deps deps_;
    std::unique_ptr<Transport> transport_;
    Options options_;
    std::string owner_;  // this node's name in leases
    std::size_t retries_max_ = 1;
    std::size_t retrying_ = 0;
    bool server_away_ = false;
    bool database_away_ = false;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::int64_t> queued_ = 0;
    std::atomic<std::int64_t> dead_ = 0;
    telemetry::Counter attempts_;
    telemetry::Histogram duration_;
    telemetry::Registry::Observation queued_count_;
    telemetry::Registry::Observation dead_count_;
};

}  // namespace kit::mail
