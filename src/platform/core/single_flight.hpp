// One computation for all who ask for the same thing at the same time.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/event.hpp"
#include "platform/core/task.hpp"

#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace kit {

// Thread-safe, across workers. T is cheap to copy, such as a shared_ptr.
template <class T>
class SingleFlight {
public:
    struct Outcome {
        T value;
        bool led;  // by this caller; else another one's answer
    };

    // The value of `fill()`, a Task<T>: the first caller runs it, on its own worker, and those who come
    // meanwhile get the same. What it throws, they get too, and nobody who comes later. When the first caller
    // is cancelled, one of the others runs it again.
    template <class Fill>
    Task<Outcome> run(std::string key, Fill fill)
    {
        while (true) {
            auto [flight, leads] = join(key);
            if (leads) {
                const Landing landing{*this, key, *flight};
                co_return Outcome{.value = co_await lead(*flight, fill), .led = true};
            }
            co_await flight->landed.wait();
            if (flight->failed) {
                std::rethrow_exception(flight->failed);
            }
            if (flight->value) {
                co_return Outcome{.value = *flight->value, .led = false};
            }
        }
    }

private:
    // Written by the leader before it lands, read by others after.
    struct Flight {
        Event landed;
        std::optional<T> value;
        std::exception_ptr failed;
    };

    struct Shard {
        std::mutex mutex;
        std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
    };

    // Whatever ends the leader, a flight does not outlive it.
    struct Landing {
        SingleFlight& flights;
        const std::string& key;
        Flight& flight;

        ~Landing()
        {
            auto& shard = flights.shard(key);
            {
                const std::lock_guard lock(shard.mutex);
                shard.flights.erase(key);
            }
            flight.landed.set();
        }
    };

    static constexpr std::size_t shard_count = 16;

    Shard& shard(const std::string& key) { return shards_[std::hash<std::string>()(key) % shard_count]; }

    std::pair<std::shared_ptr<Flight>, bool> join(const std::string& key)
    {
        auto& shard = this->shard(key);
        const std::lock_guard lock(shard.mutex);
        auto& flight = shard.flights[key];
        const bool leads = flight == nullptr;
        if (leads) {
            flight = std::make_shared<Flight>();
        }
        return {flight, leads};
    }

    template <class Fill>
    static Task<T> lead(Flight& flight, Fill& fill)
    {
        try {
            flight.value = co_await fill();
        } catch (const Cancelled&) {
            throw;
        } catch (...) {
            flight.failed = std::current_exception();
            throw;
        }
        co_return *flight.value;
    }

    std::array<Shard, shard_count> shards_;
};

}  // namespace kit
