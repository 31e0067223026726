// A strict reader of what JOSE headers and our claims are made of: one flat JSON object (RFC 8259) whose
// values are strings, numbers, literals or arrays of strings. Anything else is refused: nested objects,
// repeated names (RFC 7515 section 4), names with escapes, invalid UTF-8, lone surrogates, text after the
// object. What a stranger has signed may nest: read_value() takes any one value, to be read by another
// reader.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kit::jwt {

// Use: while (next(name)) { one read_… or skip() }, then finished(). After a fault every call answers false.
class ClaimsReader {
public:
    static constexpr std::size_t names_max = 64;
    static constexpr int depth_max = 16;  // of what read_value() takes

    // `text` must outlive the reader and the names it gives.
    explicit ClaimsReader(std::string_view text);

    // Moves to the next member; false at the object's end and after a fault.
    bool next(std::string_view& name);

    // Was the text one well-formed object, read to its end?
    bool finished() const { return stage_ == Stage::ended; }

    // The current member's value; false, a fault, if it is of another type.
    bool read_string(std::string& value);
    bool read_integer(std::int64_t& value);  // no fraction, no exponent, within 64 bits
    bool read_strings(std::vector<std::string>& values);
    bool read_string_or_strings(std::vector<std::string>& values);
    bool skip();

    // The text of the current member's value, whatever it is.
    bool read_value(std::string_view& text);

    // The texts of an array's elements, whatever they are; a fault where there are more than `elements_max`.
    bool read_values(std::vector<std::string_view>& texts, std::size_t elements_max);

private:
    enum class Stage : std::uint8_t { start, member, ended, failed };

    bool fail();
    bool take(char character);

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space();
    bool skip_string();
    bool skip_value(int depth);
    bool skip_members(int depth);
    template <class ReadElement>
    bool read_array(ReadElement read_element);
    bool end_object();
    bool scan_string(std::string_view& raw, bool& escaped);
    bool scan_digits();
    bool scan_number();
    bool scan_literal(std::string_view literal);
    bool unescape(std::string_view raw, std::string& value);

    std::string_view text_;
    std::size_t at_ = 0;
    Stage stage_ = Stage::start;
    std::array<std::string_view, names_max> names_;
    std::size_t name_count_ = 0;
};

}  // namespace kit::jwt
