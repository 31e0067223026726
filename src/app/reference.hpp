// The API's description of itself: the OpenAPI document of the route table, and a page for people.
#pragma once

#include "platform/http/route.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kit::app {

struct Operation;

// OpenAPI 3.1, laid out for people and diffs: api/openapi.json is this, byte for byte.
std::string openapi_document(const std::vector<Operation>& operations);

// HTML without scripts of its own; it reads and prints without JavaScript.
std::string reference_page(const std::vector<Operation>& operations);

std::string_view reference_style();
std::string_view reference_script();

// Rendered once; answered from memory.
class Reference {
public:
    // Throws std::logic_error where a row's description is at odds with the row.
    void describe(const std::vector<const http::Route*>& rows);

    struct Asset {
        std::string_view type;
        std::string body;
        std::string etag;
    };

    const Asset& document() const { return document_; }

    const Asset& page() const { return page_; }

    const Asset& style() const { return style_; }

    const Asset& script() const { return script_; }

private:
    Asset document_;
    Asset page_;
    Asset style_;
    Asset script_;
};

std::vector<http::Route> routes(Reference& reference);

}  // namespace kit::app
