#include "platform/db/statement_span.hpp"

#include <array>

namespace kit::db {

namespace {

std::string_view system_name(Engine engine)
{
    return engine == Engine::postgres ? "postgresql" : "sqlite";
}

// "SELECT", "INSERT": the word that a statement starts with.
std::string_view operation_name(std::string_view sql)
{
    const auto begin = std::min(sql.find_first_not_of(" \n\t"), sql.size());
    sql.remove_prefix(begin);
    return sql.substr(0, sql.find_first_of(" \n\t;("));
}

std::string_view error_type(const std::exception_ptr& failed)
{
    try {
        std::rethrow_exception(failed);
    } catch (const DeadlineExceeded&) {
        return "timeout";
    } catch (const Overloaded&) {
        return "overloaded";
    } catch (const Unavailable&) {
        return "unavailable";
    } catch (const ConstraintViolation&) {
        return "constraint_violation";
    } catch (const QueryFailed&) {
        return "query_failed";
    } catch (...) {
        return "_OTHER";
    }
}

}  // namespace

StatementSpans::StatementSpans(Engine engine, std::span<const Statement> statements)
    : engine_(engine), statements_(statements), parent_id_(current_span().span.span_id)
{
    if (const auto* const tracer = current_span().tracer) {
        start_ = tracer->steady_now();
    }
}

void StatementSpans::fail(const std::exception_ptr& failed)
{
    error_type_ = error_type(failed);
}

StatementSpans::~StatementSpans()
{
    const auto& parent = current_span();
    if (parent.tracer == nullptr || parent.span.span_id != parent_id_) {
        return;  // the process ends on another thread, or the work was awaited for somebody else
    }
    const auto end = parent.tracer->steady_now();
    for (const auto& statement : statements_) {
        const std::array<telemetry::Field, 4> fields{
            telemetry::Field("db.system.name", system_name(engine_)),
            telemetry::Field("db.operation.name", operation_name(statement.query->sql)),
            telemetry::Field("db.query.summary", statement.query->name),
            telemetry::Field("error.type", error_type_),
        };
        auto span = parent.span;
        span.span_id = parent.tracer->next_number();
        parent.tracer->record({
            .span = span,
            .parent_id = parent_id_,
            .tracestate = parent.origin ? std::string_view(parent.origin->tracestate) : std::string_view(),
            .name = statement.query->name,
            .kind = telemetry::SpanKind::client,
            .start = telemetry::unix_time(parent, start_),
            .end = telemetry::unix_time(parent, end),
            .failed = !error_type_.empty(),
            .fields = std::span(fields).first(error_type_.empty() ? 3 : 4),
        });
    }
}

}  // namespace kit::db
