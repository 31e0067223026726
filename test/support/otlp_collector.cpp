#include "support/otlp_collector.hpp"

#include "support/process.hpp"

#include <array>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <stdexcept>
#include <zlib.h>

namespace kit::test {
namespace {

using Peer = StubServer::Peer;

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\n";
constexpr std::size_t grpc_prefix_bytes = 5;

std::string gunzip(std::string_view bytes)
{
    constexpr int window_bits_gzip = 15 + 16;
    z_stream stream{};
    if (inflateInit2(&stream, window_bits_gzip) != Z_OK) {
        throw std::runtime_error("inflateInit2");
    }
    std::string out;
    std::string input(bytes);
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    int result = Z_OK;
    while (result == Z_OK) {
        std::array<char, 65'536> chunk;
        stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
        stream.avail_out = chunk.size();
        result = inflate(&stream, Z_NO_FLUSH);
        out.append(chunk.data(), chunk.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (result != Z_STREAM_END) {
        throw std::runtime_error("inflate");
    }
    return out;
}

// The protobuf message that the request carries.
std::string message_of(const OtlpCollector::Request& request)
{
    const auto header = [&](const char* name) {
        const auto found = request.headers.find(name);
        return found == request.headers.end() ? std::string() : found->second;
    };
    if (header("content-type") == "application/grpc") {
        const bool compressed = request.body.at(0) == '\1';
        const auto message = request.body.substr(grpc_prefix_bytes);
        return compressed && header("grpc-encoding") == "gzip" ? gunzip(message) : message;
    }
    return header("content-encoding") == "gzip" ? gunzip(request.body) : request.body;
}

OtlpCollector::Request parse_http1(const std::string& text)
{
    OtlpCollector::Request request;
    const auto head_end = text.find("\r\n\r\n");
    request.body = text.substr(head_end + 4);
    const auto head = text.substr(0, head_end + 2);
    const auto line_end = head.find("\r\n");
    const auto target = head.find(' ') + 1;
    request.path = head.substr(target, head.find(' ', target) - target);
    for (auto at = line_end + 2; at < head.size();) {
        const auto end = head.find("\r\n", at);
        const auto colon = head.find(": ", at);
        auto name = head.substr(at, colon - at);
        for (auto& character : name) {
            character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
        }
        request.headers[name] = head.substr(colon + 2, end - colon - 2);
        at = end + 2;
    }
    return request;
}

nghttp2_nv header_field(const std::string& name, const std::string& value)
{
    // nghttp2 copies both; its type has no const.
    return {
        reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
        name.size(),
        value.size(),
        NGHTTP2_NV_FLAG_NONE,
    };
}

// The server side of one HTTP/2 connection: collects requests, answers with an empty gRPC message.
class Http2 {
public:
    Http2()
    {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, &Http2::on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Http2::on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Http2::on_frame);
        nghttp2_session_server_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    }

    Http2(const Http2&) = delete;
    Http2& operator=(const Http2&) = delete;

    ~Http2() { nghttp2_session_del(session_); }

    bool receive(std::string_view bytes)
    {
        return nghttp2_session_mem_recv(
                   session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()
               ) >= 0;
    }

    bool send(Peer& peer)
    {
        const std::uint8_t* bytes = nullptr;
        while (true) {
            const auto size = nghttp2_session_mem_send(session_, &bytes);
            if (size <= 0) {
                return size == 0;
            }
            if (!peer.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)})) {
                return false;
            }
        }
    }

    struct Complete {
        std::int32_t stream;
        OtlpCollector::Request request;
    };

    std::vector<Complete> take_complete() { return std::exchange(complete_, {}); }

    void answer(std::int32_t stream, int http_status, int grpc_status)
    {
        const std::string status = ":status";
        const std::string status_value = std::to_string(http_status);
        const std::string type = "content-type";
        const std::string type_value = "application/grpc";
        const std::array fields{header_field(status, status_value), header_field(type, type_value)};
        grpc_status_[stream] = grpc_status;
        nghttp2_data_provider body{.source = {.ptr = this}, .read_callback = &Http2::read_body};
        nghttp2_submit_response(session_, stream, fields.data(), fields.size(), &body);
    }

private:
    static Http2& self(void* user) { return *static_cast<Http2*>(user); }

    static int on_header(
        nghttp2_session* /*session*/,
        const nghttp2_frame* frame,
        const std::uint8_t* name,
        std::size_t name_size,
        const std::uint8_t* value,
        std::size_t value_size,
        std::uint8_t /*flags*/,
        void* user
    )
    {
        const std::string key(reinterpret_cast<const char*>(name), name_size);
        const std::string text(reinterpret_cast<const char*>(value), value_size);
        auto& request = self(user).open_[frame->hd.stream_id];
        if (key == ":path") {
            request.path = text;
        } else {
            request.headers[key] = text;
        }
        return 0;
    }

