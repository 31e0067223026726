#include "platform/http/parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace kit::http {

namespace {

namespace beast = boost::beast;

// Beast reads the head only: where the body ends is decided by the guard and by ChunkedDecoder, which are
// stricter.
class HeadParser final : public beast::http::basic_parser<true> {
public:
    explicit HeadParser(Request& request) : request_(request)
    {
        skip(true);
        header_limit(std::numeric_limits<std::uint32_t>::max());  // HeadScanner keeps the limits
    }

private:
    using BodyLength = boost::optional<std::uint64_t>;
    using Code = beast::error_code;

    void on_request_impl(
        beast::http::verb /*method*/,
        beast::string_view method_text,
        beast::string_view target,
        int version,
        Code& /*error*/
    ) override
    {
        request_.method = method_from(method_text);
        request_.method_text = method_text;
        request_.target = target;
        request_.http_1_0 = version == 10;
    }

    void on_field_impl(
        beast::http::field /*field*/, beast::string_view name, beast::string_view value, Code& /*error*/
    ) override
    {
        request_.headers.push_back({.name = name, .value = value});
    }

    void on_response_impl(int /*status*/, beast::string_view /*reason*/, int /*version*/, Code& /*error*/)
        override
    {
    }

    void on_header_impl(Code& /*error*/) override {}

    void on_body_init_impl(const BodyLength& /*length*/, Code& /*error*/) override {}

    std::size_t on_body_impl(beast::string_view /*body*/, Code& /*error*/) override { return 0; }

    void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/, Code& /*error*/)
        override
    {
    }

    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, beast::string_view /*body*/, Code& /*error*/)
        override
    {
        return 0;
    }

    void on_finish_impl(Code& /*error*/) override {}

    Request& request_;
};

}  // namespace

Method method_from(std::string_view text)
{
    using enum Method;
    static constexpr std::pair<std::string_view, Method> methods[] = {
        {"GET", get},
        {"POST", post},
        {"PUT", put},
        {"PATCH", patch},
        {"DELETE", del},
        {"HEAD", head},
        {"OPTIONS", options},
    };
    for (const auto& [name, method] : methods) {
        if (text == name) {
            return method;
        }
    }
    return other;
}

std::expected<void, Refusal> parse_head(std::string_view head, const HeadFacts& facts, Request& request)
{
    request.headers.clear();
    HeadParser parser(request);
    beast::error_code error;
    // Not eager: the request line and the fields are one step, and with the body skipped there is no other.
    const auto used = parser.put(asio::const_buffer(head.data(), head.size()), error);
    if (error || !parser.is_done() || used != head.size()) {
        return std::unexpected(Refusal{ErrorCode::invalid_input, "malformed request head"});
    }
    request.path = facts.path;
    request.query = facts.query;
    request.body = {};
    request.incoming = nullptr;
    return {};
}

}  // namespace kit::http
