// Mail that arrives: a message is stored in the transaction of its cause and sent behind the requests.
#pragma once

#include "platform/core/bell.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit {
class Sealer;
}  // namespace kit

namespace kit::db {
class Database;
class Session;
class Value;
struct Statement;
}  // namespace kit::db

namespace kit::mail {

// The statement that stores a letter, up to its WHERE clause; its parameters are Outbox::values(), 1 to 9.
#define KIT_MAIL_INSERT                                                                               \
    "INSERT INTO mail_outbox (kind, message_id, recipient, subject, text, html, sealed, created_at, " \
    "due_at, expires_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8, $9"

struct Message {
    std::string kind;  // "email_verify": for metrics, logs and whoever looks into the outbox
    std::string to;    // addr-spec
    std::string subject;
    std::string text;
    std::string html;
    // Carries a one-time link: stored encrypted outside local-like profiles, erased once sent.
    bool secret = false;
    std::optional<Timestamp> useless_after{};  // past this it is not sent any more
};

// A message as a row, ready to be stored.
class Letter {
public:
    struct Row;

    explicit Letter(std::unique_ptr<const Row> row);
    Letter(Letter&&) noexcept;
    Letter& operator=(Letter&&) noexcept;
    ~Letter();

    const Row& row() const { return *row_; }

private:
    std::unique_ptr<const Row> row_;
};

// A message as the development mailbox shows it.
struct Stored {
    std::int64_t id = 0;
    std::string to;
    std::string subject;
    std::string text;
    std::string html;
    Timestamp created_at{};
};

struct OutboxOptions {
    std::string message_domain = "localhost";  // the right side of Message-IDs
    bool seals = true;   // secret messages are encrypted at rest; off in local-like profiles
    std::string secret;  // what the key is derived from
    std::chrono::milliseconds age_max{std::chrono::hours(24)};  // older messages are not sent any more
};

// Where messages wait. Thread-safe.
class Outbox {
public:
    struct Deps {
        Clock& clock;
        Random& random;
    };

    Outbox(Deps deps, OutboxOptions options);
    ~Outbox();

    // Outside the transaction: it may encrypt. Throws std::invalid_argument where the recipient is nothing
    // that an envelope can carry.
    Letter prepare(Message message) const;

    // Stores it in the caller's transaction.
    static Task<void> store(db::Session& session, const Letter& letter);

    // The statement that stores it, for run_atomically; refers to the letter.
    static db::Statement statement(const Letter& letter);

    // The parameters of KIT_MAIL_INSERT; they refer to the letter.
    static std::span<const db::Value> values(const Letter& letter);

    // After the commit: the dispatcher need not wait for its next look. Cheap.
    void wake() { bell_.ring(); }

    // Newest first, of any state. Bodies that were erased, or that our key does not open, are empty.
    Task<std::vector<Stored>> newest(db::Session& session, std::int64_t rows_max) const;

    // For the dispatcher.
    Bell& bell() { return bell_; }

    const Sealer* sealer() const { return sealer_.get(); }

private:
    Deps deps_;
    OutboxOptions options_;
    std::unique_ptr<const Sealer> sealer_;
    Bell bell_;
};

}  // namespace kit::mail
