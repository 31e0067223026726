#include "platform/http/client_address.hpp"

#include <gtest/gtest.h>

namespace kit::http {
namespace {

TEST(IpAddress, ParsesAndPrintsCanonically)
{
    const std::vector<std::pair<std::string, std::string>> cases{
        {"192.0.2.7", "192.0.2.7"},
        {" 192.0.2.7:4711 ", "192.0.2.7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"[2001:DB8:0:0::1]:443", "2001:db8::1"},
        {"[::1]", "::1"},
        {"2001:db8::1", "2001:db8::1"},
    };
    for (const auto& [text, canonical] : cases) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), canonical);
    }
    for (const auto* text :
         {"",
          "unknown",
          "1.2.3",
          "1.2.3.4.5",
          "1.2.3.256",
          "01.2.3.4x",
          "[::1",
          "[::1]x",
          "[::1]:",
          "1.2.3.4:port",
          "1.2.3.4:123456",
          "fe80::1%eth0",
          "_hidden",
          "1.2.3.4, 5.6.7.8"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddress, LimiterKeyOfIpv6IsItsNetwork)
{
    EXPECT_EQ(IpAddress::parse("192.0.2.7")->limiter_key(), "192.0.2.7");
    EXPECT_EQ(IpAddress::parse("2001:db8:1:2:3:4:5:6")->limiter_key(), "2001:db8:1:2::/64");
}

TEST(AddressRange, Contains)
{
    const auto inside = [](const char* range, const char* address) {
        return AddressRange::parse(range)->contains(*IpAddress::parse(address));
    };
    EXPECT_TRUE(inside("10.0.0.0/8", "10.255.0.1"));
    EXPECT_FALSE(inside("10.0.0.0/8", "11.0.0.1"));
    EXPECT_TRUE(inside("10.0.0.0/8", "::ffff:10.0.0.1"));
    EXPECT_TRUE(inside("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(inside("192.0.2.7", "192.0.2.8"));
    EXPECT_TRUE(inside("192.0.2.0/31", "192.0.2.1"));
    EXPECT_TRUE(inside("0.0.0.0/0", "192.0.2.1"));
    EXPECT_FALSE(inside("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(inside("2001:db8::/32", "2001:db8:ffff::1"));
    EXPECT_TRUE(inside("::/0", "2001:db8:ffff::1"));
    for (const auto* text : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "x/8"}) {
        EXPECT_FALSE(AddressRange::parse(text)) << text;
    }
}

std::string client(
    std::string_view peer, const std::vector<std::string>& forwarded, const std::vector<std::string>& trusted
)
{
    Request request;
    request.peer = peer;
    for (const auto& value : forwarded) {
        request.headers.push_back({"X-Forwarded-For", value});
    }
    std::vector<AddressRange> ranges;
    for (const auto& range : trusted) {
        ranges.push_back(*AddressRange::parse(range));
    }
    return client_address(request, ranges);
}

TEST(ClientAddress, ForwardingHeadersCountOnlyFromATrustedPeer)
{
    EXPECT_EQ(client("203.0.113.1", {"198.51.100.1"}, {}), "203.0.113.1");
    EXPECT_EQ(client("203.0.113.1", {"198.51.100.1"}, {"10.0.0.0/8"}), "203.0.113.1");
    EXPECT_EQ(client("127.0.0.1", {"198.51.100.1"}, {}), "127.0.0.1") << "loopback is not trusted by itself";
    EXPECT_EQ(client("10.0.0.1", {"198.51.100.1"}, {"10.0.0.0/8"}), "198.51.100.1");
}

TEST(ClientAddress, IsTheRightMostThatIsNoProxy)
{
    const std::vector<std::string> trusted{"10.0.0.0/8"};
    EXPECT_EQ(client("10.0.0.1", {"1.1.1.1, 198.51.100.1:99, 10.9.9.9"}, trusted), "198.51.100.1");
    EXPECT_EQ(client("10.0.0.1", {"1.1.1.1", "198.51.100.1"}, trusted), "198.51.100.1")
        << "several lines are one list";
    EXPECT_EQ(client("10.0.0.1", {"10.0.0.3, 10.0.0.2"}, trusted), "10.0.0.3") << "all proxies: the farthest";
    EXPECT_EQ(client("10.0.0.1", {"198.51.100.1, unknown"}, trusted), "10.0.0.1")
        << "nothing left of garbage is believed";
    EXPECT_EQ(client("10.0.0.1", {}, trusted), "10.0.0.1");
}

}  // namespace
}  // namespace kit::http
