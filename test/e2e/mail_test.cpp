// Mail through a real SMTP server in every mood: requests do not notice, and each mail arrives once.
#include "support/account.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>

using namespace kit::test;
using testing::HasSubstr;

namespace {

using namespace std::chrono_literals;

class SmtpServer {
public:
    explicit SmtpServer(std::vector<std::string> options = {})
        : process_({.command = command(std::move(options))})
    {
        port_ = process_.wait_for_line("port ").value_or("port 0").substr(5);
    }

    const std::string& port() const { return port_; }

    // Blocks until it has printed such a line.
    bool says(std::string_view text) const { return process_.wait_for_line(text).has_value(); }

    std::string url() const { return "smtp://127.0.0.1:" + port_; }

    // As it took them, in JSON.
    std::vector<std::string> messages() const
    {
        std::vector<std::string> lines;
        const auto output = process_.output();
        for (std::size_t start = output.find('{'); start != std::string::npos;) {
            const auto end = output.find('\n', start);
            if (end == std::string::npos) {
                break;
            }
            lines.push_back(output.substr(start, end - start));
            start = output.find('{', end);
        }
        return lines;
    }

    std::size_t count(std::string_view recipient) const
    {
        return static_cast<std::size_t>(std::ranges::count_if(
            messages(),
            [recipient](const std::string& line) {
                return line.contains("[\"" + std::string(recipient) + "\"]");
            }
        ));
    }

    std::size_t refused() const
    {
        const auto output = process_.output();
        std::size_t count = 0;
        for (auto at = output.find("refused "); at != std::string::npos;
             at = output.find("refused ", at + 1)) {
            ++count;
        }
        return count;
    }

private:
    static std::vector<std::string> command(std::vector<std::string> options)
    {
        options.insert(options.begin(), {"/usr/bin/python3", "test/support/smtp_server.py"});
        return options;
    }

    Process process_;
    std::string port_;
};

// With a mail server there is no development mailbox, in no profile.
Installation installation_for(const std::string& url, Engine engine)
{
    return Installation(
        engine,
        {{"SMTP_URL", url},
         {"SMTP_TIMEOUT", "2s"},
         {"AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN", "1000000"},
         {"MAIL_FROM", "no-reply@shop.example"},
         {"MAIL_FROM_NAME", "Grüner Laden"},
         {"AUTH_PASSWORD_RESET_BASE_URL", "https://shop.example/reset"}}
    );
}

class Mail : public testing::TestWithParam<Engine> {};

INSTANTIATE_TEST_SUITE_P(
    Engines, Mail, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

void register_account(const Server& server, std::string_view email)
{
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
}

// The answer comes at once, whatever the mail server does.
void forget_password(const Server& server, std::string_view email)
{
    auto client = server.client();
    const auto response =
        client.post("/api/v1/auth/local/password/forgot", R"({"email":")" + std::string(email) + R"("})");
    EXPECT_EQ(response.status, 200) << response.body;
}

std::string message_id(std::string_view message)
{
    const auto start = message.find("Message-ID: <");
    return std::string(message.substr(start, message.find('>', start) - start));
}

TEST_P(Mail, ArrivesWithAWorkingLink)
{
    const SmtpServer smtp;
    const auto installation = installation_for(smtp.url(), GetParam());
    const auto server = std::make_unique<Server>(installation.command({"api"}));
    register_account(*server, "ada@example.com");
    forget_password(*server, "ada@example.com");
    ASSERT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 1; }));
    const auto message = smtp.messages().front();
    EXPECT_THAT(message, HasSubstr("\"sender\": \"no-reply@shop.example\""));
    EXPECT_THAT(message, HasSubstr("multipart/alternative"));
    EXPECT_THAT(message, HasSubstr("https://shop.example/reset?token=3D"));
    auto client = server->client();
    EXPECT_EQ(client.get("/_dev/mail").status, 404);
    EXPECT_EQ(server->stop(), 0);
}

TEST_P(Mail, WaitsWhileTheServerIsDown)
{
    std::string port;
    {
        const SmtpServer gone;
        port = gone.port();
    }
    const auto installation = installation_for("smtp://127.0.0.1:" + port, GetParam());
    Server server(installation.command({"api"}));
    register_account(server, "ada@example.com");
    forget_password(server, "ada@example.com");
    ASSERT_TRUE(server.process().wait_for_line("mail server not reached").has_value());
    const SmtpServer smtp({"--port", port});
    EXPECT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 1; }));
    forget_password(server, "ada@example.com");
    EXPECT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 2; }));
}

TEST_P(Mail, OutlastsTemporaryRefusals)
{
    auto smtp = std::make_unique<SmtpServer>(std::vector<std::string>{"--answer", "451"});
    const auto port = smtp->port();
    const auto installation = installation_for(smtp->url(), GetParam());
    Server server(installation.command({"api"}));
    register_account(server, "ada@example.com");
    forget_password(server, "ada@example.com");
    ASSERT_TRUE(eventually([&] { return smtp->refused() >= 2; }));
    smtp.reset();
    const SmtpServer mended({"--port", port});
    EXPECT_TRUE(eventually([&] { return mended.count("ada@example.com") == 1; }));
}

