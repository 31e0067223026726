// Raw requests and what the wire must make of them: the smuggling forms, the limits' neighbours, and sound
// ones that must pass. Replayed against the guard, against the server over loopback, and against the running
// binary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kit::test {

struct RawRequest {
    std::string_view name;
    std::string bytes;
    int status;  // of the refusal, after which the connection is closed; 0: not refused, whatever a route
                 // makes of it
};

inline std::string get_with(std::string_view fields)
{
    return "GET / HTTP/1.1\r\nHost: a.example\r\n" + std::string(fields) + "\r\n";
}

inline std::string post_with(std::string_view fields, std::string_view body)
{
    return "POST / HTTP/1.1\r\nHost: a.example\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

inline std::string line_only(std::string_view request_line)
{
    return std::string(request_line) + "\r\nHost: a.example\r\n\r\n";
}

inline std::string chunked_with(std::string_view body)
{
    return post_with("Transfer-Encoding: chunked\r\n", body);
}

// A request whose request line, without CRLF, has `size` bytes.
inline std::string request_line_of(std::size_t size)
{
    const std::string before = "GET /";
    const std::string after = " HTTP/1.1";
    return line_only(before + std::string(size - before.size() - after.size(), 'a') + after);
}

// A request whose header section, final CRLF included, has `size` bytes.
inline std::string header_section_of(std::size_t size)
{
    const std::string before = "Host: a.example\r\nX-Filler: ";
    return "GET / HTTP/1.1\r\n" + before + std::string(size - before.size() - 4, 'a') + "\r\n\r\n";
}

inline std::string fields_of(std::size_t count)
{
    std::string fields;
    for (std::size_t index = 1; index < count; ++index) {
        fields += "X-Field: v\r\n";
    }
    return get_with(fields);
}

inline std::string extensions_of(std::size_t bytes)
{
    return chunked_with("1;" + std::string(bytes - 1, 'a') + "\r\nx\r\n0\r\n\r\n");
}

// `bytes` counts the trailer section with its final CRLF.
inline std::string trailers_of(std::size_t bytes)
{
    return chunked_with("0\r\nX-Trailer: " + std::string(bytes - 15, 'a') + "\r\n\r\n");
}

inline std::vector<RawRequest> sound_requests()
{
    return {
        {"plain get", get_with(""), 0},
        {"one empty line before", "\r\n" + get_with(""), 0},
        {"query with odd characters", line_only("GET /a?b={c}|[d]&e=%zz HTTP/1.1"), 0},
        {"escaped path", line_only("GET /a%20b%C3%A4 HTTP/1.1"), 0},
        {"HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0},
        {"HTTP/1.0 with an expectation", "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n", 0},
        {"absolute form, same host", line_only("GET http://a.example/x HTTP/1.1"), 0},
        {"absolute form, other case", line_only("GET HTTP://A.Example/x HTTP/1.1"), 0},
        {"absolute form without path", line_only("GET http://a.example HTTP/1.1"), 0},
        {"absolute form, query without path", line_only("GET http://a.example?q HTTP/1.1"), 0},
        {"OPTIONS *", line_only("OPTIONS * HTTP/1.1"), 0},
        {"unknown method", line_only("BREW /pot HTTP/1.1"), 0},
        {"host with port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", 0},
        {"host with empty port", "GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", 0},
        {"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0},
        {"no blank after the colon", "GET / HTTP/1.1\r\nHost:a.example\r\n\r\n", 0},
        {"blanks around a value", get_with("X-A: \t b c \t \r\n"), 0},
        {"empty value", get_with("X-A:\r\n"), 0},
        {"UTF-8 in a value", get_with("User-Agent: \xC3\xA4\r\n"), 0},
        {"upgrade is ignored",
         get_with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
         0},
        {"content length", post_with("Content-Length: 3\r\n", "a=b"), 0},
        {"content length zero", post_with("Content-Length: 0\r\n", ""), 0},
        {"content length with zeros before", post_with("Content-Length: 003\r\n", "a=b"), 0},
        {"chunked", chunked_with("3\r\na=b\r\n0\r\n\r\n"), 0},
        {"Chunked in another case", post_with("Transfer-Encoding: ChUnKeD\r\n", "3\r\na=b\r\n0\r\n\r\n"), 0},
        {"chunked, hex sizes", chunked_with("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n"), 0},
        {"chunk extension", chunked_with("3;a;b=c;d=\"e \\\" ;f\"\r\na=b\r\n0;z\r\n\r\n"), 0},
        {"chunk extensions at the limit", extensions_of(256), 0},
        {"trailers", chunked_with("0\r\nX-A: b\r\nContent-Length: 7\r\n\r\n"), 0},
        {"trailers at the limit", trailers_of(4096), 0},
        {"request line at the limit", request_line_of(8192), 0},
        {"header section at the limit", header_section_of(16384), 0},
        {"header fields at the limit", fields_of(100), 0},
    };
}

inline std::vector<RawRequest> refused_request_lines()
{
    using namespace std::string_literals;
    return {
        {"two empty lines before", "\r\n\r\n" + get_with(""), 400},
        {"empty request line, bare line feed", "\n" + get_with(""), 400},
        {"TLS client hello", "\x16\x03\x01\x02"s, 400},
        {"no target", line_only("GET HTTP/1.1"), 400},
        {"no version", line_only("GET /"), 400},
        {"two blanks before the target", line_only("GET  / HTTP/1.1"), 400},
        {"two blanks after the target", line_only("GET /  HTTP/1.1"), 400},
        {"blank before the method", line_only(" GET / HTTP/1.1"), 400},
        {"blank after the version", line_only("GET / HTTP/1.1 "), 400},
        {"tab for a blank", line_only("GET\t/ HTTP/1.1"), 400},
        {"blank in the target", line_only("GET /a b HTTP/1.1"), 400},
        {"method is no token", line_only("G(T / HTTP/1.1"), 400},
        {"fragment in the target", line_only("GET /a#b HTTP/1.1"), 400},
        {"non-ASCII target", line_only("GET /\xC3\xA4 HTTP/1.1"), 400},
        {"control character in the target", line_only("GET /\x01 HTTP/1.1"), 400},
        {"NUL in the target", line_only("GET /\0 HTTP/1.1"s), 400},
        {"delete in the target", line_only("GET /\x7F HTTP/1.1"), 400},
        {"cut percent escape", line_only("GET /a% HTTP/1.1"), 400},
        {"short percent escape", line_only("GET /a%2 HTTP/1.1"), 400},
        {"wrong percent escape", line_only("GET /%zz/b HTTP/1.1"), 400},
        {"relative target", line_only("GET a HTTP/1.1"), 400},
        {"asterisk for another method", line_only("GET * HTTP/1.1"), 400},
        {"CONNECT", line_only("CONNECT a.example:443 HTTP/1.1"), 400},
        {"absolute form, other host", line_only("GET http://b.example/ HTTP/1.1"), 400},
        {"absolute form, user information", line_only("GET http://u@a.example/ HTTP/1.1"), 400},
        {"absolute form, empty host", line_only("GET http:///x HTTP/1.1"), 400},
        {"absolute form, other scheme", line_only("GET ftp://a.example/ HTTP/1.1"), 400},
        {"HTTP/0.9", "GET /\r\n\r\n", 400},
        {"HTTP/1.2", line_only("GET / HTTP/1.2"), 400},
        {"HTTP/2.0", line_only("GET / HTTP/2.0"), 400},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"HTTP/1.10", line_only("GET / HTTP/1.10"), 400},
        {"lower-case http", line_only("GET / http/1.1"), 400},
        {"no version number", line_only("GET / HTTP/"), 400},
        {"carriage return in the request line", line_only("GET /\r HTTP/1.1"), 400},
        {"bare line feed after the request line", "GET / HTTP/1.1\nHost: a.example\r\n\r\n", 400},
        {"request line beyond the limit", request_line_of(8193), 414},
        {"endless request line", "GET /" + std::string(9000, 'a'), 414},
    };
}

inline std::vector<RawRequest> refused_fields()
{
    using namespace std::string_literals;
    return {
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two hosts", get_with("Host: a.example\r\n"), 400},
        {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        {"host with a path", "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n", 400},
        {"host with user information", "GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", 400},
        {"host list", "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", 400},
        {"host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"host with a wrong port", "GET / HTTP/1.1\r\nHost: a.example:x\r\n\r\n", 400},
        {"host with a port too large", "GET / HTTP/1.1\r\nHost: a.example:65536\r\n\r\n", 400},
        {"host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
        {"folded value", get_with("X-A: b\r\n c\r\n"), 400},
        {"folded with a tab", get_with("X-A: b\r\n\tc\r\n"), 400},
        {"blank before the first field", "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n", 400},
        {"blank before the colon", get_with("X-A : b\r\n"), 400},
        {"tab before the colon", get_with("Transfer-Encoding\t: chunked\r\n"), 400},
        {"no colon", get_with("X-A\r\n"), 400},
        {"empty name", get_with(": b\r\n"), 400},
        {"name is no token", get_with("X(A): b\r\n"), 400},
        {"non-ASCII name", get_with("X\xC3\xA4: b\r\n"), 400},
        {"NUL in a value", get_with("X-A: b\0c\r\n"s), 400},
        {"control character in a value", get_with("X-A: b\x01\r\n"), 400},
        {"delete in a value", get_with("X-A: b\x7F\r\n"), 400},
        {"carriage return in a value", get_with("X-A: b\rX-B: c\r\n"), 400},
        {"carriage return before the line's end", get_with("X-A: b\r\r\n"), 400},
        {"bare line feed after a field", "GET / HTTP/1.1\r\nHost: a.example\n\r\n", 400},
        {"bare line feeds as the end", "GET / HTTP/1.1\r\nHost: a.example\r\n\n", 400},
        {"other expectation", post_with("Expect: tea\r\nContent-Length: 3\r\n", "a=b"), 417},
        {"two expectations",
         post_with("Expect: 100-continue\r\nExpect: tea\r\nContent-Length: 3\r\n", "a=b"),
         417},
        {"header section beyond the limit", header_section_of(16385), 431},
        {"endless header section", get_with("").substr(0, 33) + "X-A: " + std::string(17000, 'a'), 431},
        {"header fields beyond the limit", fields_of(101), 431},
    };
}

inline std::vector<RawRequest> refused_framing()
{
    using namespace std::string_literals;
    return {
        {"coding twice in a line", post_with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
        {"coding twice without a comma", post_with("Transfer-Encoding: chunked chunked\r\n", "0\r\n\r\n"), 400
        },
        {"coding in two lines",
         chunked_with("").substr(0, 62) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"quoted coding", post_with("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
        {"coding with a control character",
         post_with(
             "Transfer-Encoding: \x0B"
             "chunked\r\n",
             "0\r\n\r\n"
         ),
         400},
        {"coding with a high byte", post_with("Transfer-Encoding: chunked\x85\r\n", "0\r\n\r\n"), 400},
        {"coding with a parameter", post_with("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), 400},
        {"coding with a comma before", post_with("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), 400},
        {"empty coding", post_with("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
        {"unknown coding", post_with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
        {"identity", post_with("Transfer-Encoding: identity\r\n", ""), 501},
        {"gzip, chunked", post_with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
        {"chunked, gzip", post_with("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 501},
        {"coding and length",
         post_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
         400},
        {"length and coding",
         post_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         400},
        {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"length twice", post_with("Content-Length: 3\r\nContent-Length: 3\r\n", "a=b"), 400},
        {"two lengths", post_with("Content-Length: 3\r\nContent-Length: 4\r\n", "a=bc"), 400},
        {"length list", post_with("Content-Length: 3, 3\r\n", "a=b"), 400},
        {"length with a plus", post_with("Content-Length: +3\r\n", "a=b"), 400},
        {"negative length", post_with("Content-Length: -3\r\n", "a=b"), 400},
        {"hexadecimal length", post_with("Content-Length: 0x3\r\n", "a=b"), 400},
        {"length with a blank", post_with("Content-Length: 3 3\r\n", "a=b"), 400},
        {"length with a fraction", post_with("Content-Length: 3.0\r\n", "a=b"), 400},
        {"empty length", post_with("Content-Length:\r\n", ""), 400},
        {"length beyond 64 bits", post_with("Content-Length: 18446744073709551616\r\n", ""), 400},
        {"length beyond the limit", post_with("Content-Length: 18446744073709551615\r\n", ""), 413},
    };
}

inline std::vector<RawRequest> refused_chunks()
{
    using namespace std::string_literals;
    return {
        {"chunk size with 0x", chunked_with("0x3\r\na=b\r\n0\r\n\r\n"), 400},
        {"blank before the chunk size", chunked_with(" 3\r\na=b\r\n0\r\n\r\n"), 400},
        {"blank after the chunk size", chunked_with("3 \r\na=b\r\n0\r\n\r\n"), 400},
        {"chunk size with a plus", chunked_with("+3\r\na=b\r\n0\r\n\r\n"), 400},
        {"negative chunk size", chunked_with("-1\r\na=b\r\n0\r\n\r\n"), 400},
        {"empty chunk size", chunked_with("\r\na=b\r\n0\r\n\r\n"), 400},
        {"chunk size is no number", chunked_with("g\r\na=b\r\n0\r\n\r\n"), 400},
        {"17 digits of chunk size", chunked_with("00000000000000003\r\na=b\r\n0\r\n\r\n"), 400},
        {"chunk size beyond the limit", chunked_with("FFFFFFFFFFFFFFFF\r\n"), 413},
        {"bare line feed after the chunk size", chunked_with("3\na=b\r\n0\r\n\r\n"), 400},
        {"carriage return after the chunk size", chunked_with("3\ra=b\r\n0\r\n\r\n"), 400},
        {"chunk longer than its size", chunked_with("3\r\na=bc\r\n0\r\n\r\n"), 400},
        {"bare line feed after a chunk", chunked_with("3\r\na=b\n0\r\n\r\n"), 400},
        {"bare line feed after the last chunk", chunked_with("0\n\r\n"), 400},
        {"bare line feed as the end", chunked_with("0\r\n\n"), 400},
        {"extension with a line feed", chunked_with("3;a\nb\r\na=b\r\n0\r\n\r\n"), 400},
        {"extension with a blank", chunked_with("3; a\r\na=b\r\n0\r\n\r\n"), 400},
        {"extension without a name", chunked_with("3;\r\na=b\r\n0\r\n\r\n"), 400},
        {"extension without a value", chunked_with("3;a=\r\na=b\r\n0\r\n\r\n"), 400},
        {"extension with an open quote", chunked_with("3;a=\"b\r\na=b\r\n0\r\n\r\n"), 400},
        {"extension with NUL", chunked_with("3;a=\"\0\"\r\na=b\r\n0\r\n\r\n"s), 400},
        {"extensions beyond the limit", extensions_of(257), 400},
        {"folded trailer", chunked_with("0\r\nX-A: b\r\n c\r\n\r\n"), 400},
        {"trailer without a colon", chunked_with("0\r\nX-A\r\n\r\n"), 400},
        {"trailer with a control character", chunked_with("0\r\nX-A: \x01\r\n\r\n"), 400},
        {"trailer with a bare line feed", chunked_with("0\r\nX-A: b\n\r\n"), 400},
        {"trailers beyond the limit", trailers_of(4097), 431},
    };
}

inline std::vector<RawRequest> raw_requests()
{
    std::vector<RawRequest> all = sound_requests();
    for (auto* group : {&refused_request_lines, &refused_fields, &refused_framing, &refused_chunks}) {
        for (auto& request : (*group)()) {
            all.push_back(std::move(request));
        }
    }
    return all;
}

}  // namespace kit::test
