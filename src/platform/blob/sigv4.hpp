// AWS Signature Version 4, as S3 takes it: the path is encoded once, the payload's hash is part of the
// request. Pure functions; their results are compared with the examples that AWS published.
#pragma once

#include "platform/core/timestamp.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::blob {

struct SigningKey {
    std::string access_key;
    std::string secret_key;
    std::string region;
    std::string service = "s3";
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct UnsignedRequest {
    std::string method;
    std::string path;          // decoded, with its leading '/'
    Pairs query{};             // decoded
    Pairs headers{};           // names in lower case; all are signed, `host` must be among them
    std::string payload_hash;  // SHA-256 in hexadecimal, or what the service takes in its place
    Timestamp when{};
};

inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

// "20130524T000000Z", the value of x-amz-date.
std::string amz_date(Timestamp when);

// The path as it is signed and sent.
std::string encode_path(std::string_view path);

// The value of the Authorization header. x-amz-date and x-amz-content-sha256 must be among the headers.
std::string authorization(const SigningKey& key, const UnsignedRequest& request);

// The query, without '?', that makes the request good for anybody until it expires: the request's own
// parameters and those of the signature.
std::string presigned_query(const SigningKey& key, UnsignedRequest request, std::chrono::seconds lifetime);

}  // namespace kit::blob
