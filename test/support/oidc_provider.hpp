// A provider of OpenID Connect over HTTP, of ours: well-behaved until a test spoils it.
#pragma once

#include "support/stub_server.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace kit::test {

// A key pair that signs tokens: RS256, ES256 or EdDSA.
class SigningKey {
public:
    SigningKey(std::string algorithm, std::string id);
    ~SigningKey();

    const std::string& algorithm() const { return algorithm_; }

    const std::string& id() const { return id_; }

    std::string sign(std::string_view text) const;

    // The public half, with `more` among its members: `,"use":"sig"`.
    std::string jwk(std::string_view more = "") const;

    // The public half as PEM: what a confused verifier takes for an HMAC's secret.
    std::string pem() const;

private:
    struct Key;

    std::string algorithm_;
    std::string id_;
    std::unique_ptr<const Key> key_;
};

// Made once for all tests: RSA keys take a while.
const SigningKey& rsa_key();
const SigningKey& other_rsa_key();
const SigningKey& ec_key();
const SigningKey& ed_key();

// A token of any header and payload.
std::string make_token(
    std::string_view header,
    std::string_view payload,
    const std::function<std::string(std::string_view)>& sign
);

class OidcProvider {
public:
    // Claims by name, as JSON texts.
    using Claims = std::map<std::string, std::string>;

    // What a test may spoil. Unset functions are as a provider should be.
    struct Behaviour {
        const SigningKey* key = &rsa_key();
        std::string subject = "subject-1";
        std::string email = "ada@example.com";
        std::int64_t now = 1'772'323'200;  // the manual clock's start
        std::function<void(Claims&)> claims;
        std::function<std::string(const std::string& payload)> token;  // in place of one that `key` signs
        std::function<std::string()> keys;                             // the JWKS document
        std::function<std::string()> userinfo;                         // the document
        std::function<std::string(std::string)> discovery;             // of the right document
        // Speaks in place of the answer to a path (`/token`, `/keys`, …); false: it does not.
        std::function<bool(StubServer::Peer&, std::string_view path)> wire;
    };

    OidcProvider();

    std::string issuer() const { return server_.url(""); }

    std::string url(std::string_view path) const { return server_.url(path); }

    // Changes what it does from now on.
    void behave(const std::function<void(Behaviour&)>& change);

    // What a browser does there: the code for the authorization request of this address.
    std::string grant(std::string_view location);

    int asked(std::string_view path) const;

private:
    struct Grant {
        std::string nonce;
        std::string challenge;
        std::string redirect_uri;
        std::string client_id;
    };

    void serve(StubServer::Peer& peer);
    std::string answer(std::string_view path, std::string_view request);
    std::string tokens(std::string_view request);
    std::string discovery() const;

    mutable std::mutex mutex_;
    Behaviour behaviour_;
    std::map<std::string, Grant> grants_;
    std::map<std::string, int, std::less<>> asked_;
    StubServer server_;
};

// An HTTP answer with a JSON body.
std::string http_answer(int status, std::string_view body, std::string_view headers = "");

// The decoded parameters of an address.
std::map<std::string, std::string> query_of(std::string_view address);

}  // namespace kit::test
