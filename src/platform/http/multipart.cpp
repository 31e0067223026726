#include "platform/http/multipart.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>
#include <utility>

namespace kit::http {

namespace {

constexpr std::size_t boundary_bytes_max = 70;

// RFC 2046 section 5.1.1.
bool is_boundary(std::string_view text)
{
    static constexpr std::string_view others = "'()+_,-./:=? ";
    const auto allowed = [](char byte) {
        return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
               others.contains(byte);
    };
    return !text.empty() && text.size() <= boundary_bytes_max && !text.ends_with(' ') &&
           std::ranges::all_of(text, allowed);
}

// A quoted text at the front of `rest`, which then begins behind it; nothing where it does not end.
std::optional<std::string> take_quoted(std::string_view& rest)
{
    std::string value;
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() != '"') {
        // As browsers write it, a backslash stands for itself unless it is before a quote or another one.
        if (rest.front() == '\\' && rest.size() > 1 && (rest[1] == '"' || rest[1] == '\\')) {
            rest.remove_prefix(1);
        }
        value += rest.front();
        rest.remove_prefix(1);
    }
    if (rest.empty()) {
        return std::nullopt;
    }
    rest.remove_prefix(1);
    return value;
}

struct Parameter {
    std::string name;  // lower case
    std::string value;
};

// The next `; name=value` of a header's value. Nothing at its end, and at what is none: then `rest` is not
// empty.
std::optional<Parameter> take_parameter(std::string_view& rest)
{
    rest = trim(rest);
    if (!rest.starts_with(';')) {
        return std::nullopt;
    }
    auto text = trim(rest.substr(1));
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) {
        return std::nullopt;
    }
    Parameter parameter{.name = to_lower(trim(text.substr(0, equals))), .value = {}};
    text = trim(text.substr(equals + 1));
    if (text.starts_with('"')) {
        auto value = take_quoted(text);
        if (!value) {
            return std::nullopt;
        }
        parameter.value = std::move(*value);
    } else {
        const auto end = std::min(text.find(';'), text.size());
        parameter.value = trim(text.substr(0, end));
        text.remove_prefix(end);
    }
    rest = text;
    return parameter;
}

// False where the value is not one of a form's part.
bool read_disposition(std::string_view value, PartHead& head)
{
    const auto end = std::min(value.find(';'), value.size());
    if (!equal_ignoring_case(trim(value.substr(0, end)), "form-data")) {
        return false;
    }
    value.remove_prefix(end);
    while (auto parameter = take_parameter(value)) {
        if (parameter->name == "name") {
            head.name = std::move(parameter->value);
        } else if (parameter->name == "filename" || parameter->name == "filename*") {
            head.is_file = true;
        }
    }
    return value.empty();
}

// The lines of a part's head, each with its CRLF. Nothing where they are none.
std::optional<PartHead> read_part_head(std::string_view lines)
{
    PartHead head;
    while (!lines.empty()) {
        const auto end = lines.find("\r\n");
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end + 2);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) {
            return std::nullopt;
        }
        const auto name = line.substr(0, colon);
        const auto value = trim(line.substr(colon + 1));
        if (equal_ignoring_case(name, "content-disposition") && !read_disposition(value, head)) {
            return std::nullopt;
        }
        if (equal_ignoring_case(name, "content-type")) {
            head.content_type = value;
        }
    }
    return head;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type)
{
    const auto end = std::min(content_type.find(';'), content_type.size());
    if (!equal_ignoring_case(trim(content_type.substr(0, end)), "multipart/form-data")) {
        return std::nullopt;
    }
    content_type.remove_prefix(end);
    while (auto parameter = take_parameter(content_type)) {
        if (parameter->name == "boundary") {
            return is_boundary(parameter->value) ? std::optional(std::move(parameter->value)) : std::nullopt;
        }
    }
    return std::nullopt;
}

// The first delimiter has no line before it whose end it could begin with: as if there were one.
MultipartReader::MultipartReader(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)), pending_("\r\n")
{
}

bool MultipartReader::feed(std::string_view bytes, Sink& sink)
{
    if (state_ == State::epilogue) {
        return true;
    }
    pending_ += bytes;
    while (state_ != State::epilogue && state_ != State::broken) {
        const auto found = step(sink);
        if (found == Step::starved) {
            return true;
        }
        if (found == Step::broken) {
            state_ = State::broken;
        }
    }
    pending_.clear();
    return state_ == State::epilogue;
}

MultipartReader::Step MultipartReader::step(Sink& sink)
{
    switch (state_) {
        case State::preamble:
        case State::data:
            return read_content(sink);
        case State::delimiter:
            return read_delimiter();
        case State::head:
            return read_head(sink);
        case State::epilogue:
        case State::broken:
            break;
    }
    return Step::broken;
}

// Up to the next delimiter. Of what may be the beginning of one nothing is passed on yet.
MultipartReader::Step MultipartReader::read_content(Sink& sink)
{
    const std::string_view bytes = pending_;
    const auto at = bytes.find(delimiter_);
    const bool found = at != std::string_view::npos;
    const auto size = found ? at : bytes.size() - std::min(bytes.size(), delimiter_.size() - 1);
    if (state_ == State::data && size > 0) {
        sink.on_data(bytes.substr(0, size));
    }
    pending_.erase(0, size + (found ? delimiter_.size() : 0));
    if (!found) {
        return Step::starved;
    }
    state_ = State::delimiter;
    return Step::again;
}

// Behind a delimiter: "--" at the last one, else the end of its line.
MultipartReader::Step MultipartReader::read_delimiter()
{
    if (pending_.starts_with("--")) {
        state_ = State::epilogue;
        return Step::again;
    }
    const auto padding = std::min(pending_.find_first_not_of(" \t"), pending_.size());
    const auto rest = std::string_view(pending_).substr(padding);
    if (padding > padding_bytes_max) {
        return Step::broken;
    }
    if (rest.starts_with("\r\n")) {
        pending_.erase(0, padding + 2);
        state_ = State::head;
        return ++parts_ > parts_max ? Step::broken : Step::again;
    }
    const bool may_follow = rest.empty() || rest == "\r" || (padding == 0 && rest == "-");
    return may_follow ? Step::starved : Step::broken;
}

MultipartReader::Step MultipartReader::read_head(Sink& sink)
{
    // A head without lines is its empty line alone.
    const auto end = pending_.starts_with("\r\n") ? 0 : pending_.find("\r\n\r\n");
    if (end == std::string::npos) {
        return pending_.size() > head_bytes_max + 2 ? Step::broken : Step::starved;
    }
    const auto lines = end == 0 ? std::string_view() : std::string_view(pending_).substr(0, end + 2);
    auto head = lines.size() > head_bytes_max ? std::nullopt : read_part_head(lines);
    if (!head) {
        return Step::broken;
    }
    sink.on_part(std::move(*head));
    pending_.erase(0, lines.size() + 2);
    state_ = State::data;
    return Step::again;
}

}  // namespace kit::http
