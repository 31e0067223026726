// Mail that arrives: a message is stored in the transaction of its cause and sent behind the requests.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
struct Statement;
}  // namespace kit::db

namespace kit::mail {

struct Message {
    std::string kind;  // "email_verify": for metrics, logs and whoever looks into the outbox
    std::string to;    // addr-spec
    std::string subject;
    std::string text;
    std::string html;
    bool secret =
        false;  // carries a one-time link: stored encrypted outside local-like profiles, erased once sent
    std::optional<Timestamp> useless_after{};  // past this it is not sent any more
};

// A message as a row, ready to be stored: made outside the transaction (it may encrypt).
class Letter;

class Outbox {
public:
    Letter prepare(Message message) const;

    // Stores it in the caller's transaction, or batch.
    static Task<void> store(db::Session& session, const Letter& letter);

    // The statement that stores it, for run_atomically; refers to the letter.
    static db::Statement statement(const Letter& letter);

    // After the commit: the dispatcher need not wait for its next look. Thread-safe, cheap.
    void wake();
};

}  // namespace kit::mail
