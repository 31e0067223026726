#include "modules/audit/audit.hpp"
#include "platform/core/encoding.hpp"
#include "platform/core/shielded.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/db/database.hpp"
#include "platform/db/lock.hpp"
#include "platform/json/json.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/trace.hpp"

#include <algorithm>

namespace kit::audit {

namespace {

constexpr std::size_t target_characters_max = 255;

std::string or_else(std::string_view text, std::string_view blank)
{
    return std::string(text.empty() ? blank : text);
}

std::string extras_object(const Event& event)
{
    std::string text;
    auto object = json::object(text);
    for (const auto& [name, value] : event.extras) {
        object.field(name, value);
    }
    for (const auto& [name, value] : event.json_extras) {
        object.field(name, json::Raw{value});
    }
    return text;
}

// "12:auth.refresh,": what stands before the colon says where the comma is.
void append_field(std::string& out, std::string_view text)
{
    out += std::to_string(text.size());
    out += ':';
    out += text;
    out += ',';
}

std::string name_row(const Record& record)
{
    return "row " + std::to_string(record.sequence.value_or(0)) + " (id " + std::to_string(record.id) + ")";
}

// What is wrong with a row at this place of the chain; empty: nothing.
std::string find_fault(const Record& record, std::int64_t expected_sequence, std::string_view previous_hash)
{
    if (record.sequence < expected_sequence) {
        return name_row(record) + " stands below the chain's anchor";
    }
    if (record.sequence > expected_sequence) {
        return "row " + std::to_string(expected_sequence) + " is missing";
    }
    if (record.hash != chain_hash(record.previous_hash.value_or(""), record)) {
        return name_row(record) + " was changed";
    }
    if (record.previous_hash != previous_hash) {
        return name_row(record) + " does not follow the row before it: rows were reordered or removed";
    }
    return {};
}

}  // namespace

Event by_user(const Kind& kind, std::int64_t user_id, std::string_view result, std::string_view reason)
{
    return {
        .kind = kind,
        .outcome = result,
        .reason = reason,
        .target_type = "user",
        .target_id = std::to_string(user_id),
        .actor = user_id
    };
}

std::string canonical(const Record& record)
{
    std::string out;
    append_field(out, "audit-event");
    append_field(out, std::to_string(record.id));
    append_field(out, record.event_name);
    append_field(out, std::to_string(record.event_version));
    append_field(out, record.actor_user_id);
    append_field(out, record.actor_ip);
    append_field(out, record.target_type);
    append_field(out, record.target_id);
    append_field(out, record.action);
    append_field(out, record.outcome);
    append_field(out, record.reason);
    append_field(out, record.request_id);
    append_field(out, record.trace_id);
    append_field(out, record.span_id);
    append_field(out, to_fixed_iso8601(record.ts));
    append_field(out, record.extras);
    return out;
}

std::string chain_hash(std::string_view previous_hash, const Record& record)
{
    std::string bytes;
    append_field(bytes, previous_hash);
    bytes += canonical(record);
    return sha256_hex(bytes);
}

Entry Service::entry(const Event& event, const Origin& origin) const
{
    Entry entry;
    entry.event_name = event.kind.name;
    entry.actor_user_id = event.actor ? std::to_string(*event.actor) : "anonymous";
    entry.actor_ip = or_else(origin.ip, "unknown");
    entry.target_type = or_else(event.target_type, "none");
    entry.target_id = or_else(truncate_characters(event.target_id, target_characters_max), "none");
    entry.action = or_else(event.kind.action, "unknown");
    entry.outcome = or_else(event.outcome, "unknown");
    entry.reason = or_else(event.reason, "none");
    entry.request_id = origin.request_id;
    const telemetry::SpanText ids(origin.span);
    entry.trace_id = ids.trace_id();
    entry.span_id = ids.span_id();
    entry.ts = std::chrono::floor<std::chrono::seconds>(deps_.clock.now());
    entry.extras = extras_object(event);
    entry.details = event.extras;
    entry.details.insert(entry.details.end(), event.json_extras.begin(), event.json_extras.end());
    return entry;
}

bool Service::announce(const Entry& entry)
{
    // Every other field has a value of its own for what is missing.
    if (entry.event_name.empty()) {
        deps_.logger.error(
            "audit.schema.invalid",
            {{"error", "event_name is missing"},
             {"event_name", entry.event_name},
             {"request_id", entry.request_id}}
        );
        return false;
    }
    const auto time = to_rfc3339(entry.ts);
    std::vector<telemetry::LogField> fields{
        {"event_name", entry.event_name},
        {"event_version", entry.event_version},
        {"actor_user_id", entry.actor_user_id},
        {"actor_ip", entry.actor_ip},
        {"target_type", entry.target_type},
        {"target_id", entry.target_id},
        {"action", entry.action},
        {"outcome", entry.outcome},
        {"reason", entry.reason},
        {"request_id", entry.request_id},
        {"trace_id", entry.trace_id},
        {"span_id", entry.span_id},
        {"ts", time},
    };
    for (const auto& [name, value] : entry.details) {
        fields.emplace_back(name, value);
    }
    deps_.logger.write(telemetry::LogLevel::info, "audit.event", fields);
    return true;
}

void Service::record(const Event& event, const Origin& origin)
{
    auto entry = this->entry(event, origin);
    if (!announce(entry)) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < waiting_max) {
        waiting_.push_back(std::move(entry));
    } else {
        ++dropped_;
    }
}

