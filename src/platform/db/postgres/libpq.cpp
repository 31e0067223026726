// The functions of libpq that the driver uses, each forwarded to the library that load_libpq() has opened.
// libpq brings some twenty libraries with it (LDAP, Kerberos, GnuTLS): a process that stays with SQLite
// neither needs nor pays for them.
#include "platform/db/postgres/libpq.hpp"

#include "platform/core/error.hpp"

#include <libpq-fe.h>

#include <dlfcn.h>
#include <string>

namespace kit::db::postgres {

namespace {

constexpr const char* library_name = "libpq.so.5";

void* library()
{
    static void* const opened = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
        throw Unavailable(std::string(library_name) + " cannot be loaded: install Debian's package libpq5");
    }
    return opened;
}

template <class Function>
Function* symbol(const char* name)
{
    auto* const found = reinterpret_cast<Function*>(::dlsym(library(), name));
    if (found == nullptr) {
        throw Unavailable(std::string(library_name) + " is too old: it lacks " + name);
    }
    return found;
}

}  // namespace

void load_libpq()
{
    library();
}

}  // namespace kit::db::postgres

using kit::db::postgres::symbol;

extern "C" {

int PQbackendPID(const PGconn* conn)
{
    static const auto function = symbol<decltype(PQbackendPID)>("PQbackendPID");
    return function(conn);
}

void PQclear(PGresult* res)
{
    static const auto function = symbol<decltype(PQclear)>("PQclear");
    return function(res);
}

char* PQcmdStatus(PGresult* res)
{
    static const auto function = symbol<decltype(PQcmdStatus)>("PQcmdStatus");
    return function(res);
}

char* PQcmdTuples(PGresult* res)
{
    static const auto function = symbol<decltype(PQcmdTuples)>("PQcmdTuples");
    return function(res);
}

PostgresPollingStatusType PQconnectPoll(PGconn* conn)
{
    static const auto function = symbol<decltype(PQconnectPoll)>("PQconnectPoll");
    return function(conn);
}

PGconn* PQconnectStartParams(const char* const* keywords, const char* const* values, int expand_dbname)
{
    static const auto function = symbol<decltype(PQconnectStartParams)>("PQconnectStartParams");
    return function(keywords, values, expand_dbname);
}

void PQconninfoFree(PQconninfoOption* conn_options)
{
    static const auto function = symbol<decltype(PQconninfoFree)>("PQconninfoFree");
    return function(conn_options);
}

PQconninfoOption* PQconninfoParse(const char* conninfo, char** errmsg)
{
    static const auto function = symbol<decltype(PQconninfoParse)>("PQconninfoParse");
    return function(conninfo, errmsg);
}

int PQconsumeInput(PGconn* conn)
{
    static const auto function = symbol<decltype(PQconsumeInput)>("PQconsumeInput");
    return function(conn);
}

int PQenterPipelineMode(PGconn* conn)
{
    static const auto function = symbol<decltype(PQenterPipelineMode)>("PQenterPipelineMode");
    return function(conn);
}

char* PQerrorMessage(const PGconn* conn)
{
    static const auto function = symbol<decltype(PQerrorMessage)>("PQerrorMessage");
    return function(conn);
}

int PQexitPipelineMode(PGconn* conn)
{
    static const auto function = symbol<decltype(PQexitPipelineMode)>("PQexitPipelineMode");
    return function(conn);
}

void PQfinish(PGconn* conn)
{
    static const auto function = symbol<decltype(PQfinish)>("PQfinish");
    return function(conn);
}

int PQflush(PGconn* conn)
{
    static const auto function = symbol<decltype(PQflush)>("PQflush");
    return function(conn);
}

char* PQfname(const PGresult* res, int field_num)
{
    static const auto function = symbol<decltype(PQfname)>("PQfname");
    return function(res, field_num);
}

void PQfreemem(void* ptr)
{
    static const auto function = symbol<decltype(PQfreemem)>("PQfreemem");
    return function(ptr);
}

Oid PQftype(const PGresult* res, int field_num)
{
    static const auto function = symbol<decltype(PQftype)>("PQftype");
    return function(res, field_num);
}

PGresult* PQgetResult(PGconn* conn)
{
    static const auto function = symbol<decltype(PQgetResult)>("PQgetResult");
    return function(conn);
}

int PQgetisnull(const PGresult* res, int tup_num, int field_num)
{
    static const auto function = symbol<decltype(PQgetisnull)>("PQgetisnull");
    return function(res, tup_num, field_num);
}

int PQgetlength(const PGresult* res, int tup_num, int field_num)
{
    static const auto function = symbol<decltype(PQgetlength)>("PQgetlength");
    return function(res, tup_num, field_num);
}

char* PQgetvalue(const PGresult* res, int tup_num, int field_num)
{
    static const auto function = symbol<decltype(PQgetvalue)>("PQgetvalue");
    return function(res, tup_num, field_num);
}

int PQisBusy(PGconn* conn)
{
    static const auto function = symbol<decltype(PQisBusy)>("PQisBusy");
    return function(conn);
}

int PQnfields(const PGresult* res)
{
    static const auto function = symbol<decltype(PQnfields)>("PQnfields");
    return function(res);
}

int PQntuples(const PGresult* res)
{
    static const auto function = symbol<decltype(PQntuples)>("PQntuples");
    return function(res);
}

int PQpipelineSync(PGconn* conn)
{
    static const auto function = symbol<decltype(PQpipelineSync)>("PQpipelineSync");
    return function(conn);
}

char* PQresultErrorField(const PGresult* res, int fieldcode)
{
    static const auto function = symbol<decltype(PQresultErrorField)>("PQresultErrorField");
    return function(res, fieldcode);
}

ExecStatusType PQresultStatus(const PGresult* res)
{
    static const auto function = symbol<decltype(PQresultStatus)>("PQresultStatus");
    return function(res);
}

int PQsendPrepare(
    PGconn* conn, const char* stmt_name, const char* query, int n_params, const Oid* param_types
)
{
    static const auto function = symbol<decltype(PQsendPrepare)>("PQsendPrepare");
    return function(conn, stmt_name, query, n_params, param_types);
}

int PQsendQuery(PGconn* conn, const char* query)
{
    static const auto function = symbol<decltype(PQsendQuery)>("PQsendQuery");
    return function(conn, query);
}

int PQsendQueryPrepared(
    PGconn* conn,
    const char* stmt_name,
    int n_params,
    const char* const* param_values,
    const int* param_lengths,
    const int* param_formats,
    int result_format
)
{
    static const auto function = symbol<decltype(PQsendQueryPrepared)>("PQsendQueryPrepared");
    return function(conn, stmt_name, n_params, param_values, param_lengths, param_formats, result_format);
}

PQnoticeProcessor PQsetNoticeProcessor(PGconn* conn, PQnoticeProcessor proc, void* arg)
{
    static const auto function = symbol<decltype(PQsetNoticeProcessor)>("PQsetNoticeProcessor");
    return function(conn, proc, arg);
}

int PQsetnonblocking(PGconn* conn, int arg)
{
    static const auto function = symbol<decltype(PQsetnonblocking)>("PQsetnonblocking");
    return function(conn, arg);
}

int PQsocket(const PGconn* conn)
{
    static const auto function = symbol<decltype(PQsocket)>("PQsocket");
    return function(conn);
}

PGnotify* PQnotifies(PGconn* conn)
{
    static const auto function = symbol<decltype(PQnotifies)>("PQnotifies");
    return function(conn);
}

ConnStatusType PQstatus(const PGconn* conn)
{
    static const auto function = symbol<decltype(PQstatus)>("PQstatus");
    return function(conn);
}

}  // extern "C"
