#include "app/reference.hpp"
#include "app/reference_operation.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/problem.hpp"
#include "platform/json/json.hpp"
#include "platform/mail/page.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kit::app {

namespace {

using http::Content;
using http::Field;
using Kind = json::Shape::Kind;
using mail::escape_html;

constexpr std::string_view introduction =
    R"(<p>Every answer is JSON unless an operation says otherwise. A success is
<code>{"success": true, "data": …, "meta": {…}}</code>, a failure
<code>{"success": false, "error": {"code": …, "message": …}, "meta": {…}}</code>, or problem details (RFC 9457) for
clients that prefer <code>application/problem+json</code>. The types below are those of <code>data</code>.</p>
<p>Browsers sign in with cookies; other clients send the access token as <code>Authorization: Bearer</code>. The same
description for machines: <a href="/openapi.json">openapi.json</a>.</p>
)";

std::string code(std::string_view text)
{
    return "<code>" + escape_html(text) + "</code>";
}

std::string number(double value)
{
    const auto whole = static_cast<std::int64_t>(value);
    return static_cast<double>(whole) == value ? std::to_string(whole) : json::to_text(value);
}

void append_rule(std::string& out, const std::string& rule)
{
    if (!rule.empty()) {
        out += out.empty() ? rule : "; " + rule;
    }
}

std::string length_of(const Field& field)
{
    const auto& least = field.characters_min;
    const auto& most = field.characters_max;
    if (least && most) {
        return std::to_string(*least) + " to " + std::to_string(*most) + " characters";
    }
    if (most) {
        return "at most " + std::to_string(*most) + " characters";
    }
    return least ? "at least " + std::to_string(*least) + " characters" : "";
}

std::string range_of(const Field& field)
{
    if (field.above) {
        return "more than " + number(*field.above);
    }
    if (field.min && field.max) {
        return number(*field.min) + " to " + number(*field.max);
    }
    return field.min ? "at least " + number(*field.min) : "";
}

// What a field must be like, as a sentence.
std::string rules_of(const Field& field)
{
    std::string out;
    append_rule(out, field.required ? "<strong>required</strong>" : "");
    append_rule(out, length_of(field));
    append_rule(out, range_of(field));
    std::string names;
    for (const auto name : field.one_of) {
        names += (names.empty() ? "" : ", ") + code(name);
    }
    append_rule(out, names.empty() ? "" : "one of " + names);
    append_rule(out, field.pattern.empty() ? "" : code(field.pattern));
    append_rule(out, escape_html(field.note));
    return out;
}

class Page {
public:
    explicit Page(const std::vector<Operation>& operations) : operations_(operations) {}

    std::string print()
    {
        const auto sections = print_sections();  // finds the types
        return R"(<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>everything-backend: API reference</title>
<link rel="stylesheet" href="/docs/reference.css"><script defer src="/docs/reference.js"></script></head>
<body>
<header><h1>API reference</h1><p class="version">everything-backend )" +
               std::string(KIT_VERSION) + R"(</p>
<input id="search" type="search" placeholder="Search: path, method or word" aria-label="Search" hidden></header>
<div class="columns"><nav aria-label="Operations">)" +
               print_navigation() + "</nav>\n<main>\n" + std::string(introduction) +
               "<p id=\"nothing\" hidden>Nothing matches.</p>\n" + sections + print_types() +
               "</main></div>\n</body>\n</html>\n";
    }

