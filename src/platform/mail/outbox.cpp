#include "platform/core/encoding.hpp"
#include "platform/crypto/seal.hpp"
#include "platform/mail/mail.hpp"
#include "platform/mail/table.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace kit::mail {

namespace {

constexpr std::size_t subject_characters_max = 255;
constexpr std::size_t recipient_bytes_max = 320;  // 64 + "@" + 255: RFC 5321 section 4.5.3.1
constexpr std::size_t message_id_bytes = 16;

// SMTP's line for it must not end early, nor be read as two addresses.
bool is_deliverable(std::string_view address)
{
    const bool plain = std::ranges::none_of(address, [](char byte) {
        return static_cast<unsigned char>(byte) <= ' ' || byte == '<' || byte == '>' || byte == '\x7f';
    });
    return plain && address.size() <= recipient_bytes_max && address.contains('@');
}

// A body sealed for one message does not open as another one's.
std::string place_of(std::string_view message_id, std::string_view part)
{
    return std::string(message_id).append(part);
}

bool open_parts(const Sealer* sealer, std::string_view message_id, std::string& text, std::string& html)
{
    if (sealer == nullptr) {
        return false;
    }
    auto opened_text = sealer->open(text, place_of(message_id, "/text"));
    auto opened_html = sealer->open(html, place_of(message_id, "/html"));
    if (!opened_text || !opened_html) {
        return false;
    }
    text = *std::move(opened_text);
    html = *std::move(opened_html);
    return true;
}

}  // namespace

Letter::Letter(std::unique_ptr<const Row> row) : row_(std::move(row)) {}

Letter::Letter(Letter&&) noexcept = default;
Letter& Letter::operator=(Letter&&) noexcept = default;
Letter::~Letter() = default;

Outbox::Outbox(Deps deps, OutboxOptions options)
    : deps_(deps),
      options_(std::move(options)),
      sealer_(std::make_unique<const Sealer>(options_.secret, "mail outbox"))
{
}

Outbox::~Outbox() = default;

Letter Outbox::prepare(Message message) const
{
    if (!is_deliverable(message.to)) {
        throw std::invalid_argument("a mail's recipient is no address");
    }
    const auto now = deps_.clock.now();
    const Timestamp too_old = now + options_.age_max;
    auto row = std::make_unique<Letter::Row>(Letter::Row{
        .kind = std::move(message.kind),
        .message_id = deps_.random.token(message_id_bytes) + "@" + options_.message_domain,
        .recipient = std::move(message.to),
        .subject = std::string(truncate_characters(message.subject, subject_characters_max)),
        .text = std::move(message.text),
        .html = std::move(message.html),
        .sealed = message.secret && options_.seals,
        .created_at = now,
        .expires_at = std::min(too_old, message.useless_after.value_or(too_old)),
        .values = {"", "", "", "", "", "", false, now, now},
    });
    if (row->sealed) {
        row->text = sealer_->seal(row->text, place_of(row->message_id, "/text"), deps_.random);
        row->html = sealer_->seal(row->html, place_of(row->message_id, "/html"), deps_.random);
    }
    row->values = {
        row->kind,
        row->message_id,
        row->recipient,
        row->subject,
        row->text,
        row->html,
        row->sealed,
        row->created_at,
        row->expires_at
    };
    return Letter(std::move(row));
}

Task<void> Outbox::store(db::Session& session, const Letter& letter)
{
    co_await session.run(statement(letter));
}

db::Statement Outbox::statement(const Letter& letter)
{
    return {.query = &table::insert, .values = values(letter)};
}

std::span<const db::Value> Outbox::values(const Letter& letter)
{
    return letter.row().values;
}

Task<std::vector<Stored>> Outbox::newest(db::Session& session, std::int64_t rows_max) const
{
    std::vector<Stored> stored;
    for (auto& row : co_await table::newest(session, rows_max)) {
        if (row.sealed && !open_parts(sealer_.get(), row.message_id, row.text, row.html)) {
            row.text.clear();
            row.html.clear();
        }
        stored.push_back({
            .id = row.id,
            .to = std::move(row.recipient),
            .subject = std::move(row.subject),
            .text = std::move(row.text),
            .html = std::move(row.html),
            .created_at = row.created_at,
        });
    }
    co_return stored;
}

bool open_bodies(const Sealer* sealer, Claimed& claimed)
{
    return !claimed.sealed || open_parts(sealer, claimed.message_id, claimed.text, claimed.html);
}

}  // namespace kit::mail
