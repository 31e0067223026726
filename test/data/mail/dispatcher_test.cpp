// Many senders, one outbox: each message once, whatever the transport does.
#include "platform/mail/dispatcher.hpp"

#include "data/db/database_fixture.hpp"
#include "platform/db/migrations.hpp"
#include "platform/mail/table.hpp"
#include "platform/telemetry/logger.hpp"
#include "support/manual_clock.hpp"

#include <boost/describe/class.hpp>
#include <gmock/gmock.h>

#include <map>
#include <mutex>

namespace kit::mail {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// What was handed over, and what the server says to each recipient.
struct Server {
    std::mutex mutex;
    std::map<std::string, int> received;       // by Message-ID
    std::map<std::string, Outcome> answers{};  // by recipient; others are accepted
    std::vector<std::string> texts;
};

class FakeTransport final : public Transport {
public:
    explicit FakeTransport(Server& server) : server_(server) {}

    std::size_t parallel_max() const override { return 4; }

    Task<Delivery> deliver(Outgoing mail) override
    {
        const std::lock_guard lock(server_.mutex);
        const auto answer = server_.answers.find(mail.to);
        if (answer != server_.answers.end() && answer->second != Outcome::accepted) {
            co_return Delivery{.outcome = answer->second, .reason = "told so"};
        }
        ++server_.received[mail.message_id];
        server_.texts.push_back(mail.text);
        co_return Delivery{.outcome = Outcome::accepted, .reason = {}};
    }

    void stop(std::chrono::milliseconds) override {}

private:
    Server& server_;
};

struct Row {
    std::string state;
    std::string text;
    std::int64_t attempts = 0;
    std::int64_t refusals = 0;
};
BOOST_DESCRIBE_STRUCT(Row, (), (state, text, attempts, refusals))

constexpr db::Query read_rows{
    "test.outbox", "SELECT state, text, attempts, refusals FROM mail_outbox ORDER BY id"
};

class MailOutbox : public testing::TestWithParam<db::Engine> {
protected:
    MailOutbox()
        : database(db::fresh_url(GetParam())),
          logger({}, clock),
          metrics({}),
          outbox({.clock = clock, .random = random}, {.secret = "pepper"})
    {
        database.run(db::migrate_up(*database, db::embedded_migrations(GetParam()), clock.now()));
    }

    std::unique_ptr<Dispatcher> dispatcher(Dispatcher::Options options = {})
    {
        return std::make_unique<Dispatcher>(
            Dispatcher::Deps{
                .outbox = outbox,
                .database = *database,
                .clock = clock,
                .random = random,
                .logger = logger,
                .metrics = metrics
            },
            std::make_unique<FakeTransport>(server),
            options
        );
    }

    void post(const std::string& to, bool secret = false, std::optional<Timestamp> useless_after = {})
    {
        const auto letter = outbox.prepare(
            {.kind = "test",
             .to = to,
             .subject = "Subject",
             .text = "the text",
             .html = "<p>",
             .secret = secret,
             .useless_after = useless_after}
        );
        database.run(Outbox::store(*database, letter));
    }

    static Task<int> drain(Dispatcher& dispatcher)
    {
        int sent = 0;
        while (co_await dispatcher.send_one()) {
            ++sent;
        }
        co_return sent;
    }

    int drain_now(Dispatcher& sender) { return database.run(drain(sender)); }

    std::vector<Row> rows() { return database.run(database->query<Row>(read_rows)); }

