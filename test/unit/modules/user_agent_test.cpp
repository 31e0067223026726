// What the list of devices says of real user agents.
#include "modules/sessions/sessions.hpp"

#include <gtest/gtest.h>

namespace kit::sessions {
namespace {

#define WEBKIT " AppleWebKit/537.36 (KHTML, like Gecko) "

struct Case {
    std::string_view user_agent;
    std::string_view browser;
    std::string_view os;
    std::string_view device;
};

constexpr Case cases[] = {
    // Desktop browsers.
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/126.0.0.0 Safari/537.36",
     "Chrome",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" WEBKIT "Chrome/126.0.0.0 Safari/537.36",
     "Chrome",
     "macOS",
     "desktop"},
    {"Mozilla/5.0 (X11; Linux x86_64)" WEBKIT "Chrome/126.0.0.0 Safari/537.36", "Chrome", "Linux", "desktop"},
    {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" WEBKIT "Chrome/126.0.0.0 Safari/537.36",
     "Chrome",
     "ChromeOS",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
     "Firefox",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
     "Firefox",
     "Linux",
     "desktop"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0",
     "Firefox",
     "macOS",
     "desktop"},
    {"Mozilla/5.0 (X11; FreeBSD amd64; rv:127.0) Gecko/20100101 Firefox/127.0",
     "Firefox",
     "FreeBSD",
     "desktop"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
     "Safari/605.1.15",
     "Safari",
     "macOS",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.68",
     "Edge",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763",
     "Edge",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0",
     "Opera",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (X11; Linux x86_64)" WEBKIT "Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.46",
     "Vivaldi",
     "Linux",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT
     "Chrome/124.0.0.0 YaBrowser/24.6.1.852 Yowser/2.5 Safari/537.36",
     "Yandex Browser",
     "Windows",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
     "Internet Explorer",
     "Windows",
     "desktop"},
    {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
     "Internet Explorer",
     "Windows",
     "desktop"},
    {"Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "Opera", "Windows", "desktop"},
    {"Mozilla/5.0 (X11; Linux x86_64)" WEBKIT "HeadlessChrome/126.0.0.0 Safari/537.36",
     "Headless Chrome",
     "Linux",
     "desktop"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" WEBKIT
     "Slack/4.38.125 Chrome/124.0.6367.118 Electron/30.0.2 Safari/537.36",
     "Electron",
     "Windows",
     "desktop"},
    // Phones.
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "Version/17.5 "
     "Mobile/15E148 Safari/604.1",
     "Safari",
     "iOS",
     "mobile"},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "CriOS/126.0.6478.54 "
     "Mobile/15E148 Safari/604.1",
     "Chrome",
     "iOS",
     "mobile"},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 14_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "FxiOS/128.0 "
     "Mobile/15E148 Safari/605.1.15",
     "Firefox",
     "iOS",
     "mobile"},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "Version/17.0 "
     "EdgiOS/126.0.2592.56 Mobile/15E148 Safari/605.1.15",
     "Edge",
     "iOS",
     "mobile"},
    {"Mozilla/5.0 (Linux; Android 10; K)" WEBKIT "Chrome/126.0.0.0 Mobile Safari/537.36",
     "Chrome",
     "Android",
     "mobile"},
    {"Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0", "Firefox", "Android", "mobile"},
    {"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B)" WEBKIT
     "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
     "Samsung Internet",
     "Android",
     "mobile"},
    {"Mozilla/5.0 (Linux; Android 10; HD1913)" WEBKIT
     "Chrome/126.0.6478.50 Mobile Safari/537.36 EdgA/125.0.2535.72",
     "Edge",
     "Android",
     "mobile"},
    {"Mozilla/5.0 (Linux; Android 12; CUBOT X50)" WEBKIT "Chrome/126.0.0.0 Mobile Safari/537.36",
     "Chrome",
     "Android",
     "mobile"},
    {"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv)" WEBKIT
     "Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36",
     "Android WebView",
     "Android",
     "mobile"},
    {"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950)" WEBKIT
     "Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254",
     "Edge",
     "Windows Phone",
     "mobile"},
    {"Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10",
     "Opera",
     "unknown",
     "mobile"},
    {"Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
     "Firefox",
     "KaiOS",
     "mobile"},
    // Tablets.
    {"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
     "Mobile/15E148 "
     "Safari/604.1",
     "Safari",
     "iPadOS",
     "tablet"},
    {"Mozilla/5.0 (Linux; Android 13; SM-X906C)" WEBKIT "Chrome/126.0.0.0 Safari/537.36",
     "Chrome",
     "Android",
     "tablet"},
    {"Mozilla/5.0 (Android 12; Tablet; rv:128.0) Gecko/128.0 Firefox/128.0", "Firefox", "Android", "tablet"},
    {"Mozilla/5.0 (Linux; Android 9; KFMAWI)" WEBKIT "Silk/108.4.6 like Chrome/108.0.5359.160 Safari/537.36",
     "Silk",
     "Android",
     "tablet"},
    // Crawlers and programs.
    {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "unknown", "bot"
    },
    {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0 Safari/537.36",
     "Bingbot",
     "unknown",
     "bot"},
    {"Mozilla/5.0 (compatible; SomeCrawler/1.0)", "unknown", "unknown", "bot"},
    {"facebookexternalhit/1.1", "Facebook", "unknown", "bot"},
    {"curl/8.5.0", "curl", "unknown", "script"},
    {"Wget/1.21.4 (linux-gnu)", "Wget", "unknown", "script"},
    {"PostmanRuntime/7.39.0", "Postman", "unknown", "script"},
    {"python-requests/2.32.3", "Python Requests", "unknown", "script"},
    {"Go-http-client/2.0", "Go", "unknown", "script"},
    {"okhttp/4.12.0", "OkHttp", "unknown", "script"},
    {"Dart/3.4 (dart:io)", "Dart", "unknown", "script"},
    {"MyApp/7 CFNetwork/1496.0.7 Darwin/23.5.0", "CFNetwork", "macOS", "script"},
    // Nothing to say.
    {"", "unknown", "unknown", "unknown"},
    {"Mozilla/5.0", "unknown", "unknown", "unknown"},
    {"\xff\xfe\x80", "unknown", "unknown", "unknown"},
};

TEST(UserAgents, NameBrowserSystemAndDevice)
{
    for (const auto& each : cases) {
        const auto client = describe_user_agent(each.user_agent);
        EXPECT_EQ(client.browser, each.browser) << each.user_agent;
        EXPECT_EQ(client.os, each.os) << each.user_agent;
        EXPECT_EQ(client.device, each.device) << each.user_agent;
    }
}

}  // namespace
}  // namespace kit::sessions
