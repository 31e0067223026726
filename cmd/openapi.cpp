// `openapi`: the description that the server gives of its API. api/openapi.json is its output.
#include "app/app.hpp"
#include "command.hpp"

#include <cstdio>

namespace kit::cmd {

int run_openapi(const Arguments& /*arguments*/)
{
    const auto document = app::documented_api();
    return std::fwrite(document.data(), 1, document.size(), stdout) == document.size() ? exit_ok
                                                                                       : exit_failed;
}

}  // namespace kit::cmd
