// libpq's objects, owned. libpq's header stays in the .cpp files.
#pragma once

#include <memory>

extern "C" {
struct pg_conn;
struct pg_result;
}

namespace kit::db::postgres {

struct CloseConnection {
    void operator()(pg_conn* connection) const noexcept;
};

struct ClearResult {
    void operator()(pg_result* result) const noexcept;
};

using ConnectionHandle = std::unique_ptr<pg_conn, CloseConnection>;
using ResultHandle = std::unique_ptr<pg_result, ClearResult>;

}  // namespace kit::db::postgres
