// User agents of any shape: each part is a short name of ours, never a piece of the input.

#include "modules/sessions/sessions.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto client = kit::sessions::describe_user_agent(input);
    for (const auto part : {client.browser, client.os, client.device}) {
        const bool is_input = part.data() >= input.data() && part.data() < input.data() + input.size();
        if (part.empty() || part.size() > 20 || is_input) {
            std::abort();
        }
    }
    return 0;
}
