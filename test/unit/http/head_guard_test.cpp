#include "platform/http/head_guard.hpp"

#include "platform/http/chunked.hpp"
#include "platform/http/server.hpp"
#include "support/raw_requests.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kit::http {

namespace {

const ServerLimits defaults;
const HeadLimits head_limits{
    .request_line_bytes_max = defaults.request_line_bytes_max,
    .header_bytes_max = defaults.header_bytes_max,
    .header_fields_max = defaults.header_fields_max,
};

int status_of(ErrorCode code)
{
    static const std::map<ErrorCode, int> statuses{
        {ErrorCode::invalid_input, 400},
        {ErrorCode::payload_too_large, 413},
        {ErrorCode::uri_too_long, 414},
        {ErrorCode::expectation_failed, 417},
        {ErrorCode::headers_too_large, 431},
        {ErrorCode::unsupported, 501},
    };
    return statuses.at(code);
}

constexpr int incomplete = -1;

// What the wire makes of these bytes, given in pieces of `step` bytes.
int judge(std::string_view bytes, std::size_t step)
{
    HeadScanner scanner;
    std::size_t given = 0;
    while (true) {
        given = std::min(bytes.size(), given + step);
        const auto scanned = scanner.scan(bytes.substr(0, given), head_limits);
        if (!scanned) {
            return status_of(scanned.error().code);
        }
        if (*scanned == HeadScanner::Status::complete) {
            break;
        }
        if (given == bytes.size()) {
            return incomplete;
        }
    }
    const auto facts = check_head(bytes.substr(scanner.begin(), scanner.end() - scanner.begin()));
    if (!facts) {
        return status_of(facts.error().code);
    }
    if (facts->content_length > defaults.body_bytes_max) {
        return 413;
    }
    if (!facts->chunked) {
        return 0;
    }
    ChunkedDecoder decoder({
        .body_bytes_max = defaults.body_bytes_max,
        .extension_bytes_max = defaults.chunk_extension_bytes_max,
        .trailer_bytes_max = defaults.trailer_bytes_max,
    });
    std::string body;
    for (auto at = scanner.end(); at < bytes.size() && !decoder.done(); at += step) {
        const auto used = decoder.feed(bytes.substr(at, step), body);
        if (!used) {
            return status_of(used.error().code);
        }
    }
    return decoder.done() ? 0 : incomplete;
}

HeadFacts facts_of(std::string_view head)
{
    const auto facts = check_head(head);
    EXPECT_TRUE(facts.has_value()) << head;
    return facts.value_or(HeadFacts{});
}

}  // namespace

TEST(HeadGuard, JudgesEveryRawRequestHoweverItIsCut)
{
    const auto requests = test::raw_requests();
    EXPECT_GE(requests.size(), 150U);
    for (const auto& request : requests) {
        for (const std::size_t step : {request.bytes.size(), std::size_t{7}, std::size_t{1}}) {
            EXPECT_EQ(judge(request.bytes, step), request.status) << request.name << ", by " << step;
        }
    }
}

TEST(HeadGuard, SplitsTheTarget)
{
    const auto plain = facts_of("GET /a/b%20c?d=e?f HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(plain.path, "/a/b%20c");
    EXPECT_EQ(plain.query, "d=e?f");
    const auto absolute = facts_of("GET http://h:80?q HTTP/1.1\r\nHost: h:80\r\n\r\n");
    EXPECT_EQ(absolute.path, "/");
    EXPECT_EQ(absolute.query, "q");
    EXPECT_EQ(facts_of("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path, "*");
}

TEST(HeadGuard, KnowsWhoStays)
{
    EXPECT_TRUE(facts_of("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keep_alive);
    EXPECT_FALSE(facts_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: CLOSE\r\n\r\n").keep_alive);
    EXPECT_FALSE(
        facts_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: x , close\r\n\r\n")
            .keep_alive
    );
    EXPECT_FALSE(facts_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
    EXPECT_TRUE(facts_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    EXPECT_FALSE(facts_of("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
}

TEST(HeadGuard, KnowsTheBody)
{
    const auto counted =
        facts_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n");
    EXPECT_EQ(counted.content_length, 12U);
    EXPECT_FALSE(counted.chunked);
    EXPECT_TRUE(counted.expects_continue);
    EXPECT_TRUE(facts_of("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").chunked);
}

TEST(HeadGuard, RefusesWhatTheScannerWouldNotDeliver)
{
    for (const std::string_view head : {
             "",
             "GET / HTTP/1.1",
             "GET / HTTP/1.1\r\n",
             "GET / HTTP/1.1\r\nHost: h\r\n",
             "GET / HTTP/1.0\r\n\r\nX",
             "GET / HTTP/1.0\nHost: h\n\n",
             "\r\n\r\n",
         }) {
        EXPECT_FALSE(check_head(head).has_value()) << head;
    }
}

TEST(HeadGuard, SalvagesWhatIsSound)
{
    Request request;
    salvage_head("GET /a?b HTTP/1.1\r\nAccept: x\r\nBad Name: y\r\nHost: h\r\nCut: z", request);
    EXPECT_EQ(request.method_text, "GET");
    EXPECT_EQ(request.path, "/a");
    EXPECT_EQ(request.query, "b");
    ASSERT_EQ(request.headers.size(), 2U);
    EXPECT_EQ(request.headers[0].value, "x");
    EXPECT_EQ(request.headers[1].name, "Host");

    Request nothing;
    salvage_head("\x16\x03\x01", nothing);
    EXPECT_TRUE(nothing.method_text.empty());
    EXPECT_TRUE(nothing.headers.empty());
}

TEST(HeadGuard, KnowsHosts)
{
    for (const std::string_view sound :
         {"a", "a.example", "a_b", "127.0.0.1:1", "[::1]", "[::ffff:1.2.3.4]:80", "a%20b", "a:", "a:65535"}) {
        EXPECT_TRUE(is_host(sound)) << sound;
    }
    for (const std::string_view unsound :
         {"",
          ":80",
          "a b",
          "a/b",
          "a?b",
          "a@b",
          "a:b",
          "a:-1",
          "a:65536",
          "a:1:2",
          "[]",
          "[",
          "[g]",
          "[::1]x",
          "a%2",
          "a\\b",
          "::1"}) {
        EXPECT_FALSE(is_host(unsound)) << unsound;
    }
}

}  // namespace kit::http
