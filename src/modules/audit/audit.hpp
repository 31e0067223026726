// What happened, who did it and how it ended: the taxonomy's events as log lines and as rows that nobody can
// change unseen.
//
// A row is written in the transaction of the effect that it reports; a refusal, which has none, is queued and
// written shortly afterwards. Rows enter unsealed. The sealer gives them their places in one hash chain, in
// short batches of its own, so that no request waits for the chain (docs/decisions/0010-audit-chain.md).
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/listing.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::db {
class Database;
struct Query;
class Session;
class Transaction;
class Value;
}  // namespace kit::db

namespace kit::http {
class PageTokens;
class RequestContext;
struct Route;
}  // namespace kit::http

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::audit {

namespace outcome {
inline constexpr std::string_view success = "success";
inline constexpr std::string_view failure = "failure";
inline constexpr std::string_view rejected = "rejected";
inline constexpr std::string_view accepted = "accepted";
}  // namespace outcome

// What all events of one kind share.
struct Kind {
    std::string_view name;
    std::string_view action;
};

// The request that an event belongs to.
struct Origin {
    std::string ip;
    std::string request_id;
    SpanContext span{};  // of the request
};

// An event as its module reports it. Texts are never secrets or addresses of people. Blank ones become what
// the taxonomy says: target and reason "none", the others "unknown".
struct Event {
    Kind kind;
    std::string_view outcome;
    std::string_view reason;
    std::string_view target_type;
    std::string target_id;
    std::optional<std::int64_t> actor{};  // unset: anonymous
    std::vector<std::pair<std::string_view, std::string>> extras{};
    std::vector<std::pair<std::string_view, std::string>> json_extras{};  // the values are JSON texts
};

// A user did, or was refused, something with his own account.
Event by_user(const Kind& kind, std::int64_t user_id, std::string_view result, std::string_view reason);

// The event with all the taxonomy's fields, in its order, and as it is stored.
struct Fields {
    std::string event_name;
    std::int64_t event_version = 1;
    std::string actor_user_id;
    std::string actor_ip;
    std::string target_type;
    std::string target_id;
    std::string action;
    std::string outcome;
    std::string reason;
    std::string request_id;
    std::string trace_id;
    std::string span_id;
    Timestamp ts{};      // whole seconds
    std::string extras;  // a JSON object
};

// An event on its way: the row, and its extras once more for the log line.
struct Entry : Fields {
    std::vector<std::pair<std::string_view, std::string>> details;
};

// A stored event; the last three are set once it is sealed.
struct Record : Fields {
    std::int64_t id = 0;
    std::optional<std::int64_t> sequence;
    std::optional<std::string> previous_hash;
    std::optional<std::string> hash;
};

// The hash before the first row.
inline constexpr std::string_view genesis_hash =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The content of a row as the bytes that its hash covers: each field with its length before it, so that no
// two contents give the same bytes.
std::string canonical(const Record& record);

// Lower-case hexadecimal SHA-256 of the previous row's hash and the content.
std::string chain_hash(std::string_view previous_hash, const Record& record);

// Where the chain starts (everything up to there was removed) and where it ends.
struct Chain {
    std::int64_t anchor_sequence = 0;
    std::string anchor_hash;
    std::int64_t head_sequence = 0;
    std::string head_hash;
    std::int64_t last_sequence = 0;  // the highest that any row has; 0: none
    std::int64_t unsealed = 0;       // rows that wait for their place
};

struct Filter {
    std::string event;
    std::string actor;
    std::string target_type;
    std::string target_id;
    std::string outcome;          // an empty text asks for nothing
    Timestamp from = never;       // inclusive
    std::optional<Timestamp> to;  // exclusive
};

struct Slice {
    std::int64_t before_id = std::numeric_limits<std::int64_t>::max();
    std::int64_t offset = 0;
    std::int64_t rows_max = 0;
};

// Newest first.
struct Page {
    std::vector<Record> records;
    std::optional<std::int64_t> total;  // that match the filter, where it was asked for
    bool more = false;
};

class Repository {
public:
    // In the effect's transaction.
    static Task<void> insert(db::Session& session, const Entry& entry);

    // The same for callers who send it together with others. The values refer to the entry.
    static const db::Query& insert_query();
    static std::vector<db::Value> values(const Entry& entry);

    static Task<void> insert_all(db::Database& database, std::span<const Entry> entries);

    static Task<bool> any_unsealed(db::Session& session);
    static Task<std::vector<Record>> unsealed(db::Session& session, std::int64_t rows_max);
    static Task<Chain> chain(db::Session& session);

    // Stores the places of the records and the chain's new head.
    static Task<void> seal(db::Session& session, std::span<const Record> sealed);

    static Task<std::vector<Record>> sealed_after(
        db::Session& session, std::int64_t sequence, std::int64_t rows_max
    );

    // Removes all up to that row, which becomes the chain's anchor.
    static Task<void> remove_up_to(db::Session& session, const Record& last);

    static Task<Page> page(db::Session& session, const Filter& filter, const Slice& slice, Total total);

    // The rows alone, without a count: of an export.
    static Task<std::vector<Record>> older(db::Session& session, const Filter& filter, const Slice& slice);
};

// The insert of a row for a statement that goes on with " WHERE …", on parameters from $14: so a row appears
// only where another statement of the same transaction took effect.
#define KIT_AUDIT_INSERT                                                                          \
    "INSERT INTO audit_events (event_name, event_version, actor_user_id, actor_ip, target_type, " \
    "target_id, action, outcome, reason, request_id, trace_id, span_id, ts, extras) "             \
    "SELECT $1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13"

// What a walk along the chain found.
struct Verification {
    Chain chain;
    std::int64_t rows = 0;
    std::string fault;  // empty: whole; else the first row at fault and what is wrong with it
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        telemetry::Logger& logger;
    };

    static constexpr std::size_t waiting_max = 4'096;  // refusals to be written; beyond: log line only
    static constexpr std::int64_t batch_rows_max = 256;
    static constexpr std::chrono::milliseconds keep_interval{500};
    static constexpr std::chrono::minutes prune_interval{1};

    // `retention`: rows older than this are removed; zero keeps all.
    Service(Deps deps, std::chrono::milliseconds retention) : deps_(deps), retention_(retention) {}

    // The row of an event. Insert it with the effect, and announce it once that is committed. One that lacks
    // its name is announced as `audit.schema.invalid` instead: false.
    Entry entry(const Event& event, const Origin& origin) const;
    bool announce(const Entry& entry);

    // An event with no effect of its own, such as a refusal: its line now, its row soon. Never waits, never
    // fails.
    void record(const Event& event, const Origin& origin);

    // Writes the rows that wait. One caller at a time.
    Task<void> flush();

    // Gives unsealed rows their places in the chain, all that there are. Safe on several nodes at once.
    Task<void> seal();

    // Removes what is older than the retention and moves the anchor. Returns the number of rows.
    Task<std::int64_t> prune();

    // Does all three again and again until it is cancelled; a database that is away is asked again.
    Task<void> keep();

    // Walks the whole chain. Changes nothing; rows may be added and removed meanwhile.
    Task<Verification> verify();

    Task<Page> page(Filter filter, Slice slice, Total total = Total::exact);
    Task<std::vector<Record>> older(Filter filter, Slice slice);

private:
    std::vector<Entry> take_waiting();
    void put_back(std::vector<Entry> entries);
    Task<bool> seal_batch(db::Transaction& transaction);
    Task<std::int64_t> prune_batch(
        db::Transaction& transaction, Timestamp cutoff, std::optional<Entry>& pruned
    );
    Task<Verification> walk(Chain chain);

    Deps deps_;
    std::chrono::milliseconds retention_;
    std::mutex mutex_;
    std::deque<Entry> waiting_;
    std::size_t dropped_ = 0;
};

// The origin of a request's events.
Origin origin_of(const http::RequestContext& ctx);

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens);

}  // namespace kit::audit
