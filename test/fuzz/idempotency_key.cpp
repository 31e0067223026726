// Idempotency-Key headers of any shape: a key is 1 to 128 bytes and not blank, and quoting it gives the same.

#include "platform/core/encoding.hpp"
#include "platform/idempotency/idempotency.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

std::expected<std::string, kit::idempotency::KeyFault> read(std::string_view value)
{
    kit::http::Request request;
    request.headers.push_back({"Idempotency-Key", value});
    return kit::idempotency::read_key(request);
}

std::string quote(std::string_view key)
{
    std::string quoted = "\"";
    for (const char letter : key) {
        if (letter == '"' || letter == '\\') {
            quoted += '\\';
        }
        quoted += letter;
    }
    return quoted + '"';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto key = read({reinterpret_cast<const char*>(data), size});
    if (key && (key->empty() || key->size() > kit::idempotency::key_bytes_max || kit::trim(*key).empty() ||
                read(quote(*key)) != *key)) {
        std::abort();
    }
    return 0;
}
