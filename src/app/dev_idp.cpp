#include "app/dev_idp.hpp"

#include "platform/core/encoding.hpp"
#include "platform/json/json.hpp"
#include "platform/mail/page.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace kit::app {

namespace {

constexpr std::string_view code_place = "code";

// What a code stands for.
struct Grant {
    std::string email;
    std::string name;
    bool email_verified = true;
    std::string nonce;
    std::string code_challenge;
    std::string redirect_uri;
    std::int64_t expires_at = 0;
    std::string chance;  // no two codes are alike
};
BOOST_DESCRIBE_STRUCT(
    Grant, (), (email, name, email_verified, nonce, code_challenge, redirect_uri, expires_at, chance)
)

struct IdClaims {
    std::string_view iss;
    std::string sub;
    std::string_view aud;
    std::int64_t exp;
    std::int64_t iat;
    std::string nonce;
    std::string email;
    bool email_verified;
    std::string name;
};
BOOST_DESCRIBE_STRUCT(IdClaims, (), (iss, sub, aud, exp, iat, nonce, email, email_verified, name))

struct TokenAnswer {
    std::string access_token;
    std::string_view token_type;
    std::string id_token;
};
BOOST_DESCRIBE_STRUCT(TokenAnswer, (), (access_token, token_type, id_token))

using Fields = std::map<std::string, std::string, std::less<>>;

Fields fields_of(std::string_view form)
{
    Fields fields;
    for (auto& [name, value] : parse_form(form)) {
        fields.emplace(std::move(name), std::move(value));
    }
    return fields;
}

std::string value_of(const Fields& fields, std::string_view name)
{
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
}

std::int64_t unix_seconds(Timestamp time)
{
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

// What the form carries on from the query of the authorization request.
constexpr std::array<std::string_view, 5> carried{
    "client_id", "redirect_uri", "state", "nonce", "code_challenge"
};

std::string page(const Fields& request)
{
    std::string html =
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Development "
        "sign-in</title>"
        "</head>\n<body>\n<main>\n<h1>Development sign-in</h1>\n"
        "<p>This stands in for Google while you develop. Sign in as anybody:</p>\n"
        "<form method=\"post\" action=\"/_dev/idp\">\n";
    for (const auto name : carried) {
        html += R"(<input type="hidden" name=")" + std::string(name) + R"(" value=")" +
                mail::escape_html(value_of(request, name)) + "\">\n";
    }
    const auto hint = value_of(request, "login_hint");
    html +=
        "<p><label>Email address <input type=\"email\" name=\"email\" required autocomplete=\"email\" "
        "value=\"" +
        mail::escape_html(hint.empty() ? "dev@example.com" : hint) +
        "\"></label></p>\n"
        "<p><label>Name <input name=\"name\" autocomplete=\"name\" value=\"Dev Eloper\"></label></p>\n"
        "<p><label><input type=\"checkbox\" name=\"email_verified\" value=\"true\" checked> The address is "
        "verified</label></p>\n"
        "<p><button name=\"decision\" value=\"allow\">Sign in</button>\n"
        "<button name=\"decision\" value=\"deny\" formnovalidate>Cancel</button></p>\n"
        "</form>\n</main>\n</body>\n</html>\n";
    return html;
}

http::Response complete(int status, std::string html)
{
    http::Response response{
        .status = status, .payload = http::Payload::complete, .body = std::move(html), .headers = {}
    };
    response.set("Content-Type", "text/html; charset=utf-8");
    response.set("Cache-Control", "no-store");
    return response;
}

outbound::HttpResponse json_answer(int status, std::string body)
{
    return {.status = status, .headers = {{"content-type", "application/json"}}, .body = std::move(body)};
}

outbound::HttpResponse refused(std::string_view error)
{
    return json_answer(400, R"({"error":")" + std::string(error) + R"("})");
}

std::string subject_of(std::string_view email)
{
    constexpr std::size_t digits = 24;
    return "dev-" + sha256_hex(email).substr(0, digits);
}

// A function of the secret: all nodes sign with the same key, under the same name.
jwt::NamedKey signer_of(std::string_view secret)
{
    constexpr std::size_t name_digits = 16;
    const auto seed = derive_key(secret, "development provider key");
    const auto key = SignatureKey::from_private(SignatureAlgorithm::eddsa, as_text(seed)).value();
    return {sha256_hex(key.public_bytes()).substr(0, name_digits), key};
}

}  // namespace

DevIdp::DevIdp(Clock& clock, Random& random, Settings settings)
    : clock_(clock),
      random_(random),
      settings_(std::move(settings)),
      codes_(settings_.secret, "development provider code"),
      signer_(signer_of(settings_.secret))
{
}