private:
    std::string print_navigation() const
    {
        std::string out = "<ul>";
        std::string_view tag;
        for (const auto& operation : operations_) {
            if (operation.tag != tag) {
                tag = operation.tag;
                out += "<li><a href=\"#" + anchor(tag) + "\">" + escape_html(tag) + "</a></li>";
            }
        }
        return out + "<li><a href=\"#types\">types</a></li></ul>";
    }

    static std::string anchor(std::string_view tag)
    {
        std::string out = "tag-";
        for (const char letter : tag) {
            out += letter == ' ' ? '-' : letter;
        }
        return out;
    }

    std::string print_sections()
    {
        std::string out;
        std::string_view tag;
        for (const auto& operation : operations_) {
            if (operation.tag != tag) {
                out += tag.empty() ? "" : "</section>\n";
                tag = operation.tag;
                out += "<section id=\"" + anchor(tag) + "\"><h2>" + escape_html(tag) + "</h2>\n";
            }
            out += print(operation);
        }
        return out + "</section>\n";
    }

    std::string print(const Operation& operation)
    {
        const auto& route = *operation.route;
        const auto method = to_string(route.method);
        std::string out = "<details id=\"" + operation.id + "\"><summary><span class=\"method " +
                          to_lower(method) + "\">" + std::string(method) + "</span> " + code(route.pattern) +
                          " <span class=\"about\">" + escape_html(route.doc.summary) + "</span></summary>\n";
        if (!operation.note.empty()) {
            out += "<p>" + escape_html(operation.note) + "</p>\n";
        }
        out += "<p class=\"access\">" + access(operation) + "</p>\n";
        out += print_parameters(operation);
        out += print_body(route.doc.body);
        out += print_responses(operation);
        return out + "</details>\n";
    }

    static std::string access(const Operation& operation)
    {
        std::string out;
        for (const auto& credentials : operation.security) {
            std::string all;
            for (const auto name : credentials) {
                all += (all.empty() ? "" : " with ") + code(name);
            }
            out += (out.empty() ? "" : ", or ") + all;
        }
        out = out.empty() ? "Open to all" : "Credentials: " + out;
        if (!operation.permission.empty()) {
            out += ". Permission: " + code(operation.permission);
        }
        out += ". Limits: ";
        for (const auto limit : operation.limits) {
            out += code(limit) + (limit == operation.limits.back() ? "." : ", ");
        }
        return out;
    }

    static std::string print_parameters(const Operation& operation)
    {
        if (operation.parameters.empty()) {
            return {};
        }
        std::string out =
            "<h3>Parameters</h3>\n<table><tr><th>Name</th><th>In</th><th>Type</th><th>Rules</th></tr>\n";
        for (const auto& [in, field] : operation.parameters) {
            out += "<tr><td>" + code(field.name) + "</td><td>" + std::string(in) + "</td><td>" +
                   plain_type(field.kind) + "</td><td>" + rules_of(field) + "</td></tr>\n";
        }
        return out + "</table>\n";
    }

    std::string print_body(const http::Body& body)
    {
        if (body.content.form() == Content::Form::none) {
            return {};
        }
        std::string out = "<h3>Body" + std::string(body.optional ? ", optional" : "") + "</h3>\n";
        if (body.content.shape() == nullptr) {
            return out + "<p>" + code(body.content.media()) + "</p>\n";
        }
        const auto shape = body.content.shape()();
        return out + print_members(shape, body.fields);
    }

    std::string print_members(const json::Shape& shape, std::span<const Field> fields)
    {
        std::string out = "<table><tr><th>Member</th><th>Type</th><th>Rules</th></tr>\n";
        for (const auto& member : shape.members) {
            std::string rules;
            for (const auto& field : fields) {
                rules += field.name == member.name ? rules_of(field) : "";
            }
            out += "<tr><td>" + code(member.name) + "</td><td>" + type(member.shape()) + "</td><td>" + rules +
                   "</td></tr>\n";
        }
        return out + "</table>\n";
    }

    std::string print_responses(const Operation& operation)
    {
        std::string out = "<h3>Answers</h3>\n<table><tr><th>Status</th><th>When</th><th>What</th></tr>\n";
        for (const auto& [status, response] : operation.responses) {
            std::string what;
            for (const auto& content : response.contents) {
                what += (what.empty() ? "" : " or ") + print(content);
            }
            out += "<tr><td>" + std::to_string(status) + "</td><td>" + escape_html(response.note()) +
                   "</td><td>" + (is_failure(status) && what.empty() ? "a failure" : what) + "</td></tr>\n";
        }
        return out + "</table>\n";
    }

    std::string print(const Content& content)
    {
        switch (content.form()) {
            case Content::Form::data:
            case Content::Form::bare:
                return type(content.shape()());
            case Content::Form::opaque:
                return code(content.media());
            case Content::Form::none:
                break;
        }
        return "nothing";
    }

    static std::string plain_type(Kind kind)
    {
        switch (kind) {
            case Kind::any:
                return "any";
            case Kind::boolean:
                return "boolean";
            case Kind::integer:
            case Kind::natural:
                return "integer";
            case Kind::number:
                return "number";
            case Kind::time:
                return "date-time";
            case Kind::text:
            case Kind::choice:
                return "string";
            case Kind::nullable:
            case Kind::array:
            case Kind::map:
            case Kind::object:
                break;
        }
        return {};
    }

    // Remembers the structs that it names.
    std::string type(const json::Shape& shape)
    {
        switch (shape.kind) {
            case Kind::nullable:
                return type(shape.inner()) + " or null";
            case Kind::array:
                return "array of " + type(shape.inner());
            case Kind::map:
                return "map of " + type(shape.inner());
            case Kind::object:
                if (types_.emplace(shape.type, std::string()).second) {
                    auto printed = print_members(shape, {});
                    types_[shape.type] = std::move(printed);
                }
                return "<a href=\"#type-" + shape.type + "\">" + shape.type + "</a>";
            default:
                return plain_type(shape.kind);
        }
    }

    std::string print_types() const
    {
        std::string out = "<section id=\"types\"><h2>types</h2>\n";
        for (const auto& [name, members] : types_) {
            out += "<details id=\"type-" + name + "\"><summary>" + code(name) + "</summary>\n" + members +
                   "</details>\n";
        }
        return out + "</section>\n";
    }

    const std::vector<Operation>& operations_;
    std::map<std::string, std::string> types_;
};

}  // namespace

std::string reference_page(const std::vector<Operation>& operations)
{
    // One section for each tag, in the order in which they first appear.
    std::vector<Operation> grouped;
    for (const auto& first : operations) {
        if (std::ranges::find(grouped, first.tag, &Operation::tag) != grouped.end()) {
            continue;
        }
        std::ranges::copy_if(operations, std::back_inserter(grouped), [&first](const Operation& other) {
            return other.tag == first.tag;
        });
    }
    return Page(grouped).print();
}

}  // namespace kit::app
