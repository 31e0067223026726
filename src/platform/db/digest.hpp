// The content of a table as a number: two tables with the same rows, in whatever order, have the same.
#pragma once

#include <cstdint>
#include <string>

namespace kit::db {

struct TableDigest {
    std::string name;
    std::int64_t rows = 0;
    std::string digest;  // of one engine's rows: not to be compared with the other's

    bool operator==(const TableDigest&) const = default;
};

}  // namespace kit::db
