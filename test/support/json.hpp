// Boost.JSON for tests: the product prints and reads without a DOM, so a second implementation checks it.
#pragma once

#include <boost/json/value.hpp>

#include <string_view>

namespace kit::test {

// The value of strict JSON text; throws boost::system::system_error on anything else.
boost::json::value parse_json(std::string_view text);

// The value at an RFC 6901 pointer; throws std::runtime_error that shows the document where there is none.
const boost::json::value& at(const boost::json::value& document, std::string_view pointer);
std::string_view text_at(const boost::json::value& document, std::string_view pointer);

}  // namespace kit::test
