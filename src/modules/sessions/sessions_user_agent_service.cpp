// What stands in a User-Agent, by the signs that browsers have come to carry: nearly all say that they are
// Mozilla, most that they are Chrome or Safari too, so the more special sign comes first.
#include "modules/sessions/sessions.hpp"
#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::sessions {

namespace {

struct Sign {
    std::string_view text;  // as it stands in the user agent
    std::string_view name;
};

constexpr std::string_view unknown = "unknown";

constexpr auto bots = std::to_array<Sign>({
    {"Googlebot", "Googlebot"},
    {"bingbot", "Bingbot"},
    {"DuckDuckBot", "DuckDuckBot"},
    {"YandexBot", "YandexBot"},
    {"Baiduspider", "Baiduspider"},
    {"Applebot", "Applebot"},
    {"facebookexternalhit", "Facebook"},
    {"Twitterbot", "Twitterbot"},
    {"Slackbot", "Slackbot"},
    {"UptimeRobot", "UptimeRobot"},
});

// Tools that people and programs call from.
constexpr auto scripts = std::to_array<Sign>({
    {"curl/", "curl"},
    {"Wget/", "Wget"},
    {"PostmanRuntime/", "Postman"},
    {"insomnia/", "Insomnia"},
    {"HTTPie/", "HTTPie"},
    {"python-requests/", "Python Requests"},
    {"python-httpx/", "HTTPX"},
    {"Python/", "Python"},
    {"Go-http-client/", "Go"},
    {"okhttp/", "OkHttp"},
    {"axios/", "Axios"},
    {"node-fetch/", "node-fetch"},
    {"undici", "undici"},
    {"Apache-HttpClient/", "Apache HttpClient"},
    {"Java/", "Java"},
    {"Dart/", "Dart"},
    {"CFNetwork/", "CFNetwork"},
});

constexpr auto browsers = std::to_array<Sign>({
    {"EdgA/", "Edge"},
    {"EdgiOS/", "Edge"},
    {"Edg/", "Edge"},
    {"Edge/", "Edge"},
    {"OPR/", "Opera"},
    {"OPiOS/", "Opera"},
    {"OPT/", "Opera"},
    {"Opera", "Opera"},
    {"SamsungBrowser/", "Samsung Internet"},
    {"Vivaldi/", "Vivaldi"},
    {"YaBrowser/", "Yandex Browser"},
    {"UCBrowser/", "UC Browser"},
    {"MiuiBrowser/", "MIUI Browser"},
    {"HuaweiBrowser/", "Huawei Browser"},
    {"DuckDuckGo/", "DuckDuckGo"},
    {"Brave/", "Brave"},
    {"Silk/", "Silk"},
    {"FxiOS/", "Firefox"},
    {"Focus/", "Firefox Focus"},
    {"Seamonkey/", "SeaMonkey"},
    {"Firefox/", "Firefox"},
    {"CriOS/", "Chrome"},
    {"HeadlessChrome/", "Headless Chrome"},
    {"Electron/", "Electron"},
    {"; wv)", "Android WebView"},
    {"Chromium/", "Chromium"},
    {"Chrome/", "Chrome"},
    {"Trident/", "Internet Explorer"},
    {"MSIE ", "Internet Explorer"},
    {"Safari/", "Safari"},
    {"AppleWebKit/", "WebKit"},
});

constexpr auto systems = std::to_array<Sign>({
    {"Windows Phone", "Windows Phone"},
    {"Windows", "Windows"},
    {"iPhone", "iOS"},
    {"iPad", "iPadOS"},
    {"iPod", "iOS"},
    {"Android", "Android"},
    {"CrOS", "ChromeOS"},
    {"Mac OS X", "macOS"},
    {"Macintosh", "macOS"},
    {"KAIOS", "KaiOS"},
    {"Tizen", "Tizen"},
    {"Linux", "Linux"},
    {"FreeBSD", "FreeBSD"},
    {"OpenBSD", "OpenBSD"},
    {"Darwin", "macOS"},
});

constexpr auto tablets = std::to_array<std::string_view>({"iPad", "Tablet", "Kindle", "Silk/"});
constexpr auto phones =
    std::to_array<std::string_view>({"Mobile", "iPhone", "iPod", "Windows Phone", "KAIOS", "Opera Mini"});
constexpr auto crawler_words = std::to_array<std::string_view>({"bot", "crawler", "spider"});

std::string_view find_name(std::span<const Sign> signs, std::string_view text)
{
    const auto found =
        std::ranges::find_if(signs, [text](const Sign& sign) { return text.contains(sign.text); });
    return found == signs.end() ? std::string_view() : found->name;
}

bool contains_any(std::string_view text, std::span<const std::string_view> words)
{
    return std::ranges::any_of(words, [text](std::string_view word) { return text.contains(word); });
}

// An Android without "Mobile" is a tablet, by Google's rule for its user agents.
std::string_view device_of_browser(std::string_view text, std::string_view os)
{
    if (contains_any(text, tablets)) {
        return "tablet";
    }
    if (contains_any(text, phones)) {
        return "mobile";
    }
    if (os == "Android") {
        return "tablet";
    }
    return os.empty() ? unknown : "desktop";
}

}  // namespace

Client describe_user_agent(std::string_view text)
{
    const auto os = find_name(systems, text);
    const auto named = [](std::string_view name) { return name.empty() ? unknown : name; };
    if (const auto bot = find_name(bots, text); !bot.empty()) {
        return {.browser = bot, .os = named(os), .device = "bot"};
    }
    if (const auto browser = find_name(browsers, text); text.starts_with("Mozilla/") || browser == "Opera") {
        const auto lower = to_lower(text);
        const bool crawls = contains_any(lower, crawler_words) && !lower.contains("cubot");
        return {
            .browser = named(browser),
            .os = named(os),
            .device = crawls ? std::string_view("bot") : device_of_browser(text, os)
        };
    }
    if (const auto script = find_name(scripts, text); !script.empty()) {
        return {.browser = script, .os = named(os), .device = "script"};
    }
    const bool crawls = contains_any(to_lower(text), crawler_words);
    return {.browser = unknown, .os = named(os), .device = crawls ? std::string_view("bot") : unknown};
}

}  // namespace kit::sessions
