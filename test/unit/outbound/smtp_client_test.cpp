#include "platform/outbound/smtp_client.hpp"

#include "support/certificate.hpp"
#include "support/process.hpp"
#include "support/stub_server.hpp"
#include "support/temp_dir.hpp"

namespace kit::outbound {
namespace {

using test::StubServer;
using testing::HasSubstr;
using testing::Not;

class SmtpProcess {
public:
    explicit SmtpProcess(std::vector<std::string> options = {})
        : process_({.command = command(std::move(options))})
    {
        port_ = process_.wait_for_line("port ").value_or("port ?").substr(5);
    }

    std::string host() const { return "127.0.0.1:" + port_; }

    // The message that it took, as JSON.
    std::string message() const { return process_.wait_for_line("{").value_or(""); }

    std::string output() const { return process_.output(); }

private:
    static std::vector<std::string> command(std::vector<std::string> options)
    {
        options.insert(options.begin(), {"/usr/bin/python3", "test/support/smtp_server.py"});
        return options;
    }

    test::Process process_;
    std::string port_;
};

SmtpMessage message_to(std::string recipient, std::string data = "Subject: Hi\r\n\r\nHello\r\n")
{
    return {.sender = "from@example.com", .recipients = {std::move(recipient)}, .data = std::move(data)};
}

TEST(SmtpClient, HandsAMessageOver)
{
    const SmtpProcess server;
    auto message = message_to("one@example.com", "Subject: Hi\r\n\r\n.dot\r\n..dots\r\n.\r\nend\r\n");
    message.recipients.emplace_back("two@example.com");
    const auto result = send_smtp({.url = "smtp://" + server.host()}, message);
    EXPECT_EQ(result.outcome, SmtpOutcome::accepted) << result.reason;
    EXPECT_EQ(result.reply_code, 250);
    const auto taken = server.message();
    EXPECT_THAT(taken, HasSubstr(R"("sender": "from@example.com")"));
    EXPECT_THAT(taken, HasSubstr(R"("recipients": ["one@example.com", "two@example.com"])"));
    EXPECT_THAT(taken, HasSubstr(R"(\r\n\r\n.dot\r\n..dots\r\n.\r\nend\r\n)"));
    EXPECT_THAT(taken, HasSubstr(R"("tls": false)"));
}

struct Refusal {
    const char* name;
    const char* recipient;
    const char* data;
    SmtpOutcome outcome;
    int reply_code;
};

class SmtpRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(SmtpRefusal, IsTemporaryOrPermanentByItsCodeAndNamesNobody)
{
    const SmtpProcess server;
    const auto& refusal = GetParam();
    const auto result =
        send_smtp({.url = "smtp://" + server.host()}, message_to(refusal.recipient, refusal.data));
    EXPECT_EQ(result.outcome, refusal.outcome);
    EXPECT_EQ(result.reply_code, refusal.reply_code);
    EXPECT_EQ(result.reason, "refused with " + std::to_string(refusal.reply_code));
    EXPECT_THAT(server.output(), Not(HasSubstr("{")));
}

INSTANTIATE_TEST_SUITE_P(
    Smtp,
    SmtpRefusal,
    testing::Values(
        Refusal{"greylisted", "451-a@example.com", "\r\n", SmtpOutcome::temporary, 451},
        Refusal{"unknown_user", "550-a@example.com", "\r\n", SmtpOutcome::permanent, 550},
        Refusal{"storage", "a@example.com", "X-Answer: 452\r\n\r\n", SmtpOutcome::temporary, 452},
        Refusal{"spam", "a@example.com", "X-Answer: 554\r\n\r\n", SmtpOutcome::permanent, 554}
    ),
    [](const auto& each) { return each.param.name; }
);

TEST(SmtpClient, LogsInWithTheUrl)
{
    const SmtpProcess server({"--login", "post@example.com", "pass:word"});
    const auto result = send_smtp(
        {.url = "smtp://post%40example.com:pass%3Aword@" + server.host()}, message_to("a@example.com")
    );
    EXPECT_EQ(result.outcome, SmtpOutcome::accepted) << result.reason;
    EXPECT_THAT(server.message(), HasSubstr(R"("login": "post@example.com")"));
}

TEST(SmtpClient, WrongCredentialsMayBeMendedSoTheMessageWaits)
{
    const SmtpProcess server({"--login", "post", "secret"});
    const auto wrong =
        send_smtp({.url = "smtp://post:hunter2@" + server.host()}, message_to("a@example.com"));
    EXPECT_EQ(wrong.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(wrong.reply_code, 535);
    EXPECT_EQ(wrong.reason, "authentication refused");
    const auto none = send_smtp({.url = "smtp://" + server.host()}, message_to("a@example.com"));
    EXPECT_EQ(none.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(none.reply_code, 530);
}

struct SmtpTls : testing::Test {
    test::TempDir folder;
    test::Certificate certificate = test::make_certificate(folder.path(), "IP:127.0.0.1");
};

TEST_F(SmtpTls, StartTlsWhereItIsOffered)
{
    const SmtpProcess server({"--starttls", certificate.certificate, certificate.key, "--login", "a", "b"});
    const auto result = send_smtp(
        {.url = "smtp://a:b@" + server.host(), .ca_file = certificate.certificate},
        message_to("a@example.com")
    );
    EXPECT_EQ(result.outcome, SmtpOutcome::accepted) << result.reason;
    EXPECT_THAT(server.message(), HasSubstr(R"("tls": true)"));
}

TEST_F(SmtpTls, ImplicitTls)
{
    const SmtpProcess server({"--smtps", certificate.certificate, certificate.key});
    const auto result = send_smtp(
        {.url = "smtps://" + server.host(), .require_tls = true, .ca_file = certificate.certificate},
        message_to("a@example.com")
    );
    EXPECT_EQ(result.outcome, SmtpOutcome::accepted) << result.reason;
    EXPECT_THAT(server.message(), HasSubstr(R"("recipients": ["a@example.com"])"));
}

TEST_F(SmtpTls, AnUnknownAuthorityIsRefused)
{
    const SmtpProcess server({"--starttls", certificate.certificate, certificate.key});
    const auto result = send_smtp({.url = "smtp://" + server.host()}, message_to("a@example.com"));
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reason, "TLS failed");
}

TEST(SmtpClient, WithoutStartTlsNothingIsSentWhereTlsIsRequired)
{
    const SmtpProcess server;
    const auto result =
        send_smtp({.url = "smtp://" + server.host(), .require_tls = true}, message_to("a@example.com"));
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reason, "STARTTLS is not offered");
    EXPECT_THAT(server.output(), Not(HasSubstr("{")));
}

TEST(SmtpClient, NobodyListens)
{
    const auto result = send_smtp(
        {.url = "smtp://127.0.0.1:" + std::to_string(test::unused_port())}, message_to("a@example.com")
    );
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reply_code, 0);
    EXPECT_EQ(result.reason, "no connection");
}

TEST(SmtpClient, SilenceEndsInTime)
{
    const StubServer server([](StubServer::Peer& peer) { peer.wait_for_end(); });
    const auto result = send_smtp(
        {.url = "smtp://127.0.0.1:" + std::to_string(server.port()),
         .time_max = std::chrono::milliseconds(100)},
        message_to("a@example.com")
    );
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reason, "no answer in time");
}

