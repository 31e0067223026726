// The client's side of TLS, 1.2 or newer, without a socket: bytes go in and out, and somebody else carries
// them.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kit {

struct TlsSettings {
    std::string server_name{};  // that the certificate must carry, and that is asked for (SNI)
    std::string ca_file{};      // PEM, trusted beside the system's roots
    bool skip_verify = false;   // any certificate will do
};

// The peer is not who it should be, or speaks no TLS. The text says which, and names no secret.
class TlsError final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// What sessions share. Immutable, hence thread-safe.
class TlsContext {
public:
    // Throws TlsError where the file holds no certificate, Unavailable where libssl is not installed.
    explicit TlsContext(TlsSettings settings);
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;
    ~TlsContext();

private:
    friend class TlsSession;

    struct State;
    std::unique_ptr<const State> state_;
};

class TlsSession {
public:
    explicit TlsSession(const TlsContext& context);
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;
    ~TlsSession();

    // What came from the peer.
    void feed(std::string_view encrypted);

    // Goes on with the handshake. True once it is done. Throws TlsError.
    bool shake_hands();

    // Appends what has come for us. False once the peer has ended the session. Throws TlsError.
    bool read(std::string& plain);

    // After the handshake. Throws TlsError.
    void write(std::string_view plain);

    // What is to be sent to the peer, after each of the above.
    std::string take_encrypted();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kit
