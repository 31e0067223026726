// Statements that differ in what SQL takes no parameter for: the column of an ORDER BY, which conditions
// there are.
#pragma once

#include "platform/db/database.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {

// Each variant is written at its first use and kept, since drivers know a statement by its address. An object
// of static storage. Thread-safe.
class QueryFamily {
public:
    QueryFamily(std::string_view name, std::size_t variants, bool brief = false)
        : name_(name), brief_(brief), made_(variants)
    {
    }

    // `write` gives the SQL of a variant; always the same for the same number.
    const Query& variant(std::size_t number, const std::function<std::string()>& write);

private:
    struct Made {
        std::string sql;
        Query query;
    };

    std::string_view name_;
    bool brief_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Made>> made_;
};

// The pattern of LIKE … ESCAPE '\' for texts that begin with `prefix`, whatever characters it has.
std::string prefix_pattern(std::string_view prefix);

}  // namespace kit::db
