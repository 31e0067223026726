#include "platform/blob/sigv4.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <algorithm>

namespace kit::blob {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string scope_of(const SigningKey& key, Timestamp when)
{
    return amz_date(when).substr(0, 8) + '/' + key.region + '/' + key.service + "/aws4_request";
}

std::string canonical_query(const Pairs& query)
{
    Pairs encoded;
    for (const auto& [name, value] : query) {
        encoded.emplace_back(percent_encode(name), percent_encode(value));
    }
    std::ranges::sort(encoded);
    std::string text;
    for (const auto& [name, value] : encoded) {
        text += text.empty() ? "" : "&";
        text += name + '=' + value;
    }
    return text;
}

Pairs sorted(Pairs headers)
{
    std::ranges::sort(headers);
    return headers;
}

std::string signed_names(const Pairs& headers)
{
    std::string names;
    for (const auto& [name, value] : headers) {
        names += names.empty() ? "" : ";";
        names += name;
    }
    return names;
}

std::string canonical_request(const UnsignedRequest& request)
{
    const auto headers = sorted(request.headers);
    auto text =
        request.method + '\n' + encode_path(request.path) + '\n' + canonical_query(request.query) + '\n';
    for (const auto& [name, value] : headers) {
        text += name;
        text += ':';
        text += trim(value);
        text += '\n';
    }
    text += '\n' + signed_names(headers) + '\n' + request.payload_hash;
    return text;
}

std::string signature(const SigningKey& key, const UnsignedRequest& request)
{
    const auto to_sign = std::string(algorithm) + '\n' + amz_date(request.when) + '\n' +
                         scope_of(key, request.when) + '\n' + sha256_hex(canonical_request(request));
    auto derived = hmac_sha256("AWS4" + key.secret_key, amz_date(request.when).substr(0, 8));
    for (const std::string_view step :
         {std::string_view(key.region), std::string_view(key.service), std::string_view("aws4_request")}) {
        derived = hmac_sha256(as_text(derived), step);
    }
    return hex_encode(as_text(hmac_sha256(as_text(derived), to_sign)));
}

}  // namespace

std::string amz_date(Timestamp when)
{
    std::string text;
    for (const char byte : to_rfc3339(std::chrono::floor<std::chrono::seconds>(when))) {
        if (byte != '-' && byte != ':') {
            text += byte;
        }
    }
    return text;
}

std::string encode_path(std::string_view path)
{
    std::string encoded;
    while (!path.empty()) {
        const auto end = path.find('/');
        encoded += percent_encode(path.substr(0, end));
        if (end == std::string_view::npos) {
            break;
        }
        encoded += '/';
        path.remove_prefix(end + 1);
    }
    return encoded;
}

std::string authorization(const SigningKey& key, const UnsignedRequest& request)
{
    return std::string(algorithm) + " Credential=" + key.access_key + '/' + scope_of(key, request.when) +
           ",SignedHeaders=" + signed_names(sorted(request.headers)) +
           ",Signature=" + signature(key, request);
}

std::string presigned_query(const SigningKey& key, UnsignedRequest request, std::chrono::seconds lifetime)
{
    auto& query = request.query;
    query.emplace_back("X-Amz-Algorithm", algorithm);
    query.emplace_back("X-Amz-Credential", key.access_key + '/' + scope_of(key, request.when));
    query.emplace_back("X-Amz-Date", amz_date(request.when));
    query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
    query.emplace_back("X-Amz-SignedHeaders", signed_names(sorted(request.headers)));
    request.payload_hash = unsigned_payload;
    return canonical_query(query) + "&X-Amz-Signature=" + signature(key, request);
}

}  // namespace kit::blob
