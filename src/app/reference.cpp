#include "app/reference.hpp"

#include "app/reference_operation.hpp"
#include "platform/core/etag.hpp"
#include "platform/crypto/hash.hpp"

namespace kit::app {

namespace {

// Nothing of another origin, no script or style inside the page. The server's general policy holds as well.
constexpr std::string_view page_policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

Reference::Asset asset(std::string_view type, std::string body)
{
    auto etag = '"' + sha256_hex(body).substr(0, 32) + '"';
    return {.type = type, .body = std::move(body), .etag = std::move(etag)};
}

http::Response answer(const http::Request& request, const Reference::Asset& asset)
{
    http::Response response;
    if (etag_listed(request.header("if-none-match").value_or(""), asset.etag, EtagComparison::weak)) {
        response.status = 304;
    } else {
        response.payload = http::Payload::complete;
        response.body = asset.body;
        response.set("Content-Type", std::string(asset.type));
    }
    response.set("ETag", asset.etag);
    response.set("Cache-Control", "no-cache");
    return response;
}

Task<http::Reply> show_document(Reference& reference, http::RequestContext& ctx)
{
    co_return answer(ctx.request, reference.document());
}

Task<http::Reply> show_page(Reference& reference, http::RequestContext& ctx)
{
    auto response = answer(ctx.request, reference.page());
    response.set("Content-Security-Policy", std::string(page_policy));
    co_return response;
}

Task<http::Reply> show_style(Reference& reference, http::RequestContext& ctx)
{
    co_return answer(ctx.request, reference.style());
}

Task<http::Reply> show_script(Reference& reference, http::RequestContext& ctx)
{
    co_return answer(ctx.request, reference.script());
}

}  // namespace

void Reference::describe(const std::vector<const http::Route*>& rows)
{
    const auto described = operations(rows);
    document_ = asset("application/json", openapi_document(described));
    page_ = asset("text/html; charset=utf-8", reference_page(described));
    style_ = asset("text/css; charset=utf-8", std::string(reference_style()));
    script_ = asset("text/javascript; charset=utf-8", std::string(reference_script()));
}

std::vector<http::Route> routes(Reference& reference)
{
    using namespace http;
    return {
        {Method::get,
         "/openapi.json",
         {},
         http::bind(show_document, reference),
         {.summary = "This document", .ok = bare<json::Raw>, .tagged = true}},
        {Method::get,
         "/docs",
         {},
         http::bind(show_page, reference),
         {.summary = "This document as a page", .ok = media("text/html"), .tagged = true}},
        {Method::get,
         "/docs/reference.css",
         {},
         http::bind(show_style, reference),
         {.summary = "The page's style", .ok = media("text/css"), .tagged = true}},
        {Method::get,
         "/docs/reference.js",
         {},
         http::bind(show_script, reference),
         {.summary = "The page's search", .ok = media("text/javascript"), .tagged = true}},
    };
}

}  // namespace kit::app
