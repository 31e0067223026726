// A row of the route table as its callers know it: what its path, its guards and its description say
// together. The OpenAPI document and the reference page print these.
#pragma once

#include "platform/http/route.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kit::app {

struct Parameter {
    std::string_view in;  // path, query or header
    http::Field field;
};

struct Response {
    std::vector<std::string> notes;
    std::vector<http::Content> contents;    // one of these; of a failure none: then the common forms
    std::vector<std::string_view> headers;  // beside those of every response

    std::string note() const;
};

// Credentials, by their names among security_schemes(), all of which are asked for.
using Credentials = std::vector<std::string_view>;

struct Operation {
    const http::Route* route = nullptr;
    std::string id;   // getProductsById
    std::string tag;  // products
    std::string note;
    std::vector<Parameter> parameters;
    std::vector<Credentials> security;  // one of these is enough; none: open to all
    std::string_view permission;        // empty: none
    std::vector<std::string_view> limits;
    std::map<int, Response> responses;  // by status
};

struct SecurityScheme {
    std::string_view name;
    std::string_view json;
    std::string_view note;
};

std::vector<SecurityScheme> security_schemes();

// A header of responses, and what it says.
struct ResponseHeader {
    std::string_view name;
    std::string_view note;
    bool number = false;
};

std::vector<ResponseHeader> response_headers();

// The ECMA-262 pattern of the whole value; empty: none. Where white space around the value does not count, it
// is what the limits mean.
std::string pattern_of(const http::Field& field);

// The note of a failure that has no other; empty where every row says its own.
std::string_view common_note(int status);

inline bool is_failure(int status)
{
    return status >= 400;
}

// The rows that the description shows: neither pages for people, nor the development profiles' own, nor a
// second name of another.
// Throws std::logic_error where a row's description is at odds with the row.
std::vector<Operation> operations(const std::vector<const http::Route*>& rows);

}  // namespace kit::app