std::vector<Entry> Service::take_waiting()
{
    std::vector<Entry> taken;
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && taken.size() < static_cast<std::size_t>(batch_rows_max)) {
        taken.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    return taken;
}

// In front of what came meanwhile; the bound may be passed by one batch.
void Service::put_back(std::vector<Entry> entries)
{
    const std::lock_guard lock(mutex_);
    waiting_.insert(
        waiting_.begin(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end())
    );
}

Task<void> Service::flush()
{
    for (auto entries = take_waiting(); !entries.empty(); entries = take_waiting()) {
        try {
            // A stop must not leave it open whether they are in: they would come twice.
            co_await shielded(Repository::insert_all(deps_.database, entries));
        } catch (const Unavailable&) {
            put_back(std::move(entries));
            throw;
        } catch (const Cancelled&) {
            put_back(std::move(entries));
            throw;
        } catch (const std::exception& failed) {
            // Rows that the database will never take must not hold up the others.
            deps_.logger.error("audit rows refused", {{"count", entries.size()}, {"error", failed.what()}});
        }
    }
    const std::lock_guard lock(mutex_);
    if (const auto dropped = std::exchange(dropped_, 0); dropped > 0) {
        deps_.logger.warn("audit rows dropped", {{"count", dropped}});
    }
}

Task<void> Service::seal()
{
    // Nodes without anything to seal do not compete for the lock.
    while (co_await Repository::any_unsealed(deps_.database)) {
        co_await deps_.database.transaction([this](db::Transaction& transaction) {
            return seal_batch(transaction);
        });
    }
}

// In the order of their ids as far as they are committed: a row that commits later takes a later place.
Task<bool> Service::seal_batch(db::Transaction& transaction)
{
    co_await db::lock(transaction, db::LockKey::audit_chain);
    const auto chain = co_await Repository::chain(transaction);
    auto records = co_await Repository::unsealed(transaction, batch_rows_max);
    auto sequence = chain.head_sequence;
    auto previous_hash = chain.head_hash;
    for (auto& record : records) {
        record.sequence = ++sequence;
        record.hash = chain_hash(previous_hash, record);
        record.previous_hash = std::exchange(previous_hash, *record.hash);
    }
    if (!records.empty()) {
        co_await Repository::seal(transaction, records);
    }
    co_return !records.empty();
}

Task<std::int64_t> Service::prune()
{
    if (retention_.count() <= 0) {
        co_return 0;
    }
    const auto cutoff = deps_.clock.now() - retention_;
    std::int64_t removed = 0;
    while (true) {
        std::optional<Entry> pruned;
        const auto batch = co_await deps_.database.transaction([&](db::Transaction& transaction) {
            return prune_batch(transaction, cutoff, pruned);
        });
        if (pruned) {
            announce(*pruned);
        }
        removed += batch;
        if (batch < batch_rows_max) {
            co_return removed;
        }
    }
}

