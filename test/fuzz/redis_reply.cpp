// Replies of any shape, in pieces of any size: nothing crashes, and how they are cut changes nothing.

#include "platform/redis/reply_parser.hpp"
#include "platform/redis/server_error.hpp"
#include "platform/redis/slots.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using kit::redis::Reply;
using kit::redis::ReplyParser;

void require(bool holds)
{
    if (!holds) {
        std::abort();
    }
}

bool same(const Reply& left, const Reply& right)
{
    return left.kind == right.kind && left.integer == right.integer && left.text == right.text &&
           std::ranges::equal(left.items, right.items, same);
}

struct Parsed {
    std::vector<Reply> replies;
    bool malformed = false;
};

Parsed parse(std::string_view bytes, std::size_t piece)
{
    ReplyParser parser;
    Parsed parsed;
    while (!bytes.empty()) {
        parser.feed(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        auto outcome = ReplyParser::Outcome::reply;
        while (outcome == ReplyParser::Outcome::reply) {
            Reply reply;
            outcome = parser.next(reply);
            if (outcome == ReplyParser::Outcome::reply) {
                parsed.replies.push_back(std::move(reply));
            }
        }
        parsed.malformed = outcome == ReplyParser::Outcome::malformed;
    }
    return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t piece = 1 + data[0] % 16;
    const auto whole = parse(bytes, bytes.size());
    const auto cut = parse(bytes, piece);
    require(whole.malformed == cut.malformed);
    require(std::ranges::equal(whole.replies, cut.replies, same));
    for (const auto& reply : whole.replies) {
        const auto slots = kit::redis::SlotMap::parse(reply, "host");
        require(!slots || reply.kind == Reply::Kind::array);
        const auto redirect = kit::redis::parse_redirect(reply.text, "host");
        require(!redirect || (redirect->slot < kit::redis::slot_count && redirect->endpoint.port > 0));
        kit::redis::classify(reply.text);
    }
    return 0;
}
