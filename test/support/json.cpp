#include "support/json.hpp"

#include <boost/json/src.hpp>

#include <stdexcept>
#include <string>

namespace kit::test {

boost::json::value parse_json(std::string_view text)
{
    return boost::json::parse(boost::json::string_view(text.data(), text.size()));
}

const boost::json::value& at(const boost::json::value& document, std::string_view pointer)
{
    boost::json::error_code error;
    const auto* found =
        document.find_pointer(boost::json::string_view(pointer.data(), pointer.size()), error);
    if (found == nullptr) {
        throw std::runtime_error("no " + std::string(pointer) + " in " + boost::json::serialize(document));
    }
    return *found;
}

std::string_view text_at(const boost::json::value& document, std::string_view pointer)
{
    const auto& value = at(document, pointer);
    if (!value.is_string()) {
        throw std::runtime_error(
            std::string(pointer) + " is no string in " + boost::json::serialize(document)
        );
    }
    const auto& text = value.get_string();
    return {text.data(), text.size()};
}

}  // namespace kit::test
