// A key and a value: of a log line, of a span.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace kit::telemetry {

// Views: key and text live as long as the field is used. Never a secret or personal data: no password, token,
// cookie, e-mail address, or bound SQL value.
struct Field {
    using Value = std::variant<std::string_view, std::int64_t, double, bool>;

    Field() = default;

    Field(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}

    Field(std::string_view field_key, const std::string& text) : key(field_key), value(std::string_view(text))
    {
    }

    Field(std::string_view field_key, const char* text) : key(field_key), value(std::string_view(text)) {}

    template <std::integral I>
    Field(std::string_view field_key, I number) : key(field_key)
    {
        if constexpr (std::same_as<I, bool>) {
            value = number;
        } else {
            value = static_cast<std::int64_t>(number);
        }
    }

    Field(std::string_view field_key, double number) : key(field_key), value(number) {}

    std::string_view key{};
    Value value{};
};

}  // namespace kit::telemetry
