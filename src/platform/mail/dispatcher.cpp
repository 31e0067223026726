#include "platform/mail/dispatcher.hpp"

#include "platform/core/encoding.hpp"
#include "platform/mail/table.hpp"
#include "platform/telemetry/logger.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace kit::mail {

namespace {

constexpr std::size_t owner_bytes = 8;
constexpr std::size_t error_characters_max = 64;  // of the column

constexpr telemetry::Instrument attempts_made{
    .name = "mail.delivery.attempts",
    .unit = "{attempt}",
    .description = "Attempts to hand a mail over.",
    .attributes = {"kind", "outcome"},
};

constexpr telemetry::Instrument attempt_duration{
    .name = "mail.delivery.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Time of an attempt to hand a mail over.",
    .attributes = {"outcome"},
    .bounds = telemetry::buckets::seconds,
};

constexpr telemetry::Instrument messages_kept{
    .name = "mail.outbox.messages",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{message}",
    .description = "Mails in the outbox that were not sent.",
    .attributes = {"state"},
};

// Counts a message that was tried before, as long as it is under way.
class Retrying {
public:
    Retrying(std::size_t& count, bool retry) : count_(count), retry_(retry) { count_ += retry_ ? 1 : 0; }

    Retrying(const Retrying&) = delete;
    Retrying& operator=(const Retrying&) = delete;

    ~Retrying() { count_ -= retry_ ? 1 : 0; }

private:
    std::size_t& count_;
    bool retry_;
};

}  // namespace

std::chrono::milliseconds BackOff::wait(std::int64_t tries, Random& random) const
{
    constexpr std::int64_t doublings_max = 30;
    const auto doublings = std::clamp<std::int64_t>(tries - 1, 0, doublings_max);
    const auto full = std::min(first * (std::int64_t{1} << doublings), longest);
    const auto half = full / 2;
    const auto chance = random.number() % static_cast<std::uint64_t>((full - half).count() + 1);
    return half + std::chrono::milliseconds(static_cast<std::int64_t>(chance));
}

Dispatcher::Dispatcher(Deps deps, std::unique_ptr<Transport> transport, Options options)
    : deps_(deps),
      transport_(std::move(transport)),
      options_(options),
      owner_(deps.random.token(owner_bytes)),
      attempts_(deps.metrics, attempts_made),
      duration_(deps.metrics, attempt_duration),
      queued_count_(deps.metrics.observe(
          messages_kept, {"queued"}, [this] { return static_cast<double>(queued_.load()); }
      )),
      dead_count_(deps.metrics.observe(messages_kept, {"dead"}, [this] {
          return static_cast<double>(dead_.load());
      }))
{
    if (transport_) {
        retries_max_ = std::max<std::size_t>(1, transport_->parallel_max() / 2);
    }
}

Dispatcher::~Dispatcher()
{
    stop();
}

void Dispatcher::start(Background& background, const Executor& executor)
{
    background.spawn(executor, "mail.look", look());
    for (std::size_t lane = 0; transport_ && lane < transport_->parallel_max(); ++lane) {
        background.spawn(executor, "mail.lane", this->lane());
    }
}

void Dispatcher::stop()
{
    if (stopping_.exchange(true)) {
        return;
    }
    deps_.outbox.bell().ring_for_good();
    if (transport_) {
        transport_->stop(stop_grace);
    }
}

// Between a message's acceptance and its record nothing may be given up, so a lane is cancelled only while it
// waits.
Task<void> Dispatcher::lane()
{
    while (!stopping_) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        bool sent = false;
        std::string failed;
        try {
            sent = co_await send_one();
        } catch (const std::exception& error) {
            failed = error.what();
        }
        note_database(failed);
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        if (stopping_) {
            break;
        }
        if (!sent) {
            co_await deps_.outbox.bell().wait();
        } else if (server_away_) {
            co_await deps_.clock.sleep_for(rest);
        }
    }
}

// Said once, by whichever lane is the first to notice.
void Dispatcher::note_database(const std::string& error)
{
    if (std::exchange(database_away_, !error.empty()) == database_away_) {
        return;
    }
    if (database_away_) {
        deps_.logger.warn("outbox not reached", {{"error", error}});
    } else {
        deps_.logger.info("outbox reached again", {});
    }
}

Task<void> Dispatcher::look()
{
    auto upkeep_at = deps_.clock.steady_now();
    while (!stopping_) {
        std::string failed;
        try {
            if (transport_ && co_await table::any_due(deps_.database, deps_.clock.now())) {
                deps_.outbox.wake();
            }
            if (deps_.clock.steady_now() >= upkeep_at) {
                co_await upkeep();
                upkeep_at = deps_.clock.steady_now() + upkeep_interval;
            }
        } catch (const Cancelled&) {
            throw;
        } catch (const std::exception& error) {
            failed = error.what();
        }
        note_database(failed);
        co_await deps_.clock.sleep_for(poll_interval);
    }
}

