#include "platform/blob/blob.hpp"
#include "platform/blob/sigv4.hpp"
#include "platform/core/blocking_pool.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/outbound/http_client.hpp"
#include "platform/telemetry/span.hpp"

#include <array>
#include <atomic>

namespace kit::blob {

namespace {

constexpr std::string_view empty_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::size_t answer_bytes_max = 64UL * 1024;
constexpr std::size_t error_code_bytes_max = 64;

struct Address {
    std::string scheme;  // "https://"
    std::string host;    // as clients send it: a scheme's own port is left out
};

Address address_of(std::string_view endpoint, bool use_tls)
{
    Address address{.scheme = use_tls ? "https://" : "http://", .host = {}};
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (endpoint.starts_with(scheme)) {
            address.scheme = scheme;
            endpoint.remove_prefix(scheme.size());
        }
    }
    const std::string_view usual_port = address.scheme == "https://" ? ":443" : ":80";
    if (endpoint.ends_with(usual_port)) {
        endpoint.remove_suffix(usual_port.size());
    }
    address.host = endpoint;
    return address;
}

// "NoSuchBucket" of an error's document: for the log.
std::string_view error_code(std::string_view document)
{
    constexpr std::string_view begin = "<Code>";
    const auto at = document.find(begin);
    if (at == std::string_view::npos) {
        return {};
    }
    document.remove_prefix(at + begin.size());
    return document.substr(0, std::min(document.find('<'), error_code_bytes_max));
}

// What is sent, but for what depends on when.
struct Call {
    std::string method;
    std::string path;
    Pairs headers{};
    std::string body{};
    std::string payload_hash{empty_hash};
};

class S3Store final : public Store {
public:
    S3Store(S3Options options, Clock& clock, telemetry::Registry& metrics)
        : options_(std::move(options)),
          clock_(clock),
          operations_(clock, metrics),
          key_{
              .access_key = options_.access_key, .secret_key = options_.secret_key, .region = options_.region
          },
          address_(address_of(options_.endpoint, options_.use_tls)),
          public_address_(address_of(
              options_.public_endpoint.empty() ? options_.endpoint : options_.public_endpoint,
              options_.use_tls
          ))
    {
    }

    Task<void> put(Object object) override { return operations_("blob.put", put_here(std::move(object))); }

    Task<void> remove(std::string key) override
    {
        return operations_("blob.remove", remove_here(std::move(key)));
    }

    std::string signed_url(std::string_view key) const override
    {
        const auto path = path_of(key);
        const UnsignedRequest request{
            .method = "GET",
            .path = path,
            .headers = {{"host", public_address_.host}},
            .payload_hash = {},
            .when = clock_.now()
        };
        return public_address_.scheme + public_address_.host + encode_path(path) + '?' +
               presigned_query(key_, request, url_lifetime);
    }

private:
    std::string path_of(std::string_view key) const
    {
        return '/' + options_.bucket + (key.empty() ? "" : "/") + std::string(key);
    }

    Task<void> put_here(Object object)
    {
        const auto deadline = clock_.steady_now() + options_.time_max;
        co_await find_bucket(deadline);
        Call call{.method = "PUT", .path = path_of(object.key)};
        call.headers.emplace_back("content-type", object.content_type);
        call.headers.emplace_back("content-disposition", "attachment");
        for (auto& [name, value] : object.metadata) {
            call.headers.emplace_back("x-amz-meta-" + name, std::move(value));
        }
        // Some milliseconds for the largest objects.
        auto hashed = co_await offload(hashing_, [bytes = std::move(object.bytes)]() mutable {
            auto hash = sha256_hex(bytes);
            return std::pair(std::move(bytes), std::move(hash));
        });
        call.body = std::move(hashed.first);
        call.payload_hash = std::move(hashed.second);
        const auto answer = co_await send(std::move(call), deadline);
        if (answer.status == 404) {
            bucket_found_ = false;  // somebody removed it: the next object finds it missing
        }
        require_success(answer, "PUT");
    }

    Task<void> remove_here(std::string key)
    {
        const auto deadline = clock_.steady_now() + options_.time_max;
        const auto answer = co_await send({.method = "DELETE", .path = path_of(key)}, deadline);
        if (answer.status != 404) {
            require_success(answer, "DELETE");
        }
    }

    // Makes the bucket where there is none. Only success is remembered.
    Task<void> find_bucket(SteadyTime deadline)
    {
        if (bucket_found_) {
            co_return;
        }
        const auto found = co_await send({.method = "HEAD", .path = path_of("")}, deadline);
        if (found.status == 403) {
            co_return;  // a key that may only write objects is not told: it will see
        }
        if (found.status == 404) {
            co_await make_bucket(deadline);
        } else {
            require_success(found, "HEAD bucket");
        }
        bucket_found_ = true;
    }

    Task<void> make_bucket(SteadyTime deadline)
    {
        Call call{.method = "PUT", .path = path_of("")};
        if (options_.region != "us-east-1") {
            call.body =
                "<CreateBucketConfiguration "
                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>" +
                options_.region + "</LocationConstraint></CreateBucketConfiguration>";
            call.payload_hash = sha256_hex(call.body);
        }
        const auto made = co_await send(std::move(call), deadline);
        const auto code = error_code(made.body);
        // Another node may have been first.
        if (code != "BucketAlreadyOwnedByYou" && code != "BucketAlreadyExists") {
            require_success(made, "PUT bucket");
        }
    }

    Task<outbound::HttpResponse> send(Call call, SteadyTime deadline)
    {
        const auto now = clock_.now();
        auto headers = std::move(call.headers);
        headers.emplace_back("x-amz-content-sha256", call.payload_hash);
        headers.emplace_back("x-amz-date", amz_date(now));
        UnsignedRequest request{
            .method = call.method,
            .path = call.path,
            .headers = headers,
            .payload_hash = std::move(call.payload_hash),
            .when = now
        };
        request.headers.emplace_back("host", address_.host);
        headers.emplace_back("authorization", authorization(key_, request));
        const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - clock_.steady_now());
        if (left.count() <= 0) {
            throw DeadlineExceeded("object store: no answer in time");
        }
        auto answer = co_await client_.send(
            {.method = std::move(call.method),
             .url = address_.scheme + address_.host + encode_path(call.path),
             .headers = std::move(headers),
             .body = std::move(call.body),
             .time_max = left,
             .response_bytes_max = answer_bytes_max}
        );
        if (!answer) {
            throw Unavailable("object store: " + std::string(to_string(answer.error())));
        }
        co_return std::move(*answer);
    }

    static void require_success(const outbound::HttpResponse& answer, std::string_view asked)
    {
        if (answer.status < 200 || answer.status > 299) {
            throw Unavailable(
                "object store: " + std::string(asked) + " answered " + std::to_string(answer.status) + ' ' +
                std::string(error_code(answer.body))
            );
        }
    }

    S3Options options_;
    Clock& clock_;
    Operations operations_;
    SigningKey key_;
    Address address_;
    Address public_address_;
    std::atomic<bool> bucket_found_ = false;
    BlockingPool hashing_{{.name = "blob-hash", .threads_max = 1, .queue_max = 64}};
    outbound::HttpClient client_;
};

}  // namespace

std::unique_ptr<Store> open_s3(S3Options options, Clock& clock, telemetry::Registry& metrics)
{
    return std::make_unique<S3Store>(std::move(options), clock, metrics);
}

}  // namespace kit::blob
