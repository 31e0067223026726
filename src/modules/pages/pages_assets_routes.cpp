#include "modules/pages/pages_assets_routes.hpp"

#include <array>
#include <charconv>
#include <cstdint>

namespace kit::pages {

namespace {

constexpr std::string_view style = R"css(:root {
  color-scheme: light dark;
  --page: #f4f5f7;
  --card: #ffffff;
  --text: #16191f;
  --soft: #555d6b;
  --line: #848c99;
  --edge: #dde1e7;
  --accent: #1d4ed8;
  --accent-strong: #1e3fae;
  --on-accent: #ffffff;
  --bad: #b42318;
  --bad-back: #fef3f2;
  --good: #05603a;
  --good-back: #ecfdf3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1218;
    --card: #181c24;
    --text: #eceef2;
    --soft: #a9b1be;
    --line: #737c8b;
    --edge: #2b313c;
    --accent: #8fb0ff;
    --accent-strong: #b3c9ff;
    --on-accent: #0d1526;
    --bad: #ffb4ab;
    --bad-back: #3b1512;
    --good: #86e3b4;
    --good-back: #0d2c1d;
  }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0;
  min-height: 100vh;
  padding: 1.5rem 1rem 3rem;
  background: var(--page);
  color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
header, main, footer { width: 100%; max-width: 26rem; margin: 0 auto; }
.wide header, .wide main { max-width: 40rem; }
header { display: flex; align-items: center; gap: 0.6rem; padding: 1.5rem 0.25rem 1.25rem; font-weight: 600; }
header img { width: 1.75rem; height: 1.75rem; }
main {
  padding: 2rem;
  background: var(--card);
  border: 1px solid var(--edge);
  border-radius: 0.875rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / 6%), 0 8px 24px rgb(0 0 0 / 6%);
}
h1 { margin: 0 0 1.25rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; }
h2 { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.5rem; margin: 0; font-size: 1rem; line-height: 1.4; }
p { margin: 0 0 1rem; }
a { color: var(--accent); text-underline-offset: 0.15em; }
a:hover { color: var(--accent-strong); }
.lead { color: var(--soft); overflow-wrap: anywhere; }
.field { margin: 0 0 1.25rem; }
label { display: block; margin: 0 0 0.35rem; font-weight: 600; }
.hint { margin: 0 0 0.4rem; color: var(--soft); font-size: 0.875rem; }
input {
  display: block;
  width: 100%;
  padding: 0.625rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: inherit;
  font: inherit;
}
input[aria-invalid="true"] { border-color: var(--bad); box-shadow: inset 0 0 0 1px var(--bad); }
.error { margin: 0.4rem 0 0; color: var(--bad); font-size: 0.875rem; }
.notice { margin: 0 0 1.25rem; padding: 0.75rem 1rem; border-radius: 0.5rem; border-left: 4px solid; overflow-wrap: anywhere; }
.notice.bad { background: var(--bad-back); color: var(--bad); }
.notice.good { background: var(--good-back); color: var(--good); }
button, .button {
  display: block;
  width: 100%;
  padding: 0.65rem 1rem;
  border: 1px solid transparent;
  border-radius: 0.5rem;
  background: var(--accent);
  color: var(--on-accent);
  font: inherit;
  font-weight: 600;
  text-align: center;
  text-decoration: none;
  cursor: pointer;
}
button:hover, .button:hover { background: var(--accent-strong); color: var(--on-accent); }
button.quiet, .button {
  background: transparent;
  border-color: var(--line);
  color: var(--text);
}
button.quiet:hover, .button:hover { background: var(--page); color: var(--text); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.or { display: flex; align-items: center; gap: 0.75rem; margin: 1.25rem 0; color: var(--soft); font-size: 0.875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--edge); }
.stack > * + * { margin-top: 0.75rem; }
.links { margin: 1.5rem 0 0; padding: 1.25rem 0 0; border-top: 1px solid var(--edge); list-style: none; font-size: 0.9375rem; }
.links li + li { margin-top: 0.5rem; }
.devices { margin: 0 0 1.5rem; padding: 0; list-style: none; }
.devices li { display: flex; align-items: center; gap: 1rem; padding: 1rem 0; border-top: 1px solid var(--edge); }
.devices li:last-child { border-bottom: 1px solid var(--edge); }
.devices li > div { flex: 1; min-width: 0; }
.devices p { margin: 0.15rem 0 0; color: var(--soft); font-size: 0.875rem; overflow-wrap: anywhere; }
.devices button { width: auto; white-space: nowrap; }
.badge {
  padding: 0.05rem 0.5rem;
  border-radius: 1rem;
  background: var(--good-back);
  color: var(--good);
  font-size: 0.8125rem;
  font-weight: 600;
}
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 30rem) {
  main { padding: 1.5rem 1.25rem; }
  .devices li { flex-direction: column; align-items: stretch; }
  .devices button { width: 100%; }
}
@media (forced-colors: active) {
  button, .button, main, .notice { border: 1px solid; }
}
)css";

