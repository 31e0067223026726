#include "support/oidc_provider.hpp"

#include "platform/core/encoding.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace kit::test {

namespace {

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

EVP_PKEY* generate(std::string_view algorithm)
{
    if (algorithm == "RS256") {
        return EVP_RSA_gen(2048);
    }
    if (algorithm == "ES256") {
        std::string curve = "P-256";
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data());
    }
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
}

std::string number_of(const EVP_PKEY* key, const char* name, int size = 0)
{
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, name, &number);
    std::string bytes(static_cast<std::size_t>(size > 0 ? size : BN_num_bytes(number)), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    BN_free(number);
    return base64url_encode(bytes);
}

// RFC 7518 section 3.4: the two numbers one after the other.
std::string from_der(const std::string& der)
{
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
    return raw;
}

std::string sha256_of(std::string_view text)
{
    std::string digest(32, '\0');
    EVP_Digest(
        text.data(),
        text.size(),
        reinterpret_cast<unsigned char*>(digest.data()),
        nullptr,
        EVP_sha256(),
        nullptr
    );
    return digest;
}

std::map<std::string, std::string> fields_of(std::string_view form)
{
    std::map<std::string, std::string> fields;
    for (auto& [name, value] : parse_form(form)) {
        fields.emplace(std::move(name), std::move(value));
    }
    return fields;
}

std::string object_of(const OidcProvider::Claims& claims)
{
    std::string text;
    for (const auto& [name, value] : claims) {
        text += fmt::format(R"({}"{}":{})", text.empty() ? "{" : ",", name, value);
    }
    return text + "}";
}

}  // namespace

struct SigningKey::Key {
    EVP_PKEY* value;

    explicit Key(EVP_PKEY* made) : value(made) {}

    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;

    ~Key() { EVP_PKEY_free(value); }
};

SigningKey::SigningKey(std::string algorithm, std::string id)
    : algorithm_(std::move(algorithm)),
      id_(std::move(id)),
      key_(std::make_unique<const Key>(generate(algorithm_)))
{
}

SigningKey::~SigningKey() = default;

std::string SigningKey::sign(std::string_view text) const
{
    const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    const auto* digest = algorithm_ == "EdDSA" ? nullptr : EVP_sha256();
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 1024;
    std::string signature(size, '\0');
    if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_->value) != 1 ||
        EVP_DigestSign(
            context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()
        ) != 1) {
        throw std::runtime_error("cannot sign");
    }
    signature.resize(size);
    return algorithm_ == "ES256" ? from_der(signature) : signature;
}

std::string SigningKey::jwk(std::string_view more) const
{
    if (algorithm_ == "RS256") {
        return fmt::format(
            R"({{"kty":"RSA","kid":"{}","n":"{}","e":"{}"{}}})",
            id_,
            number_of(key_->value, OSSL_PKEY_PARAM_RSA_N),
            number_of(key_->value, OSSL_PKEY_PARAM_RSA_E),
            more
        );
    }
    if (algorithm_ == "ES256") {
        return fmt::format(
            R"({{"kty":"EC","crv":"P-256","kid":"{}","x":"{}","y":"{}"{}}})",
            id_,
            number_of(key_->value, OSSL_PKEY_PARAM_EC_PUB_X, 32),
            number_of(key_->value, OSSL_PKEY_PARAM_EC_PUB_Y, 32),
            more
        );
    }
    std::array<unsigned char, 32> bytes{};
    std::size_t size = bytes.size();
    EVP_PKEY_get_raw_public_key(key_->value, bytes.data(), &size);
    return fmt::format(
        R"({{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"{}}})",
        id_,
        base64url_encode({reinterpret_cast<const char*>(bytes.data()), size}),
        more
    );
}

std::string SigningKey::pem() const
{
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(memory, key_->value);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(memory);
    return text;
}

const SigningKey& rsa_key()
{
    static const SigningKey key("RS256", "rsa-1");
    return key;
}

const SigningKey& other_rsa_key()
{
    static const SigningKey key("RS256", "rsa-2");
    return key;
}

const SigningKey& ec_key()
{
    static const SigningKey key("ES256", "ec-1");
    return key;
}

const SigningKey& ed_key()
{
    static const SigningKey key("EdDSA", "ed-1");
    return key;
}

std::string make_token(
    std::string_view header,
    std::string_view payload,
    const std::function<std::string(std::string_view)>& sign
)
{
    const auto text = base64url_encode(header) + "." + base64url_encode(payload);
    return text + "." + base64url_encode(sign(text));
}

std::string http_answer(int status, std::string_view body, std::string_view headers)
{
    return fmt::format(
        "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}",
        status,
        body.size(),
        headers,
        body
    );
}

