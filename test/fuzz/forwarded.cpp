// Forwarding headers of any shape: from a peer that is not listed they change nothing; from a listed one the
// client is an address in canonical text.

#include "platform/http/client_address.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    kit::http::Request request;
    request.peer = "192.0.2.7";
    request.headers.push_back({"X-Forwarded-For", input.substr(0, size / 2)});
    request.headers.push_back({"X-Real-IP", input.substr(size / 2)});
    request.headers.push_back({"X-Forwarded-For", input.substr(size / 3)});
    if (kit::http::client_address(request, {}) != "192.0.2.7") {
        std::abort();
    }
    static const std::vector<kit::http::AddressRange> listed{
        *kit::http::AddressRange::parse("192.0.2.0/24"), *kit::http::AddressRange::parse("2001:db8::/32")
    };
    const auto client = kit::http::client_address(request, listed);
    const auto parsed = kit::http::IpAddress::parse(client);
    if (!parsed || parsed->to_string() != client) {
        std::abort();
    }
    return 0;
}