Task<void> Dispatcher::upkeep()
{
    const auto now = deps_.clock.now();
    if (const auto expired = co_await table::expire(deps_.database, now); expired > 0) {
        deps_.logger.warn("mails given up", {{"count", expired}, {"reason", "too old"}});
    }
    while (co_await table::purge(deps_.database, now - options_.retention, purge_rows_max) == purge_rows_max
    ) {
    }
    const auto counts = co_await table::count(deps_.database);
    queued_ = counts.queued;
    dead_ = counts.dead;
}

Task<bool> Dispatcher::send_one()
{
    const auto now = deps_.clock.now();
    auto claimed = co_await table::claim(
        deps_.database,
        {.owner = owner_,
         .now = now,
         .leased_until = now + options_.lease,
         .retries = retrying_ < retries_max_}
    );
    if (!claimed) {
        co_return false;
    }
    deps_.outbox.wake();  // another lane: there may be more
    co_await deliver(*claimed);
    co_return true;
}

Task<void> Dispatcher::deliver(Claimed& claimed)
{
    const Retrying retrying(retrying_, claimed.attempts > 1);
    if (!open_bodies(deps_.outbox.sealer(), claimed)) {
        co_await record(claimed, {.outcome = Outcome::rejected, .reason = "sealed with another key"});
        co_return;
    }
    const auto started = deps_.clock.steady_now();
    const auto delivery = co_await attempt(claimed);
    const auto outcome = to_string(delivery.outcome);
    attempts_.add({claimed.kind, outcome});
    duration_.record(telemetry::seconds_between(started, deps_.clock.steady_now()), {outcome});
    note_reach(delivery);
    co_await record(claimed, delivery);
}

Task<Delivery> Dispatcher::attempt(const Claimed& claimed)
{
    std::string failed;
    try {
        co_return co_await transport_->deliver({
            .message_id = claimed.message_id,
            .to = claimed.recipient,
            .subject = claimed.subject,
            .text = claimed.text,
            .html = claimed.html,
            .created_at = claimed.created_at,
        });
    } catch (const std::exception& error) {
        failed = error.what();
    }
    co_return Delivery{.outcome = Outcome::unreachable, .reason = std::move(failed)};
}

// Said when it changes, not for each message.
void Dispatcher::note_reach(const Delivery& delivery)
{
    const bool away = delivery.outcome == Outcome::unreachable;
    if (std::exchange(server_away_, away) == away || stopping_) {
        return;
    }
    if (away) {
        deps_.logger.warn("mail server not reached", {{"reason", delivery.reason}});
    } else {
        deps_.logger.info("mail server reached", {});
    }
}

// A database that is away for a moment must not cost a second copy: asked again as long as the lease holds.
Task<void> Dispatcher::record(const Claimed& claimed, const Delivery& delivery)
{
    const auto lease_end = deps_.clock.steady_now() + options_.lease / 2;
    while (true) {
        bool away = false;
        try {
            if (!co_await settle(claimed, delivery)) {
                deps_.logger.warn("mail's lease lost", {{"id", claimed.id}, {"kind", claimed.kind}});
            }
        } catch (const Unavailable&) {
            away = true;
        }
        if (!away || stopping_ || deps_.clock.steady_now() >= lease_end) {
            co_return;
        }
        co_await deps_.clock.sleep_for(record_interval);
    }
}

Task<bool> Dispatcher::settle(const Claimed& claimed, const Delivery& delivery)
{
    const auto now = deps_.clock.now();
    const auto error = std::string(truncate_characters(delivery.reason, error_characters_max));
    switch (delivery.outcome) {
        case Outcome::accepted:
            co_return co_await table::settle_sent(deps_.database, claimed, now);
        case Outcome::rejected:
            co_return co_await bury(claimed, error);
        case Outcome::refused: {
            const auto refusals = claimed.refusals + 1;
            if (refusals >= options_.attempts_max) {
                co_return co_await bury(claimed, error);
            }
            const auto due = now + options_.refused.wait(refusals, deps_.random);
            co_return co_await table::postpone(
                deps_.database, claimed, {.error = error, .due_at = due, .refused = true}
            );
        }
        case Outcome::unreachable: {
            const auto wait = options_.unreachable.wait(claimed.attempts, deps_.random);
            const auto due = stopping_ ? now : now + wait;
            co_return co_await table::postpone(
                deps_.database, claimed, {.error = error, .due_at = due, .refused = false}
            );
        }
    }
    std::unreachable();
}

Task<bool> Dispatcher::bury(const Claimed& claimed, const std::string& reason)
{
    deps_.logger.warn(
        "mail not delivered",
        {{"id", claimed.id}, {"kind", claimed.kind}, {"attempts", claimed.attempts}, {"reason", reason}}
    );
    co_return co_await table::settle_dead(deps_.database, claimed, reason, deps_.clock.now());
}

}  // namespace kit::mail