// Each byte comes before a reader's patience ends, the answer long after.
TEST_P(Mail, ADrippingServerSlowsNoRequestDown)
{
    auto smtp = std::make_unique<SmtpServer>(std::vector<std::string>{"--drip", "0.2"});
    const auto port = smtp->port();
    const auto installation = installation_for(smtp->url(), GetParam());
    Server server(installation.command({"api"}));
    register_account(server, "ada@example.com");
    forget_password(server, "ada@example.com");
    ASSERT_TRUE(smtp->says("dripping"));
    constexpr auto answer_time_max = 2s;  // of a sanitized build on a busy machine; otherwise milliseconds
    for (int request = 0; request < 20; ++request) {
        const auto started = std::chrono::steady_clock::now();
        forget_password(server, "nobody@example.com");
        EXPECT_LT(std::chrono::steady_clock::now() - started, answer_time_max);
    }
    ASSERT_TRUE(server.process().wait_for_line("mail server not reached").has_value()) << "not waited for";
    EXPECT_EQ(smtp->count("ada@example.com"), 0);
    smtp.reset();
    const SmtpServer quick({"--port", port});
    ASSERT_TRUE(eventually([&] { return quick.count("ada@example.com") == 1; }));
    // And only once: what comes later is another message.
    forget_password(server, "ada@example.com");
    ASSERT_TRUE(eventually([&] { return quick.count("ada@example.com") == 2; }));
    EXPECT_NE(message_id(quick.messages()[0]), message_id(quick.messages()[1]));
}

TEST_P(Mail, PoisonAndSlownessDelayNobodyElse)
{
    const SmtpServer smtp({"--hold", "3"});
    const auto installation = installation_for(smtp.url(), GetParam());
    Server server(installation.command({"api"}));
    for (const auto* email :
         {"slow1@example.com",
          "slow2@example.com",
          "slow3@example.com",
          "550-poison@example.com",
          "ada@example.com"}) {
        register_account(server, email);
    }
    for (const auto* email : {"slow1@example.com", "slow2@example.com", "slow3@example.com"}) {
        forget_password(server, email);
    }
    ASSERT_TRUE(eventually([&] { return smtp.messages().size() == 3; }));
    forget_password(server, "550-poison@example.com");
    forget_password(server, "ada@example.com");
    EXPECT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 1; }));
    EXPECT_TRUE(server.process().wait_for_line("mail not delivered").has_value());
}

TEST_P(Mail, AKillAfterTheServerTookItCostsOneCopyAtMost)
{
    const SmtpServer smtp({"--hold", "1"});
    const auto installation = installation_for(smtp.url(), GetParam());
    {
        Server killed(installation.command({"api"}));
        register_account(killed, "ada@example.com");
        forget_password(killed, "ada@example.com");
        ASSERT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 1; }));
        killed.process().signal(SIGKILL);
        killed.process().wait();
    }
    const Server next(installation.command({"api"}));
    ASSERT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 2; }));
    forget_password(next, "ada@example.com");
    ASSERT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 3; }));
    EXPECT_EQ(message_id(smtp.messages()[0]), message_id(smtp.messages()[1]));
    EXPECT_NE(message_id(smtp.messages()[1]), message_id(smtp.messages()[2]));
}

TEST(MailInProduction, BodiesWithLinksAreSealedThenErasedAndThereIsNoMailbox)
{
    std::string port;
    {
        const SmtpServer gone;
        port = gone.port();
    }
    const Installation installation(
        Engine::postgres,
        {{"APP_ENV", "production"},
         {"AUTH_GOOGLE_ENABLED", "false"},
         {"OTEL_TRACE_SAMPLING_RATIO", "0.1"},
         {"JWT_ACCESS_SECRET", "kJ8vQ2mX7pLr9TzW4nYb6HcD3fGs5AeU"},
         {"JWT_REFRESH_SECRET", "Zx1Cv2Bn3Mq4Wr5Ty6Ui7Op8As9Df0Gh"},
         {"REFRESH_TOKEN_PEPPER", "pepper-Zx1Cv2Bn3Mq4"},
         {"OAUTH_STATE_SECRET", "state-kJ8vQ2mX7pLr9T"},
         {"SMTP_URL", "smtp://127.0.0.1:" + port},
         {"SMTP_REQUIRE_TLS", "false"},
         {"MAIL_FROM", "no-reply@shop.example"},
         {"AUTH_PASSWORD_RESET_BASE_URL", "https://shop.example/reset"}}
    );
    const auto outbox = [&] {
        const auto& url = installation.environment().at("DATABASE_URL");
        const auto name = url.substr(url.rfind('/') + 1);
        return PostgresCluster::shared().execute(
            name.substr(0, name.find('?')), "SELECT state, sealed, text, html FROM mail_outbox"
        );
    };
    Server server(installation.command({"api"}));
    auto client = server.client();
    EXPECT_EQ(client.get("/_dev/mail").status, 404);
    register_account(server, "ada@example.com");
    forget_password(server, "ada@example.com");
    ASSERT_TRUE(server.process().wait_for_line("mail server not reached").has_value());
    auto rows = outbox();
    ASSERT_EQ(rows.size(), 1);
    EXPECT_EQ(rows[0][0], "queued");
    EXPECT_EQ(rows[0][1], "t");
    for (const auto& body : {rows[0][2], rows[0][3]}) {
        EXPECT_FALSE(body.empty());
        EXPECT_THAT(body, testing::Not(HasSubstr("shop.example"))) << "readable";
    }
    EXPECT_EQ(server.process().output().find("token="), std::string::npos) << "in the log";

    const SmtpServer smtp({"--port", port});
    ASSERT_TRUE(eventually([&] { return smtp.count("ada@example.com") == 1; }));
    EXPECT_THAT(smtp.messages().front(), HasSubstr("https://shop.example/reset?token=3D"));
    ASSERT_TRUE(eventually([&] { return outbox()[0][0] == "sent"; }));
    rows = outbox();
    EXPECT_EQ(rows[0][2] + rows[0][3], "");
}

}  // namespace