// The oldest rows only: the first that must stay ends the removal, or the chain would have a hole. That rows
// are gone is itself on record, in the same transaction.
Task<std::int64_t> Service::prune_batch(
    db::Transaction& transaction, Timestamp cutoff, std::optional<Entry>& pruned
)
{
    co_await db::lock(transaction, db::LockKey::audit_chain);
    const auto chain = co_await Repository::chain(transaction);
    const auto oldest = co_await Repository::sealed_after(transaction, chain.anchor_sequence, batch_rows_max);
    const auto kept =
        std::ranges::find_if(oldest, [cutoff](const Record& record) { return record.ts >= cutoff; });
    const auto removed = kept - oldest.begin();
    pruned.reset();
    if (removed > 0) {
        const auto& last = *std::prev(kept);
        co_await Repository::remove_up_to(transaction, last);
        const auto sequence = std::to_string(last.sequence.value_or(0));
        pruned = entry(
            {.kind = {"audit.prune", "prune"},
             .outcome = outcome::success,
             .reason = "retention",
             .target_type = "audit_chain",
             .target_id = sequence,
             .extras = {{"removed", std::to_string(removed)}}},
            {}
        );
        co_await Repository::insert(transaction, *pruned);
    }
    co_return removed;
}

Task<void> Service::keep()
{
    bool failing = false;
    auto prune_at = deps_.clock.steady_now();
    while (true) {
        try {
            co_await flush();
            co_await seal();
            if (deps_.clock.steady_now() >= prune_at) {
                co_await prune();
                prune_at = deps_.clock.steady_now() + prune_interval;
            }
            failing = false;
        } catch (const Cancelled&) {
            throw;
        } catch (const std::exception& failed) {
            // Said once; asked again until it works.
            if (!std::exchange(failing, true)) {
                deps_.logger.warn("audit trail not kept up", {{"error", failed.what()}});
            }
        }
        co_await deps_.clock.sleep_for(keep_interval);
    }
}

Task<Verification> Service::verify()
{
    while (true) {
        auto found = co_await walk(co_await Repository::chain(deps_.database));
        if (found.fault.empty()) {
            co_return found;
        }
        // Rows that were removed while we walked are no fault.
        const auto now = co_await Repository::chain(deps_.database);
        if (now.anchor_sequence == found.chain.anchor_sequence) {
            co_return found;
        }
    }
}

Task<Verification> Service::walk(Chain chain)
{
    Verification found{.chain = chain};
    auto sequence = chain.anchor_sequence;
    auto previous_hash = chain.anchor_hash;
    // From the very start: nothing may be left below the anchor.
    auto after = std::numeric_limits<std::int64_t>::min();
    auto rows_max = batch_rows_max;
    while (sequence < chain.head_sequence) {
        std::vector<Record> records;
        bool unreadable = false;
        try {
            records = co_await Repository::sealed_after(deps_.database, after, rows_max);
        } catch (const db::QueryFailed&) {
            unreadable = true;
        }
        if (unreadable && rows_max == 1) {
            found.fault = "row " + std::to_string(sequence + 1) + " was changed: it cannot be read";
            co_return found;
        }
        if (unreadable) {
            rows_max = 1;  // row by row up to the one at fault
            continue;
        }
        if (records.empty()) {
            found.fault = "row " + std::to_string(sequence + 1) + " is missing";
            co_return found;
        }
        for (const auto& record : records) {
            if (sequence == chain.head_sequence) {
                break;  // sealed since we began
            }
            found.fault = find_fault(record, sequence + 1, previous_hash);
            if (!found.fault.empty()) {
                co_return found;
            }
            ++found.rows;
            ++sequence;
            previous_hash = *record.hash;
        }
        after = sequence;
    }
    if (chain.last_sequence > chain.head_sequence) {
        found.fault = "row " + std::to_string(chain.head_sequence + 1) + " stands above the chain's head";
    } else if (previous_hash != chain.head_hash) {
        found.fault = "row " + std::to_string(sequence) + " is not the one at the chain's head";
    }
    co_return found;
}

Task<Page> Service::page(Filter filter, Slice slice, Total total)
{
    co_return co_await Repository::page(deps_.database, filter, slice, total);
}

Task<std::vector<Record>> Service::older(Filter filter, Slice slice)
{
    co_return co_await Repository::older(deps_.database, filter, slice);
}

}  // namespace kit::audit