constexpr std::string_view script = R"js("use strict";
// Tells this device's owner at once when its session has ended, wherever that was done.
(() => {
  if (!window.EventSource) return;
  const stream = new EventSource("/api/v1/me/events");
  stream.addEventListener("session.ended", () => {
    stream.close();
    location.replace("/account/sign-in?note=ended");
  });
  // Who signs out here learns it from the answer.
  addEventListener("submit", () => stream.close());
  // Refused for good: the tokens have expired, or the session ended while nobody listened. The page finds out.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 30000);
  });
})();
)js";

constexpr std::string_view icon =
    R"svg(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1d4ed8"/><path d="M16 8a5 5 0 0 0-5 5v2h-1v9h12v-9h-1v-2a5 5 0 0 0-5-5zm-2.5 7v-2a2.5 2.5 0 0 1 5 0v2z" fill="#fff"/></svg>
)svg";

// FNV-1a: tells one version from another.
constexpr std::uint64_t version_of(std::string_view text)
{
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char letter : text) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ULL;
    }
    return hash;
}

std::string address_of(std::string_view path, std::string_view text)
{
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), version_of(text), 16).ptr;
    return std::string(path).append("?v=").append(digits.data(), end);
}

struct Asset {
    std::string_view path;
    std::string_view type;
    std::string_view text;
    std::string_view summary;
};

constexpr Asset style_asset{
    "/account/assets/style.css", "text/css; charset=utf-8", style, "The pages' style"
};
constexpr Asset script_asset{
    "/account/assets/devices.js", "text/javascript; charset=utf-8", script, "The pages' live updates"
};
constexpr Asset icon_asset{"/account/assets/icon.svg", "image/svg+xml", icon, "The pages' icon"};

Task<http::Reply> show(const Asset& asset, http::RequestContext& /*ctx*/)
{
    http::Response response{.payload = http::Payload::complete, .body = std::string(asset.text)};
    response.set("Content-Type", std::string(asset.type));
    response.set("Cache-Control", "public, max-age=31536000, immutable");
    co_return response;
}

}  // namespace

const std::string& style_address()
{
    static const auto address = address_of(style_asset.path, style_asset.text);
    return address;
}

const std::string& script_address()
{
    static const auto address = address_of(script_asset.path, script_asset.text);
    return address;
}

const std::string& icon_address()
{
    static const auto address = address_of(icon_asset.path, icon_asset.text);
    return address;
}

std::vector<http::Route> asset_routes()
{
    std::vector<http::Route> rows;
    for (const Asset* asset : {&style_asset, &script_asset, &icon_asset}) {
        rows.push_back(
            {http::Method::get,
             asset->path,
             {},
             http::bind(show, *asset),
             {.summary = asset->summary, .ok = http::media(asset->type)}}
        );
    }
    return rows;
}

}  // namespace kit::pages
