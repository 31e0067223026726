// Password hashing with Argon2id (RFC 9106) on threads of its own.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

namespace kit {

// Thread-safe. At most `threads_max` hashings run at once, each with `memory_kib` of memory that goes back to
// the system after it; `queue_max` more wait. Beyond that every operation throws Overloaded, and where the
// memory is not to be had, Unavailable. Copies of a password that are made here are wiped after use.
class PasswordHasher {
public:
    struct Options {
        std::uint32_t memory_kib = 65536;  // at least 8
        std::uint32_t passes = 3;
        std::size_t threads_max = std::max(1U, std::thread::hardware_concurrency());
        std::size_t queue_max = 64;
    };

    // What a stored hash may demand; more is taken for a damaged row.
    static constexpr std::uint32_t stored_memory_kib_max = 1U << 20U;
    static constexpr std::uint32_t stored_passes_max = 64;

    // `random` must outlive this.
    PasswordHasher(const Options& options, Random& random);

    // A PHC string with a fresh salt: $argon2id$v=19$m=65536,t=3,p=1$<salt>$<hash>.
    Task<std::string> hash(std::string password);

    // Does the password belong to this PHC string, at the cost (and the lanes, `p`) that the string names?
    // No, if it is none.
    Task<bool> verify(std::string password, std::string phc);

    // Takes the time of a verification that fails: for accounts that do not exist.
    Task<void> verify_dummy(std::string password);

    // Is this hash cheaper than what hash() makes now, or unreadable?
    bool needs_rehash(std::string_view phc) const;

    // Operations that wait for a thread.
    std::size_t queued() const { return pool_.queued(); }

private:
    Options options_;
    Random& random_;
    std::string dummy_;
    BlockingPool pool_;
};

}  // namespace kit
