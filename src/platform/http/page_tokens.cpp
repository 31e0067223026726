#include "platform/http/page_tokens.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace kit::http {

namespace {

constexpr std::string_view purpose = "http.page_tokens.1";  // with the form of their content
constexpr std::size_t list_hash_bytes = 8;

enum Flag : std::uint8_t { before = 1, has_total = 2, has_time = 4, has_text = 8 };

// Of the machine's own byte order: nodes that share tokens share it.
void put(std::string& out, std::int64_t number)
{
    const auto bytes = std::bit_cast<std::array<char, sizeof number>>(number);
    out.append(bytes.data(), bytes.size());
}

std::int64_t take(std::string_view& in)
{
    std::int64_t number = 0;
    std::memcpy(&number, in.data(), sizeof number);
    in.remove_prefix(sizeof number);
    return number;
}

std::string hash_of(std::string_view list)
{
    const auto digest = sha256(list);
    return std::string(as_text(digest).substr(0, list_hash_bytes));
}

constexpr std::size_t fixed_bytes = 1 + list_hash_bytes + 3 * sizeof(std::int64_t);

}  // namespace

PageTokens::PageTokens(std::string_view secret, Clock& clock, Random& random)
    : sealer_(secret, purpose), clock_(clock), random_(random)
{
}

std::string PageTokens::seal(const Content& content, std::string_view list) const
{
    const auto& place = content.cursor.place;
    const auto* const time = std::get_if<Timestamp>(&place.value);
    const auto* const text = std::get_if<std::string>(&place.value);
    std::string plain(
        1,
        static_cast<char>(
            (content.cursor.before ? before : 0) | (content.total ? has_total : 0) |
            (time != nullptr ? has_time : 0) | (text != nullptr ? has_text : 0)
        )
    );
    plain += hash_of(list);
    put(plain, clock_.now().time_since_epoch().count());
    put(plain, content.total.value_or(0));
    put(plain, place.id);
    if (time != nullptr) {
        put(plain, time->time_since_epoch().count());
    } else if (text != nullptr) {
        plain += *text;
    }
    return sealer_.seal(plain, purpose, random_);
}

Result<PageTokens::Content> PageTokens::open(std::string_view token, std::string_view list) const
{
    const auto opened = sealer_.open(token, purpose);
    if (!opened || opened->size() < fixed_bytes) {
        return failure(Error::invalid("invalid page_token"));
    }
    std::string_view in(*opened);
    const auto flags = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    if (in.substr(0, list_hash_bytes) != hash_of(list)) {
        return failure(Error::invalid("page_token belongs to another list, filter or order"));
    }
    in.remove_prefix(list_hash_bytes);
    const Timestamp sealed_at{std::chrono::microseconds(take(in))};
    if (clock_.now() - sealed_at >= life) {
        return failure(Error::invalid("page_token has expired"));
    }
    Content content;
    const auto total = take(in);
    if ((flags & has_total) != 0) {
        content.total = total;
    }
    content.cursor.before = (flags & before) != 0;
    content.cursor.place.id = take(in);
    if ((flags & has_time) != 0) {
        content.cursor.place.value = Timestamp(std::chrono::microseconds(take(in)));
    } else if ((flags & has_text) != 0) {
        content.cursor.place.value = std::string(in);
    }
    return content;
}

}  // namespace kit::http
