#include "app/reference.hpp"
#include "app/reference_operation.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/problem.hpp"
#include "platform/json/json.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace kit::app {

namespace {

using http::Content;
using http::Field;
using json::Raw;
using Kind = json::Shape::Kind;

constexpr std::string_view introduction =
    "Every answer is JSON unless an operation says otherwise. A success is "
    "`{\"success\": true, \"data\": …, \"meta\": {…}}`, a failure `{\"success\": false, \"error\": {…}, "
    "\"meta\": {…}}`, or problem details (RFC 9457) for those who prefer `application/problem+json`.\n\n"
    "Members of a body that are not listed are ignored, their names are read in any case of letters, and "
    "`null` is the same as leaving a member out. White space around values of the query is ignored; an empty "
    "one counts as absent.\n\n"
    "Browsers sign in with cookies, other clients send the access token as `Authorization: Bearer`. With "
    "cookies, operations that name `csrf` want the pair of the cookie `csrf_token` and the header "
    "`X-CSRF-Token`.\n\n"
    "Limits count by client: `X-RateLimit-*` and `RateLimit` headers tell what is left, 429 comes with "
    "`Retry-After`. `HEAD` works wherever `GET` does; other methods are 405 with `Allow`. A request that "
    "cannot be read at all is refused with 400, 408, 414, 417, 431, 501 or 505, in the same forms as every "
    "failure.\n\n"
    "A path that ends with a slash is not the one without it, except `/api/v1/products/`.";

// Text of a whole number where it is one: limits are, and exponents would puzzle readers.
std::string number(double value)
{
    const auto whole = static_cast<std::int64_t>(value);
    return static_cast<double>(whole) == value ? std::to_string(whole) : json::to_text(value);
}

// "minLength":3, … of a field's rules, each with a comma before it.
std::string rules_of(const Field& field, bool nullable = false)
{
    std::string out;
    const auto add = [&out](std::string_view name, const std::string& value) {
        out += ",\"" + std::string(name) + "\":" + value;
    };
    if (field.characters_min) {
        add("minLength", std::to_string(*field.characters_min));
    }
    if (field.characters_max) {
        add("maxLength", std::to_string(*field.characters_max));
    }
    if (const auto pattern = pattern_of(field); !pattern.empty()) {
        add("pattern", json::to_text(pattern));
    }
    if (field.min) {
        add("minimum", number(*field.min));
    }
    if (field.max) {
        add("maximum", number(*field.max));
    }
    if (field.above) {
        add("exclusiveMinimum", number(*field.above));
    }
    if (!field.format.empty()) {
        add("format", json::to_text(field.format));
    }
    if (!field.one_of.empty()) {
        auto names = json::to_text(field.one_of);
        if (nullable) {
            names.insert(names.size() - 1, ",null");
        }
        add("enum", names);
    }
    return out;
}

class Document {
public:
    explicit Document(const std::vector<Operation>& operations) : operations_(operations) {}

    std::string print()
    {
        const auto paths = print_paths();  // fills the schemas
        std::string out;
        json::object(out)
            .field("openapi", "3.1.0")
            .field("info", Raw{print_info()})
            .field("servers", Raw{R"([{"url":"/"}])"})
            .field("tags", Raw{print_tags()})
            .field("paths", Raw{paths})
            .field("components", Raw{print_components()});
        return out;
    }

private:
    static std::string print_info()
    {
        std::string out;
        json::object(out)
            .field("title", "everything-backend")
            .field("version", KIT_VERSION)
            .field("description", introduction)
            .field("license", Raw{R"({"name":"MIT","identifier":"MIT"})"});
        return out;
    }

    std::string print_tags() const
    {
        std::vector<Raw> tags;
        std::set<std::string_view> seen;
        for (const auto& operation : operations_) {
            if (seen.insert(operation.tag).second) {
                json::object(tags.emplace_back().text).field("name", operation.tag);
            }
        }
        return json::to_text(tags);
    }

    std::string print_paths()
    {
        std::vector<std::string_view> patterns;
        for (const auto& operation : operations_) {
            if (std::ranges::find(patterns, operation.route->pattern) == patterns.end()) {
                patterns.push_back(operation.route->pattern);
            }
        }
        std::string out;
        auto paths = json::object(out);
        for (const auto pattern : patterns) {
            std::string item;
            auto methods = json::object(item);
            for (const auto& operation : operations_) {
                if (operation.route->pattern == pattern) {
                    methods.field(to_lower(to_string(operation.route->method)), Raw{print(operation)});
                }
            }
            paths.field(pattern, Raw{item});
        }
        return out;
    }

    std::string print(const Operation& operation)
    {
        const auto& doc = operation.route->doc;
        std::string out;
        auto object = json::object(out);
        object.field("operationId", operation.id)
            .field("tags", std::vector<std::string_view>{operation.tag})
            .field("summary", doc.summary);
        if (!operation.note.empty()) {
            object.field("description", operation.note);
        }
        if (!operation.permission.empty()) {
            object.field("x-permission", operation.permission);
        }
        object.field("x-rate-limits", operation.limits).field("security", Raw{print_security(operation)});
        if (!operation.parameters.empty()) {
            object.field("parameters", Raw{print_parameters(operation)});
        }
        if (doc.body.content.form() != Content::Form::none) {
            object.field("requestBody", Raw{print_body(doc.body)});
        }
        object.field("responses", Raw{print_responses(operation)});
        return out;
    }

