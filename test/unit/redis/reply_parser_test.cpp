#include "platform/redis/reply_parser.hpp"

#include <gmock/gmock.h>

namespace kit::test {
namespace {

using redis::Reply;
using redis::ReplyParser;
using Kind = redis::Reply::Kind;
using Outcome = redis::ReplyParser::Outcome;
using namespace std::string_view_literals;

// As one line, to compare.
std::string print(const Reply& reply)
{
    switch (reply.kind) {
        case Kind::nil:
            return "nil";
        case Kind::integer:
            return std::to_string(reply.integer);
        case Kind::text:
            return "\"" + reply.text + "\"";
        case Kind::error:
            return "!" + reply.text;
        case Kind::array: {
            std::string out = "[";
            for (const auto& item : reply.items) {
                out += print(item) + " ";
            }
            return out + "]";
        }
    }
    return "";
}

// All replies in the bytes, which come in pieces of `piece`; "malformed" or "incomplete" at the end.
std::string parse(std::string_view bytes, std::size_t piece = std::string_view::npos)
{
    ReplyParser parser;
    std::string out;
    while (true) {
        Reply reply;
        switch (parser.next(reply)) {
            case Outcome::reply:
                out += print(reply) + ";";
                break;
            case Outcome::malformed:
                return out + "malformed";
            case Outcome::incomplete:
                if (bytes.empty()) {
                    return out;
                }
                parser.feed(bytes.substr(0, piece));
                bytes.remove_prefix(std::min(piece, bytes.size()));
        }
    }
}

struct Case {
    std::string_view bytes;
    std::string expected;
};

const std::vector<Case>& cases()
{
    static const std::vector<Case> all{
        {"+OK\r\n", "\"OK\";"},
        {"+\r\n", "\"\";"},
        {"-ERR wrong\r\n", "!ERR wrong;"},
        {":-42\r\n", "-42;"},
        {"$5\r\na\r\nbc\r\n", "\"a\r\nbc\";"},
        {"$0\r\n\r\n", "\"\";"},
        {"$-1\r\n", "nil;"},
        {"*-1\r\n", "nil;"},
        {"*0\r\n", "[];"},
        {"*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n", "[\"a\" [1 nil ] ];"},
        {"+a\r\n+b\r\n:3\r\n", "\"a\";\"b\";3;"},
        // RESP3
        {"_\r\n", "nil;"},
        {"#t\r\n#f\r\n", "1;0;"},
        {",1.5\r\n", "\"1.5\";"},
        {"(12345678901234567890\r\n", "\"12345678901234567890\";"},
        {"!9\r\nERR wrong\r\n", "!ERR wrong;"},
        {"=6\r\ntxt:ab\r\n", "\"ab\";"},
        {"%1\r\n+key\r\n:1\r\n", "[\"key\" 1 ];"},
        {"~2\r\n:1\r\n:2\r\n", "[1 2 ];"},
        {">2\r\n+invalidate\r\n*1\r\n+k\r\n+OK\r\n", "\"OK\";"},
        {"|1\r\n+ttl\r\n:1\r\n+OK\r\n", "\"OK\";"},
        {"|0\r\n+OK\r\n", "\"OK\";"},
    };
    return all;
}

TEST(ReplyParser, ReadsEveryType)
{
    for (const auto& [bytes, expected] : cases()) {
        EXPECT_EQ(parse(bytes), expected) << bytes;
    }
}

TEST(ReplyParser, ReadsPiecesOfAnySize)
{
    for (const auto& [bytes, expected] : cases()) {
        for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
            EXPECT_EQ(parse(bytes, piece), expected) << bytes << " by " << piece;
        }
    }
}

TEST(ReplyParser, RefusesWhatIsNoReply)
{
    for (const auto bytes :
         {"HTTP/1.1 400 Bad Request\r\n"sv,
          "\r\n"sv,
          "x"sv,
          ":\r\n"sv,
          ":1x\r\n"sv,
          ":1 \r\n"sv,
          ":99999999999999999999\r\n"sv,
          "$x\r\n"sv,
          "$-2\r\n"sv,
          "$2\r\nabc\r\n"sv,
          "$?\r\n"sv,
          "*x\r\n"sv,
          "*-2\r\n"sv,
          "#x\r\n"sv,
          "_x\r\n"sv,
          ",\r\n"sv,
          "=3\r\nabc\r\n"sv,
          "=4\r\nabcd\r\n"sv,
          ">0\r\n"sv,
          "*1\r\n>1\r\n+a\r\n"sv,
          "\0\0\0\0"sv}) {
        EXPECT_EQ(parse(bytes), "malformed") << bytes;
        EXPECT_EQ(parse(bytes, 1), "malformed") << bytes;
    }
}

TEST(ReplyParser, StaysMalformed)
{
    EXPECT_EQ(parse("+a\r\n?\r\n+b\r\n"), "\"a\";malformed");
}

std::string nested(std::size_t depth)
{
    std::string bytes;
    for (std::size_t level = 0; level < depth; ++level) {
        bytes += "*1\r\n";
    }
    return bytes + ":1\r\n";
}

TEST(ReplyParser, LimitsDepth)
{
    EXPECT_THAT(parse(nested(ReplyParser::depth_max)), testing::EndsWith("];"));
    EXPECT_EQ(parse(nested(ReplyParser::depth_max + 1)), "malformed");
}

TEST(ReplyParser, LimitsText)
{
    const auto text = [](std::size_t size) {
        return "$" + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n";
    };
    EXPECT_EQ(parse(text(ReplyParser::bytes_max)), "malformed") << "its header counts, too";
    EXPECT_EQ(parse(text(ReplyParser::bytes_max - 100)).size(), ReplyParser::bytes_max - 100 + 3);
    EXPECT_EQ(parse("$99999999999\r\n"), "malformed") << "at once";
}

TEST(ReplyParser, LimitsLines)
{
    EXPECT_EQ(
        parse("+" + std::string(ReplyParser::line_bytes_max - 3, 'x') + "\r\n").size(),
        ReplyParser::line_bytes_max
    );
    EXPECT_EQ(parse("+" + std::string(ReplyParser::line_bytes_max, 'x')), "malformed");
}

TEST(ReplyParser, LimitsElements)
{
    const auto array = [](std::size_t count) {
        std::string bytes = "*" + std::to_string(count) + "\r\n";
        for (std::size_t index = 0; index < count; ++index) {
            bytes += "_\r\n";
        }
        return bytes;
    };
    EXPECT_THAT(parse(array(ReplyParser::elements_max - 1)), testing::EndsWith("];"));
    EXPECT_EQ(parse(array(ReplyParser::elements_max)), "malformed") << "the array counts, too";
    EXPECT_EQ(parse("*999999999\r\n"), "malformed") << "at once";
}

TEST(ReplyParser, CountsEachReplyForItself)
{
    std::string bytes;
    for (std::size_t index = 0; index < 3; ++index) {
        bytes += "*100000\r\n";
        for (int item = 0; item < 100'000; ++item) {
            bytes += "_\r\n";
        }
    }
    EXPECT_THAT(parse(bytes), testing::Not(testing::HasSubstr("malformed")));
}

}  // namespace
}  // namespace kit::test
