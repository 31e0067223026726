// `users`: what an operator does to accounts.
#include "command.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/password.hpp"
#include "platform/json/json.hpp"
#include "tool.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iostream>

namespace kit::cmd {

namespace {

constexpr std::int64_t listed_default = 100;
constexpr std::int64_t listed_max = 100'000;

void set_status(const Arguments& arguments, Tool& tool, Report& report)
{
    const auto email = auth::normalise_email(arguments.words[0]);
    const auto& status = arguments.words[1];
    const auto changed =
        tool.run(tool.users().set_status({.email = email, .status = status, .actor = {}}, {}));
    if (!changed) {
        report.error = changed.error().message();
        return;
    }
    report.details.push_back(email + (*changed ? " is now " : " was already ") + status);
}

// Where nobody else sees it: neither among the processes nor in the shell's history.
std::string read_password()
{
    std::string password;
    std::getline(std::cin, password);
    if (password.ends_with('\r')) {
        password.pop_back();
    }
    return password;
}

void create(const Arguments& arguments, Tool& tool, Report& report)
{
    auto password = read_password();
    if (password.empty()) {
        report.error = "a password is required, as the first line of the standard input";
        return;
    }
    PasswordHasher hasher({.threads_max = 1}, tool.random());
    auth::Accounts accounts(
        {.database = tool.database(),
         .rbac = tool.rbac(),
         .hasher = hasher,
         .clock = tool.clock(),
         .audit = tool.audit()}
    );
    const auto made = tool.run(accounts.create(
        {.email = arguments.words[0], .name = arguments.words[1], .password = std::move(password)}, {}
    ));
    if (!made) {
        report.error = made.error().message();
        return;
    }
    const auto email = auth::normalise_email(arguments.words[0]);
    report.details.push_back(fmt::format("created user {}: {}", *made, email));
    json::object(report.data).field("id", *made).field("email", email);
}

void add(const users::User& user, Report& report, std::string& items)
{
    const auto roles = users::role_names(user);
    report.details.push_back(fmt::format(
        "{} {} {} [{}] {}",
        user.id,
        user.email,
        user.status,
        fmt::join(roles, ", "),
        to_rfc3339(user.created_at)
    ));
    items += items.size() > 1 ? "," : "";
    json::object(items)
        .field("id", user.id)
        .field("email", user.email)
        .field("name", user.name)
        .field("status", user.status)
        .field("roles", roles)
        .field("created_at", user.created_at)
        .field("last_login_at", user.last_login_at);
}

std::optional<std::int64_t> limit_of(const Arguments& arguments)
{
    const auto text = arguments.value("limit", std::to_string(listed_default));
    std::int64_t limit = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), limit);
    const bool good =
        read.ec == std::errc() && read.ptr == text.data() + text.size() && limit >= 1 && limit <= listed_max;
    return good ? std::optional(limit) : std::nullopt;
}

void list(const Arguments& arguments, Tool& tool, Report& report)
{
    const auto limit = limit_of(arguments);
    if (!limit) {
        report.error = fmt::format("--limit must be between 1 and {}", listed_max);
        return;
    }
    const users::ListFilter filter{
        .email = to_lower(trim(arguments.value("email", ""))),
        .status = to_lower(trim(arguments.value("status", ""))),
        .role = to_lower(trim(arguments.value("role", ""))),
    };
    users::ListView view{.order = {.field = 0, .descending = false}, .total = Total::none};
    std::string items = "[";
    bool more = true;
    for (std::int64_t left = *limit; left > 0 && more;) {
        view.slice.rows_max = std::min(left, Paging::size_max);
        const auto page = tool.run(users::Repository::page(tool.database(), filter, view));
        for (const auto& user : page.rows) {
            add(user, report, items);
        }
        left -= view.slice.rows_max;
        more = page.more;
        if (more) {
            view.slice.cursor = Cursor{.place = users::place_of(page.rows.back(), view.order.field)};
        }
    }
    report.data = items + "]";
    if (more) {
        report.details.push_back(
            fmt::format("there are more than {}: narrow the list, or raise --limit", *limit)
        );
    }
}

}  // namespace

int run_users(const Arguments& arguments)
{
    const auto title = "users " + arguments.subcommand;
    const bool lists = arguments.subcommand == "list";
    if (!lists && arguments.words.size() != 2) {
        const std::string needed =
            arguments.subcommand == "create" ? "an address and a name" : "an address and a status";
        return print({.title = title, .details = {}, .error = needed + " are required"}, arguments);
    }
    return run_tool(arguments, title, [&](Tool& tool, Report& report) {
        if (lists) {
            list(arguments, tool, report);
        } else if (arguments.subcommand == "create") {
            create(arguments, tool, report);
        } else {
            set_status(arguments, tool, report);
        }
    });
}

}  // namespace kit::cmd