    static std::string print_security(const Operation& operation)
    {
        std::vector<Raw> alternatives;
        for (const auto& credentials : operation.security) {
            auto object = json::object(alternatives.emplace_back().text);
            for (const auto name : credentials) {
                object.field(name, Raw{"[]"});
            }
        }
        return json::to_text(alternatives);
    }

    static std::string print_parameters(const Operation& operation)
    {
        std::vector<Raw> parameters;
        for (const auto& [in, field] : operation.parameters) {
            auto object = json::object(parameters.emplace_back().text);
            object.field("name", field.name).field("in", in);
            if (!field.note.empty()) {
                object.field("description", field.note);
            }
            object.field("required", field.required).field("schema", Raw{parameter_schema(field)});
        }
        return json::to_text(parameters);
    }

    static std::string parameter_schema(const Field& field)
    {
        if (field.kind == Kind::natural) {  // an id
            return R"({"type":"integer","format":"int64","minimum":1,"maximum":9223372036854775807})";
        }
        auto text = json::schema({.kind = field.kind});
        text.pop_back();
        return text + rules_of(field) + '}';
    }

    // A member of a request's body: null stands for absent, unless it is demanded.
    std::string member_schema(const json::Member& member, const Field* field)
    {
        const auto shape = member.shape();
        auto text = reference(shape);
        const bool plain = shape.kind != Kind::any && shape.kind != Kind::object;
        const bool nullable = plain && (field == nullptr || !field->required);
        if (nullable) {
            const auto end = text.find('"', 9);  // of {"type":"…"
            text = R"({"type":[)" + text.substr(8, end - 7) + R"(,"null"])" + text.substr(end + 1);
        }
        if (field != nullptr) {
            auto rules = rules_of(*field, nullable);
            if (!field->note.empty()) {
                rules += ",\"description\":" + json::to_text(field->note);
            }
            if (!rules.empty()) {
                text.pop_back();
                text += (text == "{" ? rules.substr(1) : rules) + '}';
            }
        }
        return text;
    }

    std::string body_schema(const http::Body& body)
    {
        const auto shape = body.content.shape()();
        std::string properties;
        auto object = json::object(properties);
        std::vector<std::string_view> required;
        for (const auto& member : shape.members) {
            const auto field = std::ranges::find(body.fields, member.name, &Field::name);
            const auto* rules = field == body.fields.end() ? nullptr : &*field;
            object.field(member.name, Raw{member_schema(member, rules)});
            if (rules != nullptr && rules->required) {
                required.push_back(member.name);
            }
        }
        std::string out;
        auto schema = json::object(out);
        // A body of null is one without members.
        const std::string_view type = body.optional ? R"(["object","null"])" : R"("object")";
        schema.field("type", Raw{std::string(type)}).field("properties", Raw{properties});
        if (!required.empty()) {
            schema.field("required", required);
        }
        return keep(shape.type, std::move(out));
    }

    std::string print_body(const http::Body& body)
    {
        std::string content;
        if (body.content.shape() == nullptr) {
            content = with_media(body.content.media(), "{}");
        } else {
            content = with_media(body.content.media(), R"({"schema":)" + body_schema(body) + '}');
        }
        std::string out;
        json::object(out).field("required", !body.optional).field("content", Raw{content});
        return out;
    }

    static std::string with_media(std::string_view media, const std::string& value)
    {
        std::string out;
        json::object(out).field(media, Raw{value});
        return out;
    }

