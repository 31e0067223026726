// `routes`: the map of the product.
#include "app/app.hpp"
#include "command.hpp"
#include "platform/json/json.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace kit::cmd {

namespace {

struct Row {
    std::string method;
    std::string path;
    std::vector<std::string> guards;
    int success = 200;
    std::string summary;
};
BOOST_DESCRIBE_STRUCT(Row, (), (method, path, guards, success, summary))

std::vector<Row> rows()
{
    std::vector<Row> out;
    for (const auto& route : app::documented_routes()) {
        Row row{
            .method = std::string(to_string(route.method)),
            .path = std::string(route.pattern),
            .success = route.doc.success,
            .summary = std::string(route.doc.summary),
        };
        for (const auto& guard : route.guards) {
            row.guards.push_back(to_string(guard));
        }
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace

int run_routes(const Arguments& arguments)
{
    const auto table = rows();
    if (arguments.json()) {
        std::string out;
        json::write(out, table);
        fmt::print("{}\n", out);
        return exit_ok;
    }
    for (const auto& row : table) {
        fmt::print(
            "{:<7} {:<32} {:<22} {}\n",
            row.method,
            row.path,
            fmt::format("{}", fmt::join(row.guards, " ")),
            row.summary
        );
    }
    return exit_ok;
}

}  // namespace kit::cmd
