#pragma once

#include <charconv>
#include <cstring>
#include <string_view>

namespace bench {

// Appends to memory the caller has made large enough: no allocation, and one bound, checked where the room is
// made.
class Writer {
public:
    explicit Writer(char* begin) : begin_(begin), end_(begin) {}

    Writer& operator<<(std::string_view text)
    {
        std::memcpy(end_, text.data(), text.size());
        end_ += text.size();
        return *this;
    }

    Writer& operator<<(unsigned long number)
    {
        end_ = std::to_chars(end_, end_ + 20, number).ptr;
        return *this;
    }

    // The number's last `width` digits, with leading zeros.
    Writer& padded(unsigned long number, int width)
    {
        for (char* digit = end_ + width; digit-- != end_; number /= 10) {
            *digit = static_cast<char>('0' + (number % 10));
        }
        end_ += width;
        return *this;
    }

    [[nodiscard]] std::string_view view() const { return {begin_, static_cast<std::size_t>(end_ - begin_)}; }

private:
    char* begin_;
    char* end_;
};

}  // namespace bench
