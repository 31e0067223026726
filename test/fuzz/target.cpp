// Paths and queries of any shape: decoding never grows them, encoding what was decoded gives it back, and a
// route's parameters are what its path says.

#include "platform/core/encoding.hpp"
#include "platform/http/router.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

const kit::http::Router& router()
{
    static const kit::http::Router table(
        {{.method = kit::http::Method::get,
          .pattern = "/things",
          .guards = {},
          .handler = {},
          .doc = {.ok = kit::http::no_body}},
         {.method = kit::http::Method::get,
          .pattern = "/things/{id}",
          .guards = {},
          .handler = {},
          .doc = {.ok = kit::http::no_body}},
         {.method = kit::http::Method::get,
          .pattern = "/things/{id}/parts/{part}",
          .guards = {},
          .handler = {},
          .doc = {.ok = kit::http::no_body}}},
        [](const kit::http::Guard&) { return nullptr; }
    );
    return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto decoded = kit::percent_decode(input)) {
        require(decoded->size() <= input.size());
        require(kit::percent_decode(kit::percent_encode(*decoded)) == decoded);
    }
    for (const auto& [name, value] : kit::parse_form(input)) {
        require(name.size() + value.size() <= input.size());
    }
    const auto match = router().match(kit::http::Method::get, input);
    if (match.endpoint != nullptr) {
        for (const auto& [name, value] : match.parameters) {
            require(!value.empty() && value.size() <= input.size());
        }
    }
    return 0;
}