TEST(SmtpClient, AServerThatTakesNobodyIsNotAboutTheMessage)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.send("554 no service for 127.0.0.1\r\n");
        peer.wait_for_end();
    });
    const auto result =
        send_smtp({.url = "smtp://127.0.0.1:" + std::to_string(server.port())}, message_to("a@example.com"));
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reply_code, 554);
    EXPECT_EQ(result.reason, "refused with 554");
}

TEST(SmtpClient, AnAddressThatWouldEndItsCommandIsRefused)
{
    const StubServer server([](StubServer::Peer& peer) { peer.wait_for_end(); });
    const SmtpServer where{.url = "smtp://127.0.0.1:" + std::to_string(server.port())};
    const std::string long_name(300, 'a');
    for (const auto& address :
         {std::string("a@b>\r\nRCPT TO:<evil@example.com"), std::string("a b@c"), std::string(), long_name}) {
        EXPECT_EQ(send_smtp(where, message_to(address)).outcome, SmtpOutcome::permanent);
        auto from = message_to("a@example.com");
        from.sender = address;
        EXPECT_EQ(send_smtp(where, from).outcome, SmtpOutcome::permanent);
    }
    EXPECT_EQ(server.connections(), 0U);
}

TEST(SmtpClient, OtherProtocolsAreNeverSpoken)
{
    const StubServer server([](StubServer::Peer& peer) { peer.wait_for_end(); });
    const auto result = send_smtp({.url = server.url()}, message_to("a@example.com"));
    EXPECT_EQ(result.outcome, SmtpOutcome::temporary);
    EXPECT_EQ(result.reason, "the server's URL is not one of SMTP");
}

}  // namespace
}  // namespace kit::outbound
