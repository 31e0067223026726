#include "modules/audit/audit.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::audit {

BOOST_DESCRIBE_STRUCT(
    Fields,
    (),
    (event_name,
     event_version,
     actor_user_id,
     actor_ip,
     target_type,
     target_id,
     action,
     outcome,
     reason,
     request_id,
     trace_id,
     span_id,
     ts,
     extras)
)
BOOST_DESCRIBE_STRUCT(Record, (Fields), (id, sequence, previous_hash, hash))
BOOST_DESCRIBE_STRUCT(
    Chain, (), (anchor_sequence, anchor_hash, head_sequence, head_hash, last_sequence, unsealed)
)

namespace {

constexpr db::Query insert_event{"audit.insert", KIT_AUDIT_INSERT};

#define KIT_AUDIT_SELECT                                                                      \
    "SELECT id, event_name, event_version, actor_user_id, actor_ip, target_type, target_id, " \
    "action, outcome, reason, request_id, trace_id, span_id, ts, extras, sequence, "          \
    "previous_hash, hash FROM audit_events "

// An empty text asks for nothing.
#define KIT_AUDIT_FILTER                                                      \
    "WHERE ($1 = '' OR event_name = $1) AND ($2 = '' OR actor_user_id = $2) " \
    "AND ($3 = '' OR target_type = $3) AND ($4 = '' OR target_id = $4) "      \
    "AND ($5 = '' OR outcome = $5) AND ts >= $6 AND ts < $7 "

constexpr db::Query list_events{
    "audit.list", KIT_AUDIT_SELECT KIT_AUDIT_FILTER "AND id < $8 ORDER BY id DESC LIMIT $9 OFFSET $10"
};

constexpr db::Query count_events{
    "audit.count", "SELECT count(*) AS total FROM audit_events " KIT_AUDIT_FILTER
};

constexpr db::Query find_unsealed{
    .name = "audit.any_unsealed",
    .sql = "SELECT id FROM audit_events WHERE sequence IS NULL ORDER BY id LIMIT 1",
    .brief = true
};

constexpr db::Query list_unsealed{
    "audit.unsealed", KIT_AUDIT_SELECT "WHERE sequence IS NULL ORDER BY id LIMIT $1"
};

constexpr db::Query list_sealed{
    "audit.sealed_after", KIT_AUDIT_SELECT "WHERE sequence > $1 ORDER BY sequence LIMIT $2"
};

#undef KIT_AUDIT_FILTER
#undef KIT_AUDIT_SELECT

constexpr db::Query find_chain{
    "audit.chain",
    "SELECT anchor_sequence, anchor_hash, head_sequence, head_hash, "
    "coalesce((SELECT max(sequence) FROM audit_events), 0) AS last_sequence, "
    "(SELECT count(*) FROM audit_events WHERE sequence IS NULL) AS unsealed FROM audit_chain"
};

constexpr db::Query seal_event{
    "audit.seal", "UPDATE audit_events SET sequence = $2, previous_hash = $3, hash = $4 WHERE id = $1"
};

constexpr db::Query move_head{"audit.move_head", "UPDATE audit_chain SET head_sequence = $1, head_hash = $2"};

constexpr db::Query move_anchor{
    "audit.move_anchor", "UPDATE audit_chain SET anchor_sequence = $1, anchor_hash = $2"
};

constexpr db::Query delete_events{"audit.delete", "DELETE FROM audit_events WHERE sequence <= $1"};

// Later than any event.
constexpr Timestamp end_of_time = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);

std::array<db::Value, 10> list_values(const Filter& filter, const Slice& slice, std::int64_t rows_max)
{
    return {
        filter.event,
        filter.actor,
        filter.target_type,
        filter.target_id,
        filter.outcome,
        filter.from,
        filter.to.value_or(end_of_time),
        slice.before_id,
        rows_max,
        slice.offset
    };
}

}  // namespace

const db::Query& Repository::insert_query()
{
    return insert_event;
}

std::vector<db::Value> Repository::values(const Entry& entry)
{
    return {
        entry.event_name,
        entry.actor_user_id,
        entry.actor_ip,
        entry.target_type,
        entry.target_id,
        entry.action,
        entry.outcome,
        entry.reason,
        entry.request_id,
        entry.trace_id,
        entry.span_id,
        entry.ts,
        entry.extras
    };
}

Task<void> Repository::insert(db::Session& session, const Entry& entry)
{
    const auto row = values(entry);
    co_await session.run({&insert_event, row});
}

Task<void> Repository::insert_all(db::Database& database, std::span<const Entry> entries)
{
    std::vector<std::vector<db::Value>> rows;
    std::vector<db::Statement> statements;
    rows.reserve(entries.size());
    statements.reserve(entries.size());
    for (const auto& entry : entries) {
        rows.push_back(values(entry));
        statements.push_back({&insert_event, rows.back()});
    }
    co_await database.run_atomically(statements);
}

Task<bool> Repository::any_unsealed(db::Session& session)
{
    const auto rows = co_await session.query<std::int64_t>(find_unsealed);
    co_return !rows.empty();
}

Task<std::vector<Record>> Repository::unsealed(db::Session& session, std::int64_t rows_max)
{
    co_return co_await session.query<Record>(list_unsealed, rows_max);
}

Task<Chain> Repository::chain(db::Session& session)
{
    auto rows = co_await session.query<Chain>(find_chain);
    if (rows.empty()) {
        throw db::QueryFailed("audit.chain: the chain's row is missing");
    }
    co_return std::move(rows.front());
}

Task<void> Repository::seal(db::Session& session, std::span<const Record> sealed)
{
    std::vector<std::array<db::Value, 4>> places;
    std::vector<db::Statement> statements;
    places.reserve(sealed.size());
    statements.reserve(sealed.size() + 1);
    for (const auto& record : sealed) {
        places.push_back({record.id, record.sequence, record.previous_hash, record.hash});
        statements.push_back({&seal_event, places.back()});
    }
    const std::array<db::Value, 2> head{sealed.back().sequence, sealed.back().hash};
    statements.push_back({&move_head, head});
    co_await session.run_all(statements);
}

Task<std::vector<Record>> Repository::sealed_after(
    db::Session& session, std::int64_t sequence, std::int64_t rows_max
)
{
    co_return co_await session.query<Record>(list_sealed, sequence, rows_max);
}

// The anchor first: the table's trigger lets go of nothing above it.
Task<void> Repository::remove_up_to(db::Session& session, const Record& last)
{
    co_await session.execute(move_anchor, last.sequence, last.hash);
    co_await session.execute(delete_events, last.sequence);
}

// One row more than asked for tells whether there are more.
Task<Page> Repository::page(db::Session& session, const Filter& filter, const Slice& slice)
{
    const auto values = list_values(filter, slice, slice.rows_max + 1);
    const std::array<db::Statement, 2> statements{
        {{&list_events, values}, {&count_events, std::span(values).first<7>()}}
    };
    const auto results = co_await session.run_all(statements);
    Page page{
        .records = db::map_rows<Record>(list_events, results[0]),
        .total = db::map_rows<std::int64_t>(count_events, results[1]).at(0),
    };
    page.more = page.records.size() > static_cast<std::size_t>(slice.rows_max);
    if (page.more) {
        page.records.pop_back();
    }
    co_return page;
}

Task<std::vector<Record>> Repository::older(db::Session& session, const Filter& filter, const Slice& slice)
{
    const auto values = list_values(filter, slice, slice.rows_max);
    const auto rows = co_await session.run({&list_events, values});
    co_return db::map_rows<Record>(list_events, rows);
}

}  // namespace kit::audit
