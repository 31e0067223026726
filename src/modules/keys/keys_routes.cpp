#include "modules/keys/keys.hpp"
#include "platform/http/route.hpp"

namespace kit::keys {

namespace {

Task<http::Reply> show(Routes& handlers, http::RequestContext& /*ctx*/)
{
    if (handlers.service == nullptr) {
        co_return failure(Error::not_found("not found"));
    }
    http::Response response{.payload = http::Payload::complete, .body = handlers.service->published()};
    response.set("Content-Type", "application/json");
    response.set(
        "Cache-Control", "public, max-age=" + std::to_string(handlers.service->jwks_cache().count())
    );
    co_return response;
}

}  // namespace

std::vector<http::Route> routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::get,
         "/.well-known/jwks.json",
         {},
         http::bind(show, handlers),
         {.summary = "The public keys of access tokens, with JWT_SIGNING=EdDSA or ES256",
          .ok = bare<json::Raw>,
          .refusals = {{404, "Tokens are signed with a secret: there is no public key"}}}},
    };
}

}  // namespace kit::keys
