#include "platform/db/open.hpp"

#include <gmock/gmock.h>

namespace kit::db {

namespace {

using testing::HasSubstr;
using testing::Not;

class Open : public testing::Test {
protected:
    std::string refusal(const std::string& url)
    {
        try {
            open_database(url, workers, clock, {});
        } catch (const std::invalid_argument& refused) {
            return refused.what();
        }
        return "accepted";
    }

    Workers workers{1};
    SystemClock clock;
};

TEST_F(Open, RefusesWhatItCannotReadWithoutQuotingIt)
{
    for (const auto* url :
         {"",
          "mysql://user:hunter2@host/db",
          "hunter2",
          "postgres://user:hunter2@host:port/db",
          "postgres://user:hunter2@host/db?no_such=1",
          "postgres://user:pa@hunter2@host/db",
          "postgres://user:hunter2@[::1/db",
          "host=localhost password='hunter2",
          "sqlite:",
          "sqlite://relative",
          "sqlite:///folder/"}) {
        EXPECT_NE("accepted", refusal(url)) << url;
        EXPECT_THAT(refusal(url), Not(HasSubstr("hunter2")));
    }
}

TEST_F(Open, TakesPostgresInEveryForm)
{
    for (const auto* url :
         {"postgres://user:secret@host:5432/db?sslmode=require",
          "postgresql:///db?host=/var/run/postgresql",
          "host=localhost port=5432 dbname=db",
          "postgres://user:p%40ss@one,two/db?options=-c%20statement_timeout%3D500"}) {
        EXPECT_EQ(Engine::postgres, open_database(url, workers, clock, {})->engine()) << url;
    }
}

TEST_F(Open, SqliteFilesThatCannotBeOpened)
{
    EXPECT_THROW(open_database("sqlite:///no/such/folder/x.db", workers, clock, {}), Unavailable);
    EXPECT_EQ(Engine::sqlite, open_database("sqlite::memory:", workers, clock, {})->engine());
}

}  // namespace

}  // namespace kit::db
