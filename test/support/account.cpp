#include "support/account.hpp"

#include "support/json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace kit::test {
namespace {

boost::json::string_view view(std::string_view text)
{
    return {text.data(), text.size()};
}

}  // namespace

HttpResponse sign_up(HttpClient& client, std::string_view email, std::string_view password)
{
    const boost::json::object body{{"email", view(email)}, {"name", "Ada"}, {"password", view(password)}};
    return client.post("/api/v1/auth/local/register", boost::json::serialize(body));
}

HttpResponse log_in(HttpClient& client, std::string_view email, std::string_view password)
{
    const boost::json::object body{{"email", view(email)}, {"password", view(password)}};
    return client.post("/api/v1/auth/local/login", boost::json::serialize(body));
}

HttpResponse refresh(HttpClient& client)
{
    return client.post("/api/v1/auth/refresh");
}

std::string error_code(const HttpResponse& response)
{
    if (response.status < 400 || response.body.empty()) {
        return {};
    }
    return std::string(text_at(parse_json(response.body), "/error/code"));
}

}  // namespace kit::test