    std::string print_responses(const Operation& operation)
    {
        std::string out;
        auto object = json::object(out);
        for (const auto& [status, response] : operation.responses) {
            if (is_failure(status) && response.contents.empty() && response.note() == common_note(status)) {
                object.field(
                    std::to_string(status),
                    Raw{R"({"$ref":"#/components/responses/)" + std::to_string(status) + "\"}"}
                );
            } else {
                object.field(std::to_string(status), Raw{print(status, response)});
            }
        }
        return out;
    }

    std::string print(int status, const Response& response)
    {
        std::string headers;
        auto names = json::object(headers);
        names.field("X-Request-Id", Raw{R"({"$ref":"#/components/headers/X-Request-Id"})"});
        for (const auto name : response.headers) {
            names.field(name, Raw{R"({"$ref":"#/components/headers/)" + std::string(name) + "\"}"});
        }
        std::string out;
        auto object = json::object(out);
        object.field("description", response.note()).field("headers", Raw{headers});
        if (is_failure(status) && response.contents.empty()) {
            object.field(
                "content",
                Raw{R"({"application/json":{"schema":{"$ref":"#/components/schemas/Failure"}},)"
                    R"("application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}})"}
            );
        } else if (const auto content = print_contents(response); content != "{}") {
            object.field("content", Raw{content});
        }
        return out;
    }

    // By media type; where there are several of one, any of them.
    std::string print_contents(const Response& response)
    {
        std::vector<std::string_view> types;
        for (const auto& content : response.contents) {
            if (content.form() != Content::Form::none &&
                std::ranges::find(types, content.media()) == types.end()) {
                types.push_back(content.media());
            }
        }
        std::string out;
        auto object = json::object(out);
        for (const auto type : types) {
            std::vector<Raw> schemas;
            for (const auto& content : response.contents) {
                if (content.media() == type) {
                    schemas.push_back({schema_of(content)});
                }
            }
            const auto schema =
                schemas.size() == 1 ? schemas[0].text : R"({"anyOf":)" + json::to_text(schemas) + '}';
            object.field(type, Raw{R"({"schema":)" + schema + '}'});
        }
        return out;
    }

    std::string schema_of(const Content& content)
    {
        switch (content.form()) {
            case Content::Form::data:
                return R"({"type":"object","properties":{"success":{"const":true},"data":)" +
                       reference(content.shape()()) +
                       R"(,"meta":{"$ref":"#/components/schemas/Meta"}},"required":["success","data","meta"]})";
            case Content::Form::bare:
                return reference(content.shape()());
            case Content::Form::opaque:
                return R"({"type":"string"})";
            case Content::Form::none:
                break;
        }
        return "{}";
    }

    // The schema of a value: a struct's is kept once and referred to.
    std::string reference(const json::Shape& shape)
    {
        const auto within = [this](const json::Shape& inner) { return reference(inner); };
        if (shape.kind != Kind::object) {
            return json::schema(shape, within);
        }
        if (!under_way_.insert(shape.type).second) {
            return reference_to(shape.type);
        }
        auto text = json::schema(shape, within);
        under_way_.erase(shape.type);
        return keep(shape.type, std::move(text));
    }

    static std::string reference_to(std::string_view name)
    {
        return R"({"$ref":"#/components/schemas/)" + std::string(name) + "\"}";
    }

    std::string keep(const std::string& name, std::string schema)
    {
        const auto kept = schemas_.find(name);
        if (kept == schemas_.end()) {
            schemas_.emplace(name, std::move(schema));
        } else if (kept->second != schema) {
            throw std::logic_error("two types of the API are called " + name);
        }
        return reference_to(name);
    }

    std::string print_components()
    {
        std::string responses;
        auto common = json::object(responses);
        for (const int status : {400, 401, 412, 413, 429, 500, 503}) {
            Response response{.notes = {std::string(common_note(status))}};
            if (status == 401) {
                response.headers.emplace_back("WWW-Authenticate");
            } else if (status == 429 || status == 503) {
                response.headers.emplace_back("Retry-After");
            }
            common.field(std::to_string(status), Raw{print(status, response)});
        }
        std::string headers;
        auto header_object = json::object(headers);
        for (const auto& header : response_headers()) {
            std::string text;
            json::object(text)
                .field("description", header.note)
                .field("schema", Raw{header.number ? R"({"type":"integer"})" : R"({"type":"string"})"});
            header_object.field(header.name, Raw{text});
        }
        std::string out;
        json::object(out)
            .field("securitySchemes", Raw{print_schemes()})
            .field("headers", Raw{headers})
            .field("responses", Raw{responses})
            .field("schemas", Raw{print_schemas()});
        return out;
    }

    static std::string print_schemes()
    {
        std::string out;
        auto object = json::object(out);
        for (const auto& scheme : security_schemes()) {
            object.field(
                scheme.name,
                Raw{'{' + std::string(scheme.json) + ",\"description\":" + json::to_text(scheme.note) + '}'}
            );
        }
        return out;
    }

    // What problem.cpp and rendering.cpp write around and instead of values.
    std::string print_schemas()
    {
        schemas_["Meta"] =
            R"({"type":"object","properties":{"request_id":{"type":"string"},"timestamp":{"type":"string",)"
            R"("format":"date-time"}},"required":["request_id","timestamp"]})";
        schemas_["Failure"] =
            R"({"type":"object","properties":{"success":{"const":false},"error":{"type":"object","properties":)"
            R"({"code":{"type":"string"},"message":{"type":"string"},"details":{"type":"object"}},)"
            R"("required":["code","message"]},"meta":{"$ref":"#/components/schemas/Meta"}},)"
            R"("required":["success","error","meta"]})";
        schemas_["Problem"] =
            R"({"type":"object","description":"RFC 9457","properties":{"type":{"type":"string","format":"uri"},)"
            R"("title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},)"
            R"("instance":{"type":"string"},"code":{"type":"string"},"request_id":{"type":"string"},)"
            R"("details":{"type":"object"}},)"
            R"("required":["type","title","status","detail","instance","code","request_id"]})";
        std::string out;
        auto object = json::object(out);
        for (const auto& [name, text] : schemas_) {
            object.field(name, Raw{text});
        }
        return out;
    }

    const std::vector<Operation>& operations_;
    std::map<std::string, std::string> schemas_;
    std::set<std::string> under_way_;
};

}  // namespace

std::string openapi_document(const std::vector<Operation>& operations)
{
    return json::indented(Document(operations).print());
}

}  // namespace kit::app
