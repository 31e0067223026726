#include "platform/db/query_family.hpp"

namespace kit::db {

const Query& QueryFamily::variant(std::size_t number, const std::function<std::string()>& write)
{
    const std::lock_guard lock(mutex_);
    auto& made = made_.at(number);
    if (!made) {
        made = std::make_unique<Made>(Made{.sql = write(), .query = {}});
        made->query = {.name = name_, .sql = made->sql, .brief = brief_};
    }
    return made->query;
}

std::string prefix_pattern(std::string_view prefix)
{
    std::string pattern;
    for (const char character : prefix) {
        if (character == '%' || character == '_' || character == '\\') {
            pattern += '\\';
        }
        pattern += character;
    }
    pattern += '%';
    return pattern;
}

}  // namespace kit::db
