#include "platform/outbound/http_call.hpp"

#include <string>
#include <utility>

namespace kit::outbound {

namespace {

// All of a response's header lines and trailers together.
constexpr std::size_t header_bytes_max = 64UL * 1024;

// Certificates of the system, where a ca_file stands beside them: Debian's folder of hashed names.
constexpr const char* system_ca_folder = "/etc/ssl/certs";

std::string lower_case(std::string_view text)
{
    std::string lower(text);
    for (auto& character : lower) {
        if (character >= 'A' && character <= 'Z') {
            character = static_cast<char>(character - 'A' + 'a');
        }
    }
    return lower;
}

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// A line break would begin a header, or a request, that nobody wrote.
bool breaks_line(std::string_view text)
{
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

HttpFailure failure_of(CURLcode code)
{
    switch (code) {
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return HttpFailure::refused;
        case CURLE_OPERATION_TIMEDOUT:
            return HttpFailure::timed_out;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_USE_SSL_FAILED:
            return HttpFailure::tls;
        default:
            return HttpFailure::protocol;
    }
}

}  // namespace

CURL* HttpCall::prepare()
{
    if (breaks_line(request_.method) || breaks_line(request_.url) || !build_headers()) {
        return nullptr;
    }
    handle_.reset(libcurl().easy_init());
    if (!handle_) {
        return nullptr;
    }
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    // The engine ends a call at its deadline; a look-up that hangs must not hold up its thread then.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_TIMEOUT_MS, 0L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.time_max.count()));
    set(CURLOPT_HTTPHEADER, header_lines_.get());
    set(CURLOPT_HTTP_VERSION,
        static_cast<long>(
            request_.http2_prior_knowledge ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS
        ));
    set(CURLOPT_HEADERFUNCTION, &HttpCall::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &HttpCall::on_body);
    set(CURLOPT_WRITEDATA, this);
    set_method();
    set_tls();
    return handle_.get();
}

bool HttpCall::build_headers()
{
    bool has_content_type = false;
    for (const auto& [name, value] : request_.headers) {
        if (name.empty() || breaks_line(name) || breaks_line(value)) {
            return false;
        }
        has_content_type = has_content_type || lower_case(name) == "content-type";
        // libcurl reads "name:" as "leave it out", and "name;" as one without a value.
        auto line = name;
        line += value.empty() ? ";" : ": ";
        line += value;
        if (!header_lines_.append(line)) {
            return false;
        }
    }
    // What libcurl would add by itself: a second of waiting before large bodies, and the type of a form.
    return header_lines_.append("Expect:") && (has_content_type || header_lines_.append("Content-Type:"));
}

void HttpCall::set_method()
{
    const auto& method = request_.method;
    if (method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
        return;
    }
    if (!request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(CURLOPT_POSTFIELDS, request_.body.data());  // not copied: the call owns it
    }
    set(CURLOPT_CUSTOMREQUEST, method.c_str());
}

void HttpCall::set_tls()
{
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request_.ca_file.empty()) {
        set(CURLOPT_CAINFO, request_.ca_file.c_str());
        set(CURLOPT_CAPATH, system_ca_folder);
    }
    if (!request_.client_certificate_file.empty()) {
        set(CURLOPT_SSLCERT, request_.client_certificate_file.c_str());
        set(CURLOPT_SSLKEY, request_.client_key_file.c_str());
    }
}

std::size_t HttpCall::on_header(const char* data, std::size_t size, std::size_t count, void* call)
{
    const std::string_view line(data, size * count);
    return static_cast<HttpCall*>(call)->take_header(line) ? line.size() : 0;
}

std::size_t HttpCall::on_body(const char* data, std::size_t size, std::size_t count, void* call)
{
    const std::string_view bytes(data, size * count);
    return static_cast<HttpCall*>(call)->take_body(bytes) ? bytes.size() : CURL_WRITEFUNC_ERROR;
}

bool HttpCall::take_header(std::string_view line)
{
    header_bytes_ += line.size();
    if (header_bytes_ > header_bytes_max) {
        too_large_ = true;
        return false;
    }
    if (line.starts_with("HTTP/")) {
        response_.headers.clear();  // those before belonged to an interim response (1xx)
        return true;
    }
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
        response_.headers.emplace_back(
            lower_case(trimmed(line.substr(0, colon))), trimmed(line.substr(colon + 1))
        );
    }
    return true;
}

bool HttpCall::take_body(std::string_view bytes)
{
    if (bytes.size() > request_.response_bytes_max - response_.body.size()) {
        too_large_ = true;
        return false;
    }
    response_.body += bytes;
    return true;
}

HttpResult HttpCall::result(CURLcode verdict)
{
    if (too_large_) {
        return std::unexpected(HttpFailure::too_large);
    }
    if (verdict != CURLE_OK) {
        return std::unexpected(failure_of(verdict));
    }
    long status = 0;
    libcurl().easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return std::move(response_);
}

}  // namespace kit::outbound
