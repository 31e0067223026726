// A message as it travels: RFC 5322 headers, a text and an HTML body (RFC 2046) in quoted-printable (RFC
// 2045). Seven-bit lines of at most 78 bytes but for addresses, CRLF ends; no value can add a header or end a
// body.
#pragma once

#include "platform/core/timestamp.hpp"

#include <string>
#include <string_view>

namespace kit::mail {

struct Sender {
    std::string address;   // addr-spec
    std::string name;      // empty: the bare address
    std::string reply_to;  // addr-spec; empty: none
};

struct Outgoing {
    std::string
        message_id;  // without angle brackets; the same at every attempt, so that receivers know it again
    std::string to;
    std::string subject;
    std::string text;
    std::string html;
    Timestamp created_at{};
};

std::string to_mime(const Sender& sender, const Outgoing& mail);

// RFC 2047 where the text is not plain ASCII; control characters become spaces.
std::string encode_header(std::string_view text);

// CRLF ends, lines of at most 76 characters, none that begins with a dot.
std::string quoted_printable(std::string_view text);

}  // namespace kit::mail
