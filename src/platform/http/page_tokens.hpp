// Cursors as clients carry them: sealed, so that they can be neither made up nor read. What a list is ordered
// by may be an address, and tokens stand in URLs, which end up in logs.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/listing.hpp"
#include "platform/crypto/seal.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit::http {

// Thread-safe.
class PageTokens {
public:
    // Nobody walks on after that; and a token that is found somewhere later opens nothing.
    static constexpr std::chrono::hours life{24};

    PageTokens(std::string_view secret, Clock& clock, Random& random);

    struct Content {
        Cursor cursor;
        std::optional<std::int64_t> total;  // of the list when the walk began
    };

    // `list` names the list with its filters and order: the token is good for no other.
    std::string seal(const Content& content, std::string_view list) const;

    // invalid_input: made up, of another list, expired.
    Result<Content> open(std::string_view token, std::string_view list) const;

private:
    Sealer sealer_;
    Clock& clock_;
    Random& random_;
};

}  // namespace kit::http
