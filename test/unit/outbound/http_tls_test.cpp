// Certificates and names are always verified.
#include "support/certificate.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "unit/outbound/fixture.hpp"

namespace kit::outbound {
namespace {

// openssl's own server, which answers every GET with a page about the handshake.
class TlsServer {
public:
    explicit TlsServer(const test::Certificate& certificate, std::vector<std::string> more = {})
        : process_({.command = command(certificate, std::move(more))})
    {
        const auto line = process_.wait_for_line("ACCEPT 127.0.0.1:").value_or("");
        port_ = line.substr(line.rfind(':') + 1);
    }

    std::string url() const { return "https://127.0.0.1:" + port_ + "/"; }

private:
    static std::vector<std::string> command(
        const test::Certificate& certificate, std::vector<std::string> more
    )
    {
        std::vector<std::string> words{
            "/usr/bin/openssl",
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-www",
            "-cert",
            certificate.certificate,
            "-key",
            certificate.key,
        };
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }

    test::Process process_;
    std::string port_;
};

struct HttpTls : HttpClientTest {
    test::TempDir folder;
    test::Certificate certificate = test::make_certificate(folder.path() / "good", "IP:127.0.0.1");
};

TEST_F(HttpTls, AnUnknownAuthorityIsRefused)
{
    const TlsServer server(certificate);
    const auto result = send({.url = server.url()});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), HttpFailure::tls);
}

TEST_F(HttpTls, AnAuthorityOfOursIsTrusted)
{
    const TlsServer server(certificate);
    const auto result = send({.url = server.url(), .ca_file = certificate.certificate});
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->status, 200);
}

TEST_F(HttpTls, ACertificateForAnotherNameIsRefused)
{
    const auto other = test::make_certificate(folder.path() / "other", "DNS:other.example");
    const TlsServer server(other);
    const auto result = send({.url = server.url(), .ca_file = other.certificate});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), HttpFailure::tls);
}

TEST_F(HttpTls, AnAuthorityFileThatIsMissingIsAFailureOfTls)
{
    const TlsServer server(certificate);
    const auto result = send({.url = server.url(), .ca_file = folder.path() / "missing.pem"});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), HttpFailure::tls);
}

TEST_F(HttpTls, AClientCertificateIsShown)
{
    const auto own = test::make_certificate(folder.path() / "own", "DNS:client.example");
    const TlsServer server(certificate, {"-Verify", "1", "-verify_return_error", "-CAfile", own.certificate});
    HttpRequest request{.url = server.url(), .ca_file = certificate.certificate};
    EXPECT_FALSE(send(request).has_value());
    request.client_certificate_file = own.certificate;
    request.client_key_file = own.key;
    const auto result = send(request);
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->status, 200);
}

}  // namespace
}  // namespace kit::outbound
