#include "platform/telemetry/otlp_sender.hpp"

#include "platform/core/encoding.hpp"
#include "platform/core/error.hpp"
#include "platform/telemetry/otlp_export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#define ZLIB_CONST  // it reads its input, and no more
#include <zlib.h>

namespace kit::telemetry::otlp {

namespace {

using Kind = SendResult::Kind;

// A collector that asks for more is not taken at its word: the records would be lost meanwhile anyway.
constexpr std::chrono::milliseconds retry_after_max = std::chrono::minutes(1);

// gRPC's length-prefixed message: a flag for compression and four bytes of length.
constexpr std::size_t grpc_prefix_bytes = 5;

namespace grpc_status {
constexpr int ok = 0;
constexpr int cancelled = 1;
constexpr int deadline_exceeded = 4;
constexpr int resource_exhausted = 8;
constexpr int aborted = 10;
constexpr int out_of_range = 11;
constexpr int unavailable = 14;
constexpr int data_loss = 15;
}  // namespace grpc_status

std::string gzip(std::string_view bytes)
{
    constexpr int window_bits_gzip = 15 + 16;
    constexpr int memory_level = 8;
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_bits_gzip, memory_level, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        throw Unavailable("zlib: out of memory");
    }
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);  // the bound holds all of it
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::optional<int> whole_number(std::string_view text)
{
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

bool may_try_again(int http_status)
{
    constexpr std::array statuses{429, 502, 503, 504};
    return std::ranges::find(statuses, http_status) != statuses.end();
}

std::string grpc_frame(std::string_view message, bool compressed)
{
    std::string frame;
    frame.reserve(grpc_prefix_bytes + message.size());
    frame += compressed ? '\1' : '\0';
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        frame += static_cast<char>(message.size() >> shift & 0xFFU);
    }
    frame += message;
    return frame;
}

bool grpc_may_try_again(int status, bool says_when)
{
    constexpr std::array statuses{
        grpc_status::cancelled,
        grpc_status::deadline_exceeded,
        grpc_status::aborted,
        grpc_status::out_of_range,
        grpc_status::unavailable,
        grpc_status::data_loss,
    };
    return std::ranges::find(statuses, status) != statuses.end() ||
           (status == grpc_status::resource_exhausted && says_when);
}

// grpc-status-details-bin: base64, whose padding gRPC lets a sender leave out.
std::string decode_binary_header(std::string_view text)
{
    std::string url_safe(text.substr(0, text.find('=')));
    std::ranges::replace(url_safe, '+', '-');
    std::ranges::replace(url_safe, '/', '_');
    return base64url_decode(url_safe).value_or("");
}

struct Place {
    std::string base;  // scheme, host and port
    std::string path;  // without the last slash
    std::string_view port;
};

Place place_of(const ExportTarget& target)
{
    std::string_view rest = target.endpoint;
    std::string_view scheme = target.insecure ? "http://" : "https://";
    for (const std::string_view each : {"http://", "https://"}) {
        if (rest.starts_with(each)) {
            scheme = each;
            rest.remove_prefix(each.size());
        }
    }
    const auto slash = std::min(rest.find('/'), rest.size());
    auto path = rest.substr(slash);
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const auto host = rest.substr(0, slash);
    const auto colon = host.rfind(':');
    return {
        .base = std::string(scheme) + std::string(host),
        .path = std::string(path),
        .port = colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1),
    };
}

}  // namespace

std::string_view to_string(Signal signal)
{
    static constexpr std::array<std::string_view, 3> names{"traces", "metrics", "logs"};
    return names[static_cast<std::size_t>(signal)];
}

bool speaks_grpc(const ExportTarget& target)
{
    return target.protocol == ExportTarget::Protocol::grpc ||
           (target.protocol == ExportTarget::Protocol::by_port && place_of(target).port == "4317");
}

std::string signal_url(const ExportTarget& target, Signal signal)
{
    static constexpr std::array<std::string_view, 3> services{
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    };
    const auto place = place_of(target);
    if (speaks_grpc(target)) {
        return place.base + std::string(services[static_cast<std::size_t>(signal)]);
    }
    return fmt::format("{}{}/v1/{}", place.base, place.path, to_string(signal));
}

SendResult judge_http(const outbound::HttpResponse& response)
{
    if (response.status >= 200 && response.status < 300) {
        return {.kind = Kind::accepted, .rejected = rejected_records(response.body)};
    }
    SendResult result{
        .kind = may_try_again(response.status) ? Kind::try_again : Kind::refused,
        .reason = fmt::format("status {}", response.status),
    };
    if (const auto seconds = whole_number(response.header("retry-after")); seconds && *seconds >= 0) {
        result.retry_after =
            std::min<std::chrono::milliseconds>(std::chrono::seconds(*seconds), retry_after_max);
    }
    return result;
}

SendResult judge_grpc(const outbound::HttpResponse& response)
{
    if (response.status != 200) {
        return judge_http(response);
    }
    const auto status = whole_number(response.header("grpc-status"));
    if (!status) {
        return {.kind = Kind::refused, .reason = "no gRPC answer"};
    }
    if (*status == grpc_status::ok) {
        const auto message =
            std::string_view(response.body).substr(std::min(grpc_prefix_bytes, response.body.size()));
        return {.kind = Kind::accepted, .rejected = rejected_records(message)};
    }
    const auto wish = retry_delay(decode_binary_header(response.header("grpc-status-details-bin")));
    SendResult result{
        .kind = grpc_may_try_again(*status, wish.has_value()) ? Kind::try_again : Kind::refused,
        .reason = fmt::format("gRPC status {}", *status),
    };
    if (wish) {
        result.retry_after = std::min(*wish, retry_after_max);
    }
    return result;
}

outbound::HttpRequest Sender::prepare(Signal signal, std::string request) const
{
    auto headers = target_.headers;
    if (target_.gzip) {
        request = gzip(request);
        headers.emplace_back(grpc_ ? "grpc-encoding" : "Content-Encoding", "gzip");
    }
    if (grpc_) {
        request = grpc_frame(request, target_.gzip);
        headers.emplace_back("te", "trailers");
    }
    headers.emplace_back("Content-Type", grpc_ ? "application/grpc" : "application/x-protobuf");
    headers.emplace_back("User-Agent", "OTel-OTLP-Exporter-everything-backend");
    return {
        .method = "POST",
        .url = signal_url(target_, signal),
        .headers = std::move(headers),
        .body = std::move(request),
        .http2_prior_knowledge = grpc_,
        .ca_file = target_.ca_file,
        .client_certificate_file = target_.client_certificate_file,
        .client_key_file = target_.client_key_file,
    };
}

SendResult Sender::send(
    Signal signal, std::string request, std::chrono::milliseconds time_max, const std::stop_token& stop
)
{
    auto call = prepare(signal, std::move(request));
    call.time_max = time_max;
    const auto result = client_.send_blocking(std::move(call), stop);
    if (!result) {
        return {.kind = Kind::try_again, .reason = std::string(outbound::to_string(result.error()))};
    }
    return grpc_ ? judge_grpc(*result) : judge_http(*result);
}

}  // namespace kit::telemetry::otlp
