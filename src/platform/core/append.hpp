// Texts put together without a look at the capacity for each of them.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace kit {

// Writes bytes from `at` on, where there is room for them.
class ByteWriter {
public:
    explicit ByteWriter(char* at) : at_(at) {}

    void put(char byte) { *at_++ = byte; }

    void put(std::string_view text) { at_ = std::ranges::copy(text, at_).out; }

private:
    char* at_;
};

// Makes `out` longer by exactly `size` bytes, which `write(ByteWriter&)` writes.
template <class Write>
void append_sized(std::string& out, std::size_t size, Write write)
{
    const auto start = out.size();
    const auto wanted = start + size;
    if (out.capacity() < wanted) {
        out.reserve(std::max(wanted, 2 * out.capacity()));
    }
    out.resize_and_overwrite(wanted, [&](char* data, std::size_t /*wanted*/) {
        ByteWriter writer(data + start);
        write(writer);
        return wanted;
    });
}

// All of them, one after another.
template <class... Texts>
void append_all(std::string& out, const Texts&... texts)
{
    append_sized(out, (std::string_view(texts).size() + ...), [&](ByteWriter& writer) {
        (writer.put(std::string_view(texts)), ...);
    });
}

// A number in the shortest text that reads back as the same.
template <class Number>
void append_number(std::string& out, Number number)
{
    std::array<char, 32> digits;  // any 64-bit integer, any double
    auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

}  // namespace kit
