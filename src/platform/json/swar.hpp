// Eight bytes looked at in one register, to pass quickly over text in which nothing needs care. Private to
// json.
#pragma once

#include <cstdint>
#include <cstring>

namespace kit::json::swar {

inline constexpr std::uint64_t low_bits = 0x0101010101010101;
inline constexpr std::uint64_t high_bits = 0x8080808080808080;

// Each of the following is non-zero exactly if some byte of the word qualifies; which one is not told.
constexpr std::uint64_t any_below(std::uint64_t word, std::uint8_t bound)
{
    return (word - low_bits * bound) & ~word & high_bits;
}

constexpr std::uint64_t any_equal(std::uint64_t word, char byte)
{
    return any_below(word ^ (low_bits * static_cast<std::uint8_t>(byte)), 1);
}

constexpr std::uint64_t any_not_ascii(std::uint64_t word)
{
    return word & high_bits;
}

// The first byte that `byte_matters`, or `end`. `word_matters` must be non-zero for any word that holds such
// a byte.
template <class WordMatters, class ByteMatters>
const char* find(const char* cursor, const char* end, WordMatters word_matters, ByteMatters byte_matters)
{
    while (end - cursor >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, cursor, sizeof word);
        if (word_matters(word) != 0) {
            break;
        }
        cursor += sizeof word;
    }
    while (cursor != end && !byte_matters(*cursor)) {
        ++cursor;
    }
    return cursor;
}

}  // namespace kit::json::swar
