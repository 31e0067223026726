#include "platform/config/values.hpp"

#include "platform/config/redis_address.hpp"

#include <gtest/gtest.h>

namespace kit::config {
namespace {

using namespace std::chrono_literals;

TEST(Duration, TakesSequencesOfNumberAndUnit)
{
    const std::pair<std::string_view, Duration> cases[] = {
        {"0", 0ms},           {"+0", 0ms},
        {"-0", 0ms},          {"0s", 0ms},
        {"500ms", 500ms},     {"1h30m", 90min},
        {"1.5h", 90min},      {".5s", 500ms},
        {"1.s", 1s},          {"2m3.5s", 123'500ms},
        {"1h1h", 2h},         {"-2s", -2s},
        {"+2s", 2s},          {"720h", 720h},
        {"1000us", 1ms},      {"1000\u00b5s", 1ms},
        {"1000\u03bcs", 1ms}, {"1000000ns", 1ms},
        {"0.1s", 100ms},      {"0.3s", 300ms},
        {"8ms", 8ms},         {"2562047h", 2'562'047h},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_EQ(parse_duration(text), expected) << text;
    }
}

TEST(Duration, RoundsFractionsOfAMillisecondAwayFromZero)
{
    EXPECT_EQ(parse_duration("1ns"), 1ms);
    EXPECT_EQ(parse_duration("1500us"), 2ms);
    EXPECT_EQ(parse_duration("-1us"), -1ms);
}

TEST(Duration, RefusesEverythingElse)
{
    for (const std::string_view text :
         {"",     "5",    "1d",  "1w",   "s", ".s", "1..5s", "1 s",      " 1s",   "1s ", "--1s", "+-1s",
          "1h30", "1e3s", "abc", "0x1s", "-", "+",  "1S",    "9999999h", "1s,2s", "nan", "infs"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

TEST(Duration, PrintsWhatItParses)
{
    for (const std::string_view text : {"0s", "1h30m", "500ms", "168h", "1m1s1ms", "-2s", "8ms"}) {
        EXPECT_EQ(format_duration(parse_duration(text).value()), text);
    }
}

TEST(Switch, TakesTheTwelveFormsOnly)
{
    for (const std::string_view text : {"1", "t", "T", "TRUE", "true", "True"}) {
        EXPECT_EQ(parse_bool(text), true) << text;
    }
    for (const std::string_view text : {"0", "f", "F", "FALSE", "false", "False"}) {
        EXPECT_EQ(parse_bool(text), false) << text;
    }
    for (const std::string_view text : {"", "yes", "on", "tRUE", "2", " true", "no"}) {
        EXPECT_EQ(parse_bool(text), std::nullopt) << text;
    }
}

TEST(Number, TakesDecimalsWithASign)
{
    EXPECT_EQ(parse_integer("12"), 12);
    EXPECT_EQ(parse_integer("+12"), 12);
    EXPECT_EQ(parse_integer("-1"), -1);
    for (const std::string_view text :
         {"", "+", "-", "+-1", "++1", "1.0", "1e3", "0x10", "12a", " 1", "9223372036854775808"}) {
        EXPECT_EQ(parse_integer(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_number("1.5"), 1.5);
    EXPECT_EQ(parse_number("+.5"), 0.5);
    EXPECT_EQ(parse_number("5."), 5.0);
    EXPECT_EQ(parse_number("2e-1"), 0.2);
    for (const std::string_view text : {"", "nan", "inf", "-inf", "1e999", "1,5", "0x1p3", "+-1", "one"}) {
        EXPECT_EQ(parse_number(text), std::nullopt) << text;
    }
}

TEST(List, TrimsAndDropsBlanks)
{
    using Entries = std::vector<std::string>;
    EXPECT_EQ(parse_list("a, b ,,c"), (Entries{"a", "b", "c"}));
    EXPECT_EQ(parse_list(" , ,"), Entries{});
    EXPECT_EQ(parse_list("one"), Entries{"one"});
}

TEST(Cidr, TakesBothFamiliesAndNothingElse)
{
    for (const std::string_view text :
         {"10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::/0", "2001:db8::/32", "::1/128"}) {
        EXPECT_TRUE(is_cidr(text)) << text;
    }
    for (const std::string_view text :
         {"10.0.0.0",
          "10.0.0.0/33",
          "10.0.0/8",
          "::/129",
          "10.0.0.0/",
          "10.0.0.0/-1",
          "10.0.0.0/8x",
          "/8",
          "a/8",
          ""}) {
        EXPECT_FALSE(is_cidr(text)) << text;
    }
}

TEST(HostPort, KnowsNamesAndAddresses)
{
    for (const std::string_view text : {"localhost:6379", "127.0.0.1:0", "[::1]:9090", "a-b.c_d:65535"}) {
        EXPECT_TRUE(is_host_port(text)) << text;
    }
    for (const std::string_view text :
         {"",
          "localhost",
          ":80",
          "a:",
          "a:65536",
          "a:x",
          "http://a:80",
          "::1:80",
          "[::1]",
          "[x]:1",
          "a b:1",
          "a/b:1"}) {
        EXPECT_FALSE(is_host_port(text)) << text;
    }
    EXPECT_TRUE(is_host_port("s3.example.com", false));
    EXPECT_TRUE(is_host_port("[::1]", false));
    EXPECT_FALSE(is_host_port("https://s3", false));
}

TEST(SqliteUrl, NamesAnAbsolutePath)
{
    EXPECT_EQ(parse_sqlite_url("sqlite:///var/lib/app.db"), "/var/lib/app.db");
    EXPECT_EQ(parse_sqlite_url("sqlite:///a%20b/c%2e"), "/a b/c.");
    for (const std::string_view url :
         {"sqlite://app.db",
          "sqlite:app.db",
          "sqlite:///",
          "sqlite:///a/",
          "sqlite:///a?mode=ro",
          "sqlite:///a#b",
          "sqlite:///%",
          "sqlite:///%2",
          "sqlite:///%zz",
          "sqlite:///%00",
          "sqlite:///%-1"}) {
        EXPECT_EQ(parse_sqlite_url(url), std::nullopt) << url;
    }
}

TEST(Quote, EscapesAndShortens)
{
    EXPECT_EQ(quote("a\"b\\c\n"), R"("a\"b\\c\x0a")");
    EXPECT_EQ(quote(std::string(65, 'x')), "\"" + std::string(64, 'x') + "…\"");
}

TEST(RedisAddress, OneSeveralOrSentinels)
{
    const auto one = parse_redis_address(" redis.internal:6379 ");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->endpoints, (std::vector<Endpoint>{{"redis.internal", 6379}}));
    EXPECT_EQ(one->sentinel_master, "");
    const auto several = parse_redis_address("one:1, [::1]:65535");
    ASSERT_TRUE(several);
    EXPECT_EQ(several->endpoints, (std::vector<Endpoint>{{"one", 1}, {"::1", 65'535}}));
    EXPECT_EQ(to_string(several->endpoints[1]), "[::1]:65535");
    const auto sentinels = parse_redis_address("sentinel://one:1,two:2/main");
    ASSERT_TRUE(sentinels);
    EXPECT_EQ(sentinels->endpoints, (std::vector<Endpoint>{{"one", 1}, {"two", 2}}));
    EXPECT_EQ(sentinels->sentinel_master, "main");
    for (const auto* const text :
         {"",
          "one",
          "one:",
          ":1",
          "one:0",
          "one:65536",
          "one:1,",
          ",one:1",
          "::1:6379",
          "redis://one:1",
          "one:1/0",
          "user@one:1",
          "sentinel://",
          "sentinel://one:1",
          "sentinel://one:1/",
          "sentinel:///main"}) {
        EXPECT_FALSE(parse_redis_address(text)) << text;
    }
}

}  // namespace
}  // namespace kit::config
