// A person with an account, as a browser sees it.
#pragma once

#include "support/http_client.hpp"

#include <string>
#include <string_view>

namespace kit::test {

inline constexpr std::string_view good_password = "Correct-Horse-7-Battery";

HttpResponse sign_up(HttpClient& client, std::string_view email, std::string_view password = good_password);
HttpResponse log_in(HttpClient& client, std::string_view email, std::string_view password = good_password);

// With the jar's refresh cookie and CSRF token.
HttpResponse refresh(HttpClient& client);

// The answer's `error.code`, empty if it is no error envelope.
std::string error_code(const HttpResponse& response);

}  // namespace kit::test
