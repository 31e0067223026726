// `keys`: the keys that sign access tokens.
#include "command.hpp"
#include "platform/json/json.hpp"
#include "tool.hpp"

#include <boost/describe/class.hpp>
#include <fmt/format.h>

namespace kit::cmd {

namespace {

struct KeyBody {
    std::string kid;
    std::string algorithm;
    std::string_view state;
    Timestamp created_at;
    Timestamp signs_from;
    std::optional<Timestamp> verifies_until;
};
BOOST_DESCRIBE_STRUCT(KeyBody, (), (kid, algorithm, state, created_at, signs_from, verifies_until))

std::string line_of(const keys::Listed& key)
{
    return fmt::format(
        "{} {} {}, made {}, signs from {}{}",
        key.kid,
        key.algorithm,
        to_string(key.state),
        to_rfc3339(key.created_at),
        to_rfc3339(key.signs_from),
        key.verifies_until ? ", verifies until " + to_rfc3339(*key.verifies_until) : ""
    );
}

std::string array_of(const std::vector<keys::Listed>& listed)
{
    std::vector<KeyBody> bodies;
    bodies.reserve(listed.size());
    for (const auto& key : listed) {
        bodies.push_back(
            {.kid = key.kid,
             .algorithm = key.algorithm,
             .state = to_string(key.state),
             .created_at = key.created_at,
             .signs_from = key.signs_from,
             .verifies_until = key.verifies_until}
        );
    }
    std::string out;
    json::write(out, bodies);
    return out;
}

void list(const keys::Service& service, Report& report)
{
    const auto listed = service.list();
    for (const auto& key : listed) {
        report.details.push_back(line_of(key));
    }
    report.data = array_of(listed);
}

void run(const Arguments& arguments, Tool& tool, Report& report)
{
    auto settings = app::key_settings(tool.config());
    if (!settings) {
        report.error = "JWT_SIGNING is HS256: JWT_ACCESS_SECRET signs access tokens, there are no keys";
        return;
    }
    keys::Service service(
        {.database = tool.database(),
         .clock = tool.clock(),
         .random = tool.random(),
         .logger = tool.logger(),
         .audit = tool.audit()},
        std::move(*settings)
    );
    tool.run(service.learn());
    if (arguments.subcommand == "rotate") {
        report.details.push_back(line_of(tool.run(service.rotate({}))));
    } else {
        list(service, report);
    }
}

}  // namespace

int run_keys(const Arguments& arguments)
{
    return run_tool(arguments, "keys " + arguments.subcommand, [&](Tool& tool, Report& report) {
        run(arguments, tool, report);
    });
}

}  // namespace kit::cmd
