#include "platform/mail/transport.hpp"

#include <utility>

namespace kit::mail {

namespace {

constexpr int refusals_begin = 400;
constexpr int refusals_end = 500;

}  // namespace

std::string_view to_string(Outcome outcome)
{
    switch (outcome) {
        case Outcome::accepted:
            return "accepted";
        case Outcome::refused:
            return "refused";
        case Outcome::rejected:
            return "rejected";
        case Outcome::unreachable:
            return "unreachable";
    }
    std::unreachable();
}

Delivery judge(const outbound::SmtpResult& result)
{
    if (result.outcome == outbound::SmtpOutcome::accepted) {
        return {.outcome = Outcome::accepted, .reason = {}};
    }
    if (result.outcome == outbound::SmtpOutcome::permanent) {
        return {.outcome = Outcome::rejected, .reason = result.reason};
    }
    // Any other 5xx speaks of our credentials or of the server, not of the message.
    const bool refused = result.reply_code >= refusals_begin && result.reply_code < refusals_end;
    return {.outcome = refused ? Outcome::refused : Outcome::unreachable, .reason = result.reason};
}

Task<Delivery> DevMailbox::deliver(Outgoing)
{
    co_return Delivery{.outcome = Outcome::accepted, .reason = {}};
}

SmtpTransport::SmtpTransport(Options options)
    : options_(std::move(options)),
      pool_({.name = "mail", .threads_max = options_.connections_max, .queue_max = options_.connections_max})
{
}

Task<Delivery> SmtpTransport::deliver(Outgoing mail)
{
    co_return co_await offload(pool_, [this, mail = std::move(mail)] {
        const outbound::SmtpMessage message{
            .sender = options_.sender.address,
            .recipients = {mail.to},
            .data = to_mime(options_.sender, mail),
        };
        return judge(outbound::send_smtp(options_.server, message, broken_off_.get_token()));
    });
}

void SmtpTransport::stop(std::chrono::milliseconds grace)
{
    pool_.wait_idle(grace);
    broken_off_.request_stop();  // of the latecomers, too
}

}  // namespace kit::mail
