// Which state of a thing cached answers belong to.
//
// A namespace's epoch is a number in SQL that the transaction of every change raises. Nodes know it from
// memory: the one that changed something at once, the others within `follow_interval`. What is cached is
// valid in the epoch in which it was read and in no other, so nothing needs to be deleted, and an answer that
// was read before a change and is stored after it is never found. Numbers come from the clock, so that a
// database that was made anew or restored does not meet copies of its former self.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
}  // namespace kit::db

namespace kit::cache {

class Epochs;

// Cached answers that become invalid together. Made once by whoever keeps them; cheap to copy.
class Namespace {
public:
    Namespace(Epochs& epochs, std::string_view name);

    std::string_view name() const { return name_; }

    // 0 where nothing was ever changed.
    std::int64_t epoch() const { return epoch_->load(std::memory_order_acquire); }

private:
    friend class Epochs;

    std::string_view name_;
    std::atomic<std::int64_t>* epoch_;
    Clock* clock_;
};

// Thread-safe.
class Epochs {
public:
    static constexpr std::chrono::milliseconds follow_interval{500};

    Epochs(db::Database& database, Clock& clock) : database_(database), clock_(clock) {}

    // What a change has raised, to be made known here after its commit.
    struct Raised {
        std::vector<std::pair<std::string, std::int64_t>> epochs;
    };

    // In the transaction of the change. Always in the same order, so that two changes never wait for each
    // other in a circle.
    static Task<Raised> raise(db::Session& session, std::vector<Namespace> namespaces);

    // After the commit, before the change is answered.
    void publish(const Raised& raised);

    // Learns what other nodes have raised.
    Task<void> learn();

    // Does so every `follow_interval` until it is cancelled. While the database is away nothing can change
    // either.
    Task<void> follow();

private:
    friend class Namespace;

    std::atomic<std::int64_t>& cell(std::string_view name);
    void advance(std::string_view name, std::int64_t epoch);

    db::Database& database_;
    Clock& clock_;
    std::mutex mutex_;
    std::map<std::string, std::atomic<std::int64_t>, std::less<>> cells_;  // only added to
};

}  // namespace kit::cache
