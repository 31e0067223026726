#include "platform/core/clock.hpp"

#include "platform/core/encoding.hpp"
#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/random.h>

namespace kit {

namespace {

using Timer = asio::
    basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace

Timestamp SystemClock::now() const
{
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const
{
    return std::chrono::steady_clock::now();
}

Task<void> SystemClock::sleep_until(SteadyTime when)
{
    Timer timer(co_await asio::this_coro::executor, when);
    boost::system::error_code error;
    const KeepSpan keep;
    co_await timer.async_wait(asio::redirect_error(use_task, error));
    if (error) {
        throw Cancelled("sleep cancelled");
    }
}

std::string Random::uuid_v4()
{
    std::array<std::byte, 16> bytes;
    fill(bytes);
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    const auto hex = hex_encode(as_text(bytes));
    std::string text;
    text.reserve(36);
    for (std::size_t index = 0; index < hex.size(); ++index) {
        if (index == 8 || index == 12 || index == 16 || index == 20) {
            text += '-';
        }
        text += hex[index];
    }
    return text;
}

std::string Random::token(std::size_t size)
{
    std::string bytes(size, '\0');
    fill(std::as_writable_bytes(std::span(bytes)));
    return base64url_encode(bytes);
}

std::uint64_t Random::number()
{
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

void SystemRandom::fill(std::span<std::byte> bytes)
{
    while (!bytes.empty()) {
        const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw Unavailable(std::string("getrandom: ") + std::strerror(errno));
        }
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace kit