// A code goes nowhere but to our own callback.
bool DevIdp::may_return_to(const http::RequestContext& ctx, std::string_view redirect_uri) const
{
    if (!settings_.redirect_url.empty()) {
        return redirect_uri == settings_.redirect_url;
    }
    return redirect_uri == "http://" + std::string(ctx.request.header("Host").value_or("localhost")) +
                               settings_.callback_path;
}

http::Reply DevIdp::ask(const http::RequestContext& ctx) const
{
    const auto request = fields_of(ctx.request.query);
    if (value_of(request, "client_id") != client_id ||
        !may_return_to(ctx, value_of(request, "redirect_uri"))) {
        return failure(Error::invalid("this page is part of a sign-in: begin at the login route"));
    }
    return complete(200, page(request));
}

http::Reply DevIdp::decide(const http::RequestContext& ctx)
{
    const auto form = fields_of(ctx.request.body);
    const auto redirect_uri = value_of(form, "redirect_uri");
    if (value_of(form, "client_id") != client_id || !may_return_to(ctx, redirect_uri)) {
        return failure(Error::invalid("this page is part of a sign-in: begin at the login route"));
    }
    auto target = redirect_uri + "?state=" + percent_encode(value_of(form, "state"));
    if (value_of(form, "decision") == "deny") {
        target += "&error=access_denied";
    } else {
        const Grant grant{
            .email = value_of(form, "email"),
            .name = value_of(form, "name"),
            .email_verified = value_of(form, "email_verified") == "true",
            .nonce = value_of(form, "nonce"),
            .code_challenge = value_of(form, "code_challenge"),
            .redirect_uri = redirect_uri,
            .expires_at = unix_seconds(clock_.now() + code_life),
            .chance = random_.token(16)
        };
        std::string text;
        json::write(text, grant);
        target += "&code=" + codes_.seal(text, code_place, random_) + "&iss=" + percent_encode(issuer);
    }
    auto response = complete(303, "");
    response.set("Location", std::move(target));
    return response;
}

// True for the first who shows the code.
bool DevIdp::use_up(const std::string& code)
{
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(used_, code) != used_.end()) {
        return false;
    }
    used_.push_back(code);
    if (used_.size() > used_codes_max) {
        used_.pop_front();
    }
    return true;
}

// RFC 6749 section 4.1.3, RFC 7636 section 4.6.
outbound::HttpResponse DevIdp::exchange(std::string_view body)
{
    const auto form = fields_of(body);
    const auto code = value_of(form, "code");
    const auto text = codes_.open(code, code_place);
    const auto grant = text ? json::read<Grant>(*text) : failure(Error::invalid("code"));
    const auto now = unix_seconds(clock_.now());
    if (value_of(form, "client_id") != client_id) {
        return refused("invalid_client");
    }
    if (!grant || grant->expires_at <= now || grant->redirect_uri != value_of(form, "redirect_uri") ||
        base64url_encode(as_text(sha256(value_of(form, "code_verifier")))) != grant->code_challenge ||
        !use_up(code)) {
        return refused("invalid_grant");
    }
    std::string claims;
    json::write(
        claims,
        IdClaims{
            .iss = issuer,
            .sub = subject_of(grant->email),
            .aud = client_id,
            .exp = now + std::chrono::seconds(token_life).count(),
            .iat = now,
            .nonce = grant->nonce,
            .email = grant->email,
            .email_verified = grant->email_verified,
            .name = grant->name
        }
    );
    std::string answer;
    json::write(
        answer,
        TokenAnswer{
            .access_token = random_.token(16), .token_type = "Bearer", .id_token = signer_.sign(claims)
        }
    );
    return json_answer(200, std::move(answer));
}

Task<outbound::HttpResult> DevIdp::send(outbound::HttpRequest request)
{
    if (request.method == "POST" && request.url == token_url) {
        co_return exchange(request.body);
    }
    if (request.method == "GET" && request.url == keys_url) {
        co_return json_answer(200, R"({"keys":[)" + signer_.jwk() + "]}");
    }
    co_return std::unexpected(outbound::HttpFailure::refused);
}

namespace {

Task<http::Reply> ask(DevIdp& provider, http::RequestContext& ctx)
{
    co_return provider.ask(ctx);
}

Task<http::Reply> decide(DevIdp& provider, http::RequestContext& ctx)
{
    co_return provider.decide(ctx);
}

}  // namespace

std::vector<http::Route> routes(DevIdp& provider)
{
    using namespace http;
    return {
        {Method::get,
         DevIdp::authorize_path,
         {},
         http::bind(ask, provider),
         {.summary = "The development provider asks who signs in", .ok = media("text/html")}},
        {Method::post,
         DevIdp::authorize_path,
         {},
         http::bind(decide, provider),
         {.summary = "Back from the development provider", .success = 303, .ok = no_body}},
    };
}

}  // namespace kit::app
