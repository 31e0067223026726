#include "platform/http/conditional.hpp"

#include "platform/core/etag.hpp"

namespace kit::http {

Response revalidated(const Request& request, std::string_view data, std::string_view etag)
{
    Response response;
    const auto known = request.header("if-none-match").value_or("");
    if (etag_listed(known, etag, EtagComparison::weak)) {
        response.status = 304;
    } else {
        response.payload = Payload::data;
        response.body = data;
    }
    response.set("ETag", std::string(etag));
    response.set("Cache-Control", "private, no-cache");
    return response;
}

}  // namespace kit::http
