// The table mail_outbox: its rows and every statement on it.
#pragma once

#include "platform/db/database.hpp"
#include "platform/mail/mail.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::mail {

// The parameters of the insert refer to the members, so it stays where it was made.
struct Letter::Row {
    std::string kind;
    std::string message_id;
    std::string recipient;
    std::string subject;
    std::string text;  // sealed or plain
    std::string html;
    bool sealed = false;
    Timestamp created_at{};
    Timestamp expires_at{};
    std::array<db::Value, 9> values;
};

// A message in the hands of one sender.
struct Claimed {
    std::int64_t id = 0;
    std::string kind;
    std::string message_id;
    std::string recipient;
    std::string subject;
    std::string text;
    std::string html;
    bool sealed = false;
    std::int64_t attempts = 0;  // this one included
    std::int64_t refusals = 0;
    Timestamp created_at{};
    Timestamp expires_at{};
};

// Opens the bodies in place; false where our key does not.
bool open_bodies(const Sealer* sealer, Claimed& claimed);

namespace table {

extern const db::Query insert;

struct Claim {
    std::string_view owner;
    Timestamp now;
    Timestamp leased_until;
    bool retries;  // or only those that nobody tried yet
};

// The message that is due longest, which is then the caller's until the lease ends: no other sender gets it,
// on any node.
Task<std::optional<Claimed>> claim(db::Session& session, Claim claim);

// What became of a claimed message. False, with nothing changed, where the lease ended and somebody else has
// it.
Task<bool> settle_sent(db::Session& session, const Claimed& claimed, Timestamp now);
Task<bool> settle_dead(db::Session& session, const Claimed& claimed, std::string_view error, Timestamp now);

struct Postponement {
    std::string_view error;
    Timestamp due_at;
    bool refused;  // the server said no, as opposed to nothing
};

Task<bool> postpone(db::Session& session, const Claimed& claimed, Postponement postponement);

Task<bool> any_due(db::Session& session, Timestamp now);

// Ends queued messages that nobody holds and that are past their time. Returns their number.
Task<std::int64_t> expire(db::Session& session, Timestamp now);

// Removes messages settled before then, at most `rows_max`. Returns their number.
Task<std::int64_t> purge(db::Session& session, Timestamp before, std::int64_t rows_max);

struct Counts {
    std::int64_t queued = 0;
    std::int64_t dead = 0;
};

Task<Counts> count(db::Session& session);

struct Newest {
    std::int64_t id = 0;
    std::string message_id;
    std::string recipient;
    std::string subject;
    std::string text;
    std::string html;
    bool sealed = false;
    Timestamp created_at{};
};

Task<std::vector<Newest>> newest(db::Session& session, std::int64_t rows_max);

}  // namespace table

}  // namespace kit::mail
