#include "platform/http/parser.hpp"

#include "platform/http/chunked.hpp"
#include "support/raw_requests.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace kit::http {

namespace {

constexpr ChunkedLimits chunked_limits{
    .body_bytes_max = 64, .extension_bytes_max = 32, .trailer_bytes_max = 64
};

Request parse(std::string_view head)
{
    Request request;
    const auto facts = check_head(head);
    EXPECT_TRUE(facts.has_value()) << head;
    EXPECT_TRUE(parse_head(head, facts.value_or(HeadFacts{}), request).has_value()) << head;
    return request;
}

struct Decoded {
    std::string body;
    std::size_t used = 0;
    bool done = false;
    bool refused = false;

    bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, const std::vector<std::size_t>& cuts)
{
    ChunkedDecoder decoder(chunked_limits);
    Decoded decoded;
    std::size_t from = 0;
    for (std::size_t index = 0; index <= cuts.size() && !decoder.done(); ++index) {
        const auto to = index == cuts.size() ? bytes.size() : cuts[index];
        const auto used = decoder.feed(bytes.substr(from, to - from), decoded.body);
        if (!used) {
            return {.body = {}, .used = 0, .done = false, .refused = true};
        }
        decoded.used += *used;
        from = to;
    }
    decoded.done = decoder.done();
    return decoded;
}

}  // namespace

TEST(Parser, FillsTheRequest)
{
    const auto request = parse(
        "PATCH /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nCookie: a=b\r\nx-one: 2\r\nContent-Length: "
        "3\r\n\r\n"
    );
    EXPECT_EQ(request.method, Method::patch);
    EXPECT_EQ(request.method_text, "PATCH");
    EXPECT_EQ(request.target, "/a/b?c=d");
    EXPECT_EQ(request.path, "/a/b");
    EXPECT_EQ(request.query, "c=d");
    EXPECT_FALSE(request.http_1_0);
    ASSERT_EQ(request.headers.size(), 5U);
    EXPECT_EQ(request.headers[1].name, "X-One");
    EXPECT_EQ(request.headers[1].value, "1");
    EXPECT_EQ(request.headers[3].value, "2");
}

TEST(Parser, KnowsTheMethods)
{
    using enum Method;
    const std::pair<std::string_view, Method> methods[] = {
        {"GET", get},
        {"HEAD", head},
        {"POST", post},
        {"PUT", put},
        {"PATCH", patch},
        {"DELETE", del},
        {"OPTIONS", options},
        {"TRACE", other},
        {"get", other},
        {"GETS", other},
    };
    for (const auto& [text, method] : methods) {
        EXPECT_EQ(method_from(text), method) << text;
        EXPECT_EQ(parse(std::string(text) + " / HTTP/1.0\r\n\r\n").method, method) << text;
    }
}

TEST(Parser, ReusesARequest)
{
    Request request;
    request.peer = "127.0.0.1";
    for (int round = 0; round < 2; ++round) {
        const std::string_view head = "GET / HTTP/1.0\r\nA: b\r\n\r\n";
        ASSERT_TRUE(parse_head(head, *check_head(head), request).has_value());
        EXPECT_EQ(request.headers.size(), 1U);
        EXPECT_TRUE(request.http_1_0);
        EXPECT_EQ(request.peer, "127.0.0.1");
    }
}

TEST(Parser, AgreesWithTheGuard)
{
    for (const auto& sound : test::sound_requests()) {
        HeadScanner scanner;
        const auto scanned = scanner.scan(
            sound.bytes, {.request_line_bytes_max = 8192, .header_bytes_max = 16384, .header_fields_max = 100}
        );
        ASSERT_TRUE(scanned.has_value()) << sound.name;
        const auto head =
            std::string_view(sound.bytes).substr(scanner.begin(), scanner.end() - scanner.begin());
        Request by_beast = parse(head);
        Request by_guard;
        salvage_head(head, by_guard);
        EXPECT_EQ(by_beast.method_text, by_guard.method_text) << sound.name;
        EXPECT_EQ(by_beast.target, by_guard.target) << sound.name;
        EXPECT_EQ(by_beast.http_1_0, by_guard.http_1_0) << sound.name;
        ASSERT_EQ(by_beast.headers.size(), by_guard.headers.size()) << sound.name;
        for (std::size_t index = 0; index < by_guard.headers.size(); ++index) {
            EXPECT_EQ(by_beast.headers[index].name, by_guard.headers[index].name) << sound.name;
            EXPECT_EQ(by_beast.headers[index].value, by_guard.headers[index].value) << sound.name;
        }
    }
}

TEST(ChunkedDecoder, DecodesAndStopsAtTheEnd)
{
    const std::string_view bytes =
        "5;x=\"y\"\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n";
    const auto decoded = decode(bytes, {});
    EXPECT_TRUE(decoded.done);
    EXPECT_EQ(decoded.body, "hello, world");
    EXPECT_EQ(bytes.substr(decoded.used), "GET / HTTP/1.1\r\n");
}

TEST(ChunkedDecoder, KeepsTheBodyLimit)
{
    const std::string at_limit = "40\r\n" + std::string(64, 'x') + "\r\n0\r\n\r\n";
    EXPECT_TRUE(decode(at_limit, {}).done);
    EXPECT_TRUE(decode("20\r\n" + std::string(32, 'x') + "\r\n21\r\n", {}).refused);
    EXPECT_TRUE(decode("41\r\n", {}).refused);
}

// The same bytes, cut anywhere, mean the same. Bodies are sound ones with a few bytes changed, so that both
// outcomes occur.
TEST(ChunkedDecoder, DoesNotSeeHowBytesAreCut)
{
    std::mt19937 random(7);
    const std::string sound = "5;a=b\r\nhello\r\n2;c=\"d\\\"e\"\r\nhi\r\n00\r\nX-A: b\r\nX-B: c\r\n\r\nrest";
    const std::string_view letters = "0159aAfg;=\"\\\r\n :\tx";
    std::size_t refused = 0;
    for (int round = 0; round < 4000; ++round) {
        auto bytes = sound;
        for (auto changes = random() % 3; changes > 0; --changes) {
            bytes[random() % bytes.size()] = letters[random() % letters.size()];
        }
        std::vector<std::size_t> cuts(random() % 6);
        for (auto& cut : cuts) {
            cut = random() % bytes.size();
        }
        std::ranges::sort(cuts);
        std::vector<std::size_t> each(bytes.size());
        std::ranges::generate(each, [next = std::size_t{0}]() mutable { return next++; });
        const auto whole = decode(bytes, {});
        ASSERT_EQ(whole, decode(bytes, cuts)) << bytes;
        ASSERT_EQ(whole, decode(bytes, each)) << bytes;
        refused += whole.refused ? 1 : 0;
    }
    EXPECT_GT(refused, 100U);
    EXPECT_LT(refused, 3900U);
}

}  // namespace kit::http
