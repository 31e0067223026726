// Cookie headers of any shape: a value that is found stands in the header, behind its name.

#include "platform/http/types.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    kit::http::Request request;
    request.headers.push_back({"Cookie", input.substr(0, size / 2)});
    request.headers.push_back({"cookie", input.substr(size / 2)});
    for (const std::string_view name : {"access_token", "a", ""}) {
        const auto value = request.cookie(name);
        if (value && (value->data() < input.data() || value->data() + value->size() > input.data() + size ||
                      value->contains(';'))) {
            std::abort();
        }
    }
    return 0;
}
