// What a form sends, and what is wrong with it in words for people.
#pragma once

#include "platform/core/error.hpp"
#include "platform/http/types.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::pages {

// An application/x-www-form-urlencoded body.
class Form {
public:
    static constexpr std::size_t bytes_max = 16UL * 1024;

    // invalid_input where a value is not text that a database keeps: ill-formed UTF-8, or a NUL.
    static Result<Form> read(const http::RequestContext& ctx);

    // The field's value, once; empty where there is none.
    std::string take(std::string_view name);

private:
    explicit Form(std::vector<std::pair<std::string, std::string>> fields) : fields_(std::move(fields)) {}

    std::vector<std::pair<std::string, std::string>> fields_;
};

// Why a form is shown again.
struct Complaint {
    int status = 200;
    std::string_view field{};  // whose it is; empty: the whole form's
    std::string text{};        // empty: there is none

    std::string_view of(std::string_view name) const { return field == name ? text : std::string_view(); }
};

// `password` names the form's field for one.
Complaint complain(const Error& error, std::string_view password);

Complaint missing(std::string_view field, std::string_view text);

}  // namespace kit::pages
