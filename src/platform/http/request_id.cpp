#include "platform/http/request_id.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace kit::http {

namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t counter_digits_min = 6;

bool is_acceptable(std::string_view id)
{
    return !id.empty() && id.size() <= RequestIds::length_max &&
           std::ranges::all_of(id, [](char letter) { return letter > 0x20 && letter < 0x7F; });
}

}  // namespace

RequestIds::RequestIds(std::string hostname, Random& random) : prefix_(std::move(hostname))
{
    prefix_ += '/';
    auto number = random.number();
    for (int digit = 0; digit < 10; ++digit) {
        prefix_ += base62[number % base62.size()];
        number /= base62.size();
    }
    prefix_ += '-';
}

std::string RequestIds::next(const Request& request)
{
    if (const auto given = request.header("x-request-id"); given && is_acceptable(*given)) {
        return std::string(*given);
    }
    std::array<char, 20> digits;
    const auto number = counter_.fetch_add(1, std::memory_order_relaxed) + 1;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const auto length = static_cast<std::size_t>(end - digits.data());
    std::string id;
    id.reserve(prefix_.size() + 20);
    id += prefix_;
    id.append(counter_digits_min - std::min(counter_digits_min, length), '0');
    id.append(digits.data(), length);
    return id;
}

}  // namespace kit::http
