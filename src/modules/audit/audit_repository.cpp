#include "modules/audit/audit.hpp"
#include "platform/db/database.hpp"
#include "platform/db/list_statements.hpp"
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

#define KIT_AUDIT_COLUMNS                                                              \
    "id, event_name, event_version, actor_user_id, actor_ip, target_type, target_id, " \
    "action, outcome, reason, request_id, trace_id, span_id, ts, extras, sequence, "   \
    "previous_hash, hash"
#define KIT_AUDIT_SELECT "SELECT " KIT_AUDIT_COLUMNS " FROM audit_events "

constexpr std::array<db::OrderColumn, 1> list_order{{{.name = "id", .unique = true}}};

db::ListStatements list_statements({
    .name = "audit.list",
    .count = "audit.count",
    .columns = KIT_AUDIT_COLUMNS,
    .from = "audit_events e",
    .alias = "e.",
    .order = list_order,
    .combinations = 128,
});

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

#undef KIT_AUDIT_SELECT
#undef KIT_AUDIT_COLUMNS

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

// An empty text asks for nothing.
db::Conditions conditions_of(db::Session& session, const Filter& filter)
{
    db::Conditions conditions(session.engine());
    std::size_t bit = 1;
    const auto equals = [&](std::string_view left, const std::string& value) {
        if (!value.empty()) {
            conditions.compare(left, value, bit);
        }
        bit *= 2;
    };
    equals("e.event_name = ", filter.event);
    equals("e.actor_user_id = ", filter.actor);
    equals("e.target_type = ", filter.target_type);
    equals("e.target_id = ", filter.target_id);
    equals("e.outcome = ", filter.outcome);
    if (filter.from != never) {
        conditions.compare("e.ts >= ", filter.from, bit);
    }
    bit *= 2;
    if (filter.to) {
        conditions.compare("e.ts < ", *filter.to, bit);
    }
    return conditions;
}

kit::Slice rows_of(const Slice& slice)
{
    kit::Slice rows{.offset = slice.offset, .rows_max = slice.rows_max};
    if (slice.before_id != std::numeric_limits<std::int64_t>::max()) {
        rows.cursor = Cursor{.place = {.value = {}, .id = slice.before_id}};
    }
    return rows;
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

Task<Page> Repository::page(db::Session& session, const Filter& filter, const Slice& slice, Total total)
{
    const auto listed = co_await list_statements.read(
        session, conditions_of(session, filter), {.order = {}, .slice = rows_of(slice), .total = total}
    );
    Page page{.records = db::map_rows<Record>(*listed.query, listed.rows), .total = listed.total};
    page.more = std::cmp_greater(page.records.size(), slice.rows_max);
    if (page.more) {
        page.records.pop_back();
    }
    co_return page;
}

Task<std::vector<Record>> Repository::older(db::Session& session, const Filter& filter, const Slice& slice)
{
    auto page = co_await Repository::page(session, filter, slice, Total::none);
    co_return std::move(page.records);
}

}  // namespace kit::audit
