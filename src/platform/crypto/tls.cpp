#include "platform/crypto/tls.hpp"

#include "platform/crypto/libssl.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <climits>

namespace kit {

namespace {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};

[[noreturn]] void fail(const std::string& what)
{
    const auto code = ERR_peek_last_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    throw TlsError(reason == nullptr ? what : what + ": " + reason);
}

void require(bool success, const char* what)
{
    if (!success) {
        fail(what);
    }
}

}  // namespace

struct TlsContext::State {
    TlsSettings settings;
    std::unique_ptr<SSL_CTX, FreeContext> context;
};

TlsContext::TlsContext(TlsSettings settings)
{
    load_libssl();
    auto state = std::make_unique<State>();
    state->context.reset(SSL_CTX_new(TLS_client_method()));
    auto* const context = state->context.get();
    require(context != nullptr, "no TLS");
    require(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1, "no TLS 1.2");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
    if (settings.skip_verify) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    } else {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        require(SSL_CTX_set_default_verify_paths(context) == 1, "the system's roots cannot be read");
        if (!settings.ca_file.empty()) {
            require(
                SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) == 1,
                "the CA file holds no certificate"
            );
        }
    }
    state->settings = std::move(settings);
    state_ = std::move(state);
}

TlsContext::~TlsContext() = default;

struct TlsSession::State {
    std::unique_ptr<SSL, FreeSession> session;
    BIO* incoming = nullptr;  // these two belong to the session
    BIO* outgoing = nullptr;
};

TlsSession::TlsSession(const TlsContext& context) : state_(std::make_unique<State>())
{
    const auto& settings = context.state_->settings;
    state_->session.reset(SSL_new(context.state_->context.get()));
    auto* const session = state_->session.get();
    require(session != nullptr, "no TLS session");
    state_->incoming = BIO_new(BIO_s_mem());
    state_->outgoing = BIO_new(BIO_s_mem());
    SSL_set_bio(session, state_->incoming, state_->outgoing);
    BIO_set_mem_eof_return(state_->incoming, -1);  // empty is "not yet", never the end
    SSL_set_connect_state(session);
    if (settings.server_name.empty()) {
        return;
    }
    require(SSL_set_tlsext_host_name(session, settings.server_name.c_str()) == 1, "not a server's name");
    if (!settings.skip_verify) {
        SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        require(SSL_set1_host(session, settings.server_name.c_str()) == 1, "not a server's name");
    }
}

TlsSession::~TlsSession() = default;

void TlsSession::feed(std::string_view encrypted)
{
    while (!encrypted.empty()) {
        const auto part = encrypted.substr(0, INT_MAX);
        require(
            BIO_write(state_->incoming, part.data(), static_cast<int>(part.size())) ==
                static_cast<int>(part.size()),
            "no memory for TLS"
        );
        encrypted.remove_prefix(part.size());
    }
}

bool TlsSession::shake_hands()
{
    ERR_clear_error();
    auto* const session = state_->session.get();
    const int result = SSL_do_handshake(session);
    if (result == 1) {
        return true;
    }
    const int error = SSL_get_error(session, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return false;
    }
    const auto verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK) {
        ERR_clear_error();
        throw TlsError(
            std::string("the server's certificate is refused: ") + X509_verify_cert_error_string(verified)
        );
    }
    fail("the TLS handshake failed");
}

bool TlsSession::read(std::string& plain)
{
    ERR_clear_error();
    auto* const session = state_->session.get();
    std::array<char, 16UL * 1024> bytes;  // a record's most
    while (true) {
        const int got = SSL_read(session, bytes.data(), static_cast<int>(bytes.size()));
        if (got > 0) {
            plain.append(bytes.data(), static_cast<std::size_t>(got));
            continue;
        }
        switch (SSL_get_error(session, got)) {
            case SSL_ERROR_WANT_READ:
            case SSL_ERROR_WANT_WRITE:
                return true;
            case SSL_ERROR_ZERO_RETURN:
                return false;
            default:
                fail("the TLS session failed");
        }
    }
}

void TlsSession::write(std::string_view plain)
{
    ERR_clear_error();
    std::size_t written = 0;
    // The outgoing side takes everything, so all of it is written at once.
    require(
        plain.empty() || (SSL_write_ex(state_->session.get(), plain.data(), plain.size(), &written) == 1 &&
                          written == plain.size()),
        "the TLS session failed"
    );
}

std::string TlsSession::take_encrypted()
{
    std::string bytes(BIO_ctrl_pending(state_->outgoing), '\0');
    if (!bytes.empty()) {
        BIO_read(state_->outgoing, bytes.data(), static_cast<int>(bytes.size()));
    }
    return bytes;
}

}  // namespace kit