    test::ManualClock clock;
    test::SeededRandom random;
    db::Opened database;
    telemetry::Logger logger;
    telemetry::Registry metrics;
    Outbox outbox;
    Server server;
};

INSTANTIATE_TEST_SUITE_P(
    Engines,
    MailOutbox,
    testing::Values(db::Engine::sqlite, db::Engine::postgres),
    [](const auto& info) { return info.param == db::Engine::sqlite ? "sqlite" : "postgres"; }
);

TEST_P(MailOutbox, EightSendersSendEachMessageOnce)
{
    constexpr int messages = 80;
    for (int number = 0; number < messages; ++number) {
        post("to" + std::to_string(number) + "@example.com");
    }
    std::vector<std::unique_ptr<Dispatcher>> senders;
    std::vector<Task<int>> tasks;
    for (int number = 0; number < 8; ++number) {
        senders.push_back(dispatcher());
        tasks.push_back(drain(*senders.back()));
    }
    int sent = 0;
    for (auto& future : database.start_all(std::move(tasks))) {
        sent += future.get();
    }
    EXPECT_EQ(sent, messages);
    EXPECT_THAT(server.received, SizeIs(messages));
    for (const auto& [id, times] : server.received) {
        EXPECT_EQ(times, 1) << id;
    }
}

TEST_P(MailOutbox, SecretsAreSealedAtRestAndErasedOnceSent)
{
    post("ada@example.com", true);
    EXPECT_NE(rows().front().text, "the text");
    EXPECT_THAT(database.run(outbox.newest(*database, 10)), SizeIs(1));
    EXPECT_EQ(database.run(outbox.newest(*database, 10)).front().text, "the text");
    const auto sender = dispatcher();
    EXPECT_EQ(drain_now(*sender), 1);
    EXPECT_THAT(server.texts, ElementsAre("the text"));
    EXPECT_EQ(rows().front().state, "sent");
    EXPECT_EQ(rows().front().text, "");
}

TEST_P(MailOutbox, ARolledBackCauseLeavesNoMail)
{
    const auto letter =
        outbox.prepare({.kind = "test", .to = "a@b.c", .subject = "s", .text = "t", .html = "h"});
    const auto body = [&letter](db::Transaction& transaction) -> Task<Result<int>> {
        co_await Outbox::store(transaction, letter);
        co_return failure(Error::invalid("no"));
    };
    EXPECT_FALSE(database.run(database->transaction(body)).has_value());
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(MailOutbox, ARejectedMessageIsDeadAtOnceAndDelaysNobody)
{
    server.answers["poison@example.com"] = Outcome::rejected;
    post("poison@example.com", true);
    post("ada@example.com");
    const auto sender = dispatcher();
    EXPECT_EQ(drain_now(*sender), 2);
    EXPECT_EQ(rows()[0].state, "dead");
    EXPECT_EQ(rows()[0].text, "");
    EXPECT_EQ(rows()[1].state, "sent");
}

TEST_P(MailOutbox, RefusalsEndAtTheirMaximum)
{
    server.answers["poison@example.com"] = Outcome::refused;
    post("poison@example.com");
    const auto sender = dispatcher({.attempts_max = 3});
    for (int attempt = 1; attempt <= 3; ++attempt) {
        EXPECT_EQ(drain_now(*sender), 1);
        EXPECT_EQ(drain_now(*sender), 0) << "not before the wait is over";
        clock.advance(15min);
    }
    EXPECT_EQ(drain_now(*sender), 0);
    EXPECT_EQ(rows().front().state, "dead");
    EXPECT_THAT(server.received, IsEmpty());
}

TEST_P(MailOutbox, AnOutageCountsAgainstNoMessage)
{
    server.answers["ada@example.com"] = Outcome::unreachable;
    post("ada@example.com");
    const auto sender = dispatcher({.attempts_max = 3});
    for (int attempt = 0; attempt < 10; ++attempt) {
        EXPECT_EQ(drain_now(*sender), 1);
        clock.advance(15s);
    }
    EXPECT_EQ(rows().front().refusals, 0);
    server.answers.clear();
    EXPECT_EQ(drain_now(*sender), 1);
    EXPECT_EQ(rows().front().state, "sent");
    EXPECT_THAT(server.received, SizeIs(1));
}

TEST_P(MailOutbox, ALeaseEndsAndThenOnlyItsHolderIsLate)
{
    post("ada@example.com");
    const auto claim = [this] {
        return database.run(table::claim(
            *database,
            {.owner = "dead", .now = clock.now(), .leased_until = clock.now() + 1min, .retries = true}
        ));
    };
    const auto held = claim();
    ASSERT_TRUE(held);
    const auto sender = dispatcher();
    EXPECT_EQ(drain_now(*sender), 0);
    clock.advance(61s);
    EXPECT_EQ(drain_now(*sender), 1);
    EXPECT_FALSE(database.run(table::settle_dead(*database, *held, "late", clock.now())));
    EXPECT_EQ(rows().front().state, "sent");
}

TEST_P(MailOutbox, MessagesPastTheirTimeAreNotSent)
{
    post("ada@example.com", true, clock.now() + 15min);
    post("bob@example.com");
    clock.advance(16min);
    const auto sender = dispatcher();
    EXPECT_EQ(drain_now(*sender), 1);
    database.run(sender->upkeep());
    EXPECT_EQ(rows()[0].state, "dead");
    EXPECT_EQ(rows()[0].text, "");
    EXPECT_EQ(rows()[1].state, "sent");
    clock.advance(169h);
    database.run(sender->upkeep());
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(MailOutbox, WithAnotherKeyAMessageIsDead)
{
    post("ada@example.com", true);
    Outbox other({.clock = clock, .random = random}, {.secret = "another pepper"});
    Dispatcher sender(
        {.outbox = other,
         .database = *database,
         .clock = clock,
         .random = random,
         .logger = logger,
         .metrics = metrics},
        std::make_unique<FakeTransport>(server),
        {}
    );
    EXPECT_EQ(drain_now(sender), 1);
    EXPECT_EQ(rows().front().state, "dead");
    EXPECT_THAT(server.received, IsEmpty());
}

TEST_P(MailOutbox, RecipientsThatNoEnvelopeCarriesAreRefused)
{
    for (const std::string to : {"", "nobody", "a@b\r\nRCPT TO:<c@d>", "a@b>,<c@d", "a b@c"}) {
        EXPECT_THROW(
            outbox.prepare({.kind = "test", .to = to, .subject = "s", .text = "t", .html = "h"}),
            std::invalid_argument
        );
    }
}

}  // namespace
}  // namespace kit::mail
