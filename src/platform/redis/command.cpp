#include "platform/core/append.hpp"
#include "platform/core/encoding.hpp"
#include "platform/redis/redis.hpp"

#include <charconv>

namespace kit::redis {

namespace {

void append_header(std::string& out, char type, std::size_t size)
{
    out += type;
    append_number(out, static_cast<std::int64_t>(size));
    out += "\r\n";
}

void append_argument(std::string& out, std::string_view argument)
{
    append_header(out, '$', argument.size());
    out += argument;
    out += "\r\n";
}

// The argument at the front of what append_argument has written, and what follows it.
std::string_view take_argument(std::string_view& encoded)
{
    std::size_t size = 0;
    const auto parsed = std::from_chars(encoded.data() + 1, encoded.data() + encoded.size(), size);
    const auto begin = static_cast<std::size_t>(parsed.ptr - encoded.data()) + 2;
    const auto argument = encoded.substr(begin, size);
    encoded.remove_prefix(begin + size + 2);
    return argument;
}

}  // namespace

std::string_view to_string(Failure failure)
{
    switch (failure) {
        case Failure::breaker_open:
            return "breaker_open";
        case Failure::timed_out:
            return "timeout";
        case Failure::connection_lost:
            return "connection";
        case Failure::overloaded:
            return "overloaded";
        case Failure::read_only:
            return "read_only";
        case Failure::loading:
            return "loading";
        case Failure::out_of_memory:
            return "out_of_memory";
        case Failure::not_authenticated:
            return "not_authenticated";
        case Failure::cluster:
            return "cluster";
        case Failure::protocol:
            return "protocol";
        case Failure::other:
            return "other";
    }
    std::unreachable();
}

Command::Command(std::initializer_list<std::string_view> arguments)
{
    for (const auto argument : arguments) {
        *this << argument;
    }
}

Command::Command(
    const Script& script, std::span<const std::string> keys, std::span<const std::string> arguments
)
    : name_("evalsha"), script_(&script), repeatable_(script.repeatable)
{
    *this << static_cast<std::int64_t>(keys.size());
    for (const auto& key : keys) {
        *this << key;
    }
    for (const auto& argument : arguments) {
        *this << argument;
    }
    if (keys.empty()) {
        key_index_ = std::string_view::npos;
    }
}

Command& Command::operator<<(std::string_view argument)
{
    if (count_ == 0 && script_ == nullptr) {
        name_ = to_lower(argument);
    }
    append_argument(encoded_, argument);
    ++count_;
    return *this;
}

Command& Command::operator<<(std::int64_t argument)
{
    std::string digits;
    append_number(digits, argument);
    return *this << digits;
}

Command& Command::key(std::size_t index)
{
    key_index_ = index;
    return *this;
}

Command& Command::repeatable()
{
    repeatable_ = true;
    return *this;
}

std::optional<std::string_view> Command::key() const
{
    if (key_index_ >= count_) {
        return std::nullopt;
    }
    std::string_view rest = encoded_;
    for (std::size_t index = 0; index < key_index_; ++index) {
        take_argument(rest);
    }
    return take_argument(rest);
}

void Command::append_to(std::string& out, std::string_view sha) const
{
    append_header(out, '*', count_ + (script_ != nullptr ? 2 : 0));
    if (script_ != nullptr) {
        append_argument(out, sha.empty() ? "EVAL" : "EVALSHA");
        append_argument(out, sha.empty() ? script_->source : sha);
    }
    out += encoded_;
}

}  // namespace kit::redis
