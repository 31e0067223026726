// libpq, opened when the first PostgreSQL database is.
#pragma once

namespace kit::db::postgres {

// Before any function of libpq-fe.h is called. Throws Unavailable where the library is not installed.
void load_libpq();

}  // namespace kit::db::postgres