    static int on_data(
        nghttp2_session* /*session*/,
        std::uint8_t /*flags*/,
        std::int32_t stream,
        const std::uint8_t* data,
        std::size_t size,
        void* user
    )
    {
        self(user).open_[stream].body.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }

    static int on_frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user)
    {
        const bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
        if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            auto& http = self(user);
            auto node = http.open_.extract(frame->hd.stream_id);
            http.complete_.push_back({frame->hd.stream_id, std::move(node.mapped())});
        }
        return 0;
    }

    // An empty message, then the trailers.
    static ssize_t read_body(
        nghttp2_session* session,
        std::int32_t stream,
        std::uint8_t* buffer,
        std::size_t /*size*/,
        std::uint32_t* flags,
        nghttp2_data_source* source,
        void* /*user*/
    )
    {
        const int status = self(source->ptr).grpc_status_[stream];
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const std::string name = "grpc-status";
        const std::string value = std::to_string(status);
        const auto trailer = header_field(name, value);
        nghttp2_submit_trailer(session, stream, &trailer, 1);
        if (status != 0) {
            return 0;
        }
        std::fill_n(buffer, grpc_prefix_bytes, std::uint8_t{0});
        return grpc_prefix_bytes;
    }

    nghttp2_session* session_ = nullptr;
    std::map<std::int32_t, OtlpCollector::Request> open_;
    std::map<std::int32_t, int> grpc_status_;
    std::vector<Complete> complete_;
};

}  // namespace

OtlpCollector::OtlpCollector() : server_([this](Peer& peer) { serve(peer); }) {}

OtlpCollector::Taken OtlpCollector::taken() const
{
    const std::lock_guard lock(mutex_);
    return taken_;
}

bool OtlpCollector::wait_until(const std::function<bool(const Taken&)>& enough) const
{
    std::unique_lock lock(mutex_);
    return more_.wait_for(lock, generous, [&] { return enough(taken_); });
}

std::optional<OtlpCollector::Answer> OtlpCollector::handle(Peer& peer, Request request)
{
    constexpr int grpc_invalid_argument = 3;
    constexpr int grpc_unavailable = 14;
    ++requests_;
    switch (mood_.load()) {
        case Mood::silent:
            peer.wait_for_end();
            return std::nullopt;
        case Mood::limited:
            return Answer{.http_status = 429, .grpc_status = grpc_unavailable};
        case Mood::refusing:
            return Answer{.http_status = 400, .grpc_status = grpc_invalid_argument};
        case Mood::slow:
            if (peer.wait_for_end(std::chrono::seconds(1))) {
                return std::nullopt;
            }
            break;
        case Mood::healthy:
            break;
    }
    auto decoded = decode_otlp(request.path, message_of(request));
    const std::lock_guard lock(mutex_);
    taken_.resource = std::move(decoded.resource);
    taken_.scope = std::move(decoded.scope);
    std::ranges::move(decoded.spans, std::back_inserter(taken_.spans));
    std::ranges::move(decoded.metrics, std::back_inserter(taken_.metrics));
    std::ranges::move(decoded.lines, std::back_inserter(taken_.lines));
    taken_.requests.push_back(std::move(request));
    more_.notify_all();
    return Answer{};
}

void OtlpCollector::serve(Peer& peer)
{
    const auto begin = peer.read_until("\r\n\r\n");
    if (begin == http2_preface) {
        serve_http2(peer, begin);
    } else {
        serve_http1(peer, begin);
    }
}

void OtlpCollector::serve_http1(Peer& peer, const std::string& begin)
{
    peer.unread(begin);
    for (auto text = peer.read_request(); !text.empty(); text = peer.read_request()) {
        const auto answer = handle(peer, parse_http1(text));
        if (!answer) {
            return;
        }
        const auto* const retry = answer->http_status == 429 ? "Retry-After: 1\r\n" : "";
        peer.send(
            "HTTP/1.1 " + std::to_string(answer->http_status) + " Status\r\n" + retry +
            "Content-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        );
    }
}

void OtlpCollector::serve_http2(Peer& peer, const std::string& begin)
{
    Http2 http;
    for (auto bytes = begin; !bytes.empty(); bytes = peer.read_some()) {
        if (!http.receive(bytes)) {
            return;
        }
        for (auto& [stream, request] : http.take_complete()) {
            if (const auto answer = handle(peer, std::move(request))) {
                http.answer(stream, 200, answer->grpc_status);
            }
        }
        if (!http.send(peer)) {
            return;
        }
    }
}

}  // namespace kit::test