std::map<std::string, std::string> query_of(std::string_view address)
{
    const auto at = std::min(address.find('?'), address.size());
    return fields_of(address.substr(std::min(at + 1, address.size())));
}

OidcProvider::OidcProvider() : server_([this](StubServer::Peer& peer) { serve(peer); }) {}

void OidcProvider::behave(const std::function<void(Behaviour&)>& change)
{
    const std::lock_guard lock(mutex_);
    change(behaviour_);
}

std::string OidcProvider::grant(std::string_view location)
{
    auto query = query_of(location);
    const std::lock_guard lock(mutex_);
    auto code = "code-" + std::to_string(grants_.size() + 1);
    grants_[code] = {
        .nonce = query["nonce"],
        .challenge = query["code_challenge"],
        .redirect_uri = query["redirect_uri"],
        .client_id = query["client_id"]
    };
    return code;
}

int OidcProvider::asked(std::string_view path) const
{
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(path);
    return found == asked_.end() ? 0 : found->second;
}

void OidcProvider::serve(StubServer::Peer& peer)
{
    for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
        const auto begin = request.find(' ') + 1;
        const auto path = request.substr(begin, request.find(' ', begin) - begin);
        std::function<bool(StubServer::Peer&, std::string_view)> wire;
        {
            const std::lock_guard lock(mutex_);
            ++asked_[path];
            wire = behaviour_.wire;
        }
        if (wire && wire(peer, path)) {
            return;
        }
        std::string text;
        {
            const std::lock_guard lock(mutex_);
            text = answer(path, request);
        }
        if (!peer.send(text)) {
            return;
        }
    }
}

std::string OidcProvider::answer(std::string_view path, std::string_view request)
{
    if (path == "/.well-known/openid-configuration") {
        const auto document = discovery();
        return http_answer(200, behaviour_.discovery ? behaviour_.discovery(document) : document);
    }
    if (path == "/keys") {
        const auto usual = [&] { return R"({"keys":[)" + behaviour_.key->jwk(R"(,"use":"sig")") + "]}"; };
        return http_answer(200, behaviour_.keys ? behaviour_.keys() : usual());
    }
    if (path == "/userinfo") {
        const auto usual = [&] {
            return object_of(
                {{"sub", '"' + behaviour_.subject + '"'},
                 {"email", '"' + behaviour_.email + '"'},
                 {"email_verified", "true"},
                 {"name", R"("Ada of Userinfo")"}}
            );
        };
        return http_answer(200, behaviour_.userinfo ? behaviour_.userinfo() : usual());
    }
    if (path == "/token") {
        return tokens(request);
    }
    return http_answer(404, "{}");
}

// As RFC 6749 and RFC 7636 say: a code is for one client, one redirect URI and one verifier, once.
std::string OidcProvider::tokens(std::string_view request)
{
    auto form = fields_of(request.substr(request.find("\r\n\r\n") + 4));
    const auto found = grants_.find(form["code"]);
    if (found == grants_.end() || found->second.redirect_uri != form["redirect_uri"] ||
        base64url_encode(sha256_of(form["code_verifier"])) != found->second.challenge) {
        return http_answer(400, R"({"error":"invalid_grant"})");
    }
    const auto grant = found->second;
    grants_.erase(found);
    Claims claims{
        {"iss", '"' + server_.url("") + '"'},
        {"sub", '"' + behaviour_.subject + '"'},
        {"aud", '"' + grant.client_id + '"'},
        {"exp", std::to_string(behaviour_.now + 3600)},
        {"iat", std::to_string(behaviour_.now)},
        {"nonce", '"' + grant.nonce + '"'},
        {"email", '"' + behaviour_.email + '"'},
        {"email_verified", "true"},
        {"name", R"("Ada Lovelace")"},
        {"picture", R"("https://pictures.example/ada.png")"},
    };
    if (behaviour_.claims) {
        behaviour_.claims(claims);
    }
    const auto payload = object_of(claims);
    const auto header =
        fmt::format(R"({{"alg":"{}","kid":"{}"}})", behaviour_.key->algorithm(), behaviour_.key->id());
    const auto token =
        behaviour_.token
            ? behaviour_.token(payload)
            : make_token(header, payload, [&](std::string_view text) { return behaviour_.key->sign(text); });
    return http_answer(
        200, fmt::format(R"({{"access_token":"access","token_type":"Bearer","id_token":"{}"}})", token)
    );
}

std::string OidcProvider::discovery() const
{
    const auto base = server_.url("");
    return fmt::format(
        R"({{"issuer":"{0}","authorization_endpoint":"{0}/authorize","token_endpoint":"{0}/token",)"
        R"("userinfo_endpoint":"{0}/userinfo","jwks_uri":"{0}/keys"}})",
        base
    );
}

}  // namespace kit::test
