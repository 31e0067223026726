// HTTP/1.1 responses cut out of a byte stream, strictly: what is not a well-formed response is an error, not
// a guess.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
    int status = 0;
    Headers headers;
    std::string body;

    // The first header of that name, ignoring case.
    std::optional<std::string> header(std::string_view name) const;

    // Every header of that name, in order.
    std::vector<std::string> all(std::string_view name) const;

    // Does the connection end after this response?
    bool closes() const;
};

struct TakenResponse {
    HttpResponse response;
    std::size_t bytes;  // of the stream that it was
};

// The response at the front of `stream`; nothing until it is complete. `to_head` says that it answers a HEAD
// request and so has no body. A response with neither Content-Length nor chunks is complete only when the
// stream has `ended`. Throws std::runtime_error on what is no response.
std::optional<TakenResponse> take_response(std::string_view stream, bool to_head = false, bool ended = false);

// All of a connection that has ended. `rest` is what came after the last complete response.
struct Conversation {
    std::vector<HttpResponse> responses;
    std::string rest;
};

Conversation parse_conversation(std::string_view stream);

}  // namespace kit::test
