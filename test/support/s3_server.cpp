#include "support/s3_server.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace kit::test {
namespace {

std::string hex(const std::string& bytes)
{
    std::string text;
    for (const char byte : bytes) {
        text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4U];
        text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15U];
    }
    return text;
}

std::string sha256(const std::string& data)
{
    std::string digest(32, '\0');
    unsigned size = 0;
    EVP_Digest(
        data.data(),
        data.size(),
        reinterpret_cast<unsigned char*>(digest.data()),
        &size,
        EVP_sha256(),
        nullptr
    );
    return digest;
}

std::string hmac(const std::string& key, const std::string& data)
{
    std::string mac(32, '\0');
    unsigned size = 0;
    HMAC(
        EVP_sha256(),
        key.data(),
        static_cast<int>(key.size()),
        reinterpret_cast<const unsigned char*>(data.data()),
        data.size(),
        reinterpret_cast<unsigned char*>(mac.data()),
        &size
    );
    return mac;
}

std::vector<std::string> split(const std::string& text, char separator)
{
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

std::string decode(const std::string& text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%' && at + 2 < text.size()) {
            out += static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16));
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

// The text between two others; empty where they are not there.
std::string between(const std::string& text, const std::string& begin, char end)
{
    const auto at = text.find(begin);
    if (at == std::string::npos) {
        return {};
    }
    const auto from = at + begin.size();
    return text.substr(from, text.find(end, from) - from);
}

// Parameters as they are, sorted, without the signature.
std::string canonical_query(const std::string& query)
{
    auto parts = split(query, '&');
    std::erase_if(parts, [](const auto& part) { return part.starts_with("X-Amz-Signature="); });
    std::ranges::sort(parts);
    std::string text;
    for (const auto& part : parts) {
        text += (text.empty() ? "" : "&") + part + (part.contains('=') ? "" : "=");
    }
    return text;
}

void refuse(StubServer::Peer& peer, const std::string& status, const std::string& code)
{
    const auto body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code></Error>";
    peer.send(
        "HTTP/1.1 " + status + "\r\nContent-Type: application/xml\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body
    );
}

void accept(StubServer::Peer& peer, const std::string& status = "200 OK")
{
    peer.send("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace

S3Server::S3Server() : server_([this](StubServer::Peer& peer) { serve(peer); }) {}

std::map<std::string, S3Server::Object> S3Server::objects() const
{
    const std::lock_guard lock(mutex_);
    return objects_;
}

std::set<std::string> S3Server::buckets() const
{
    const std::lock_guard lock(mutex_);
    return buckets_;
}

std::vector<std::string> S3Server::complaints() const
{
    const std::lock_guard lock(mutex_);
    return complaints_;
}

S3Server::Request S3Server::parse(const std::string& text)
{
    Request request;
    const auto head_end = text.find("\r\n\r\n");
    std::istringstream head(text.substr(0, head_end + 2));
    std::string target;
    std::string version;
    head >> request.method >> target >> version;
    const auto question = std::min(target.find('?'), target.size());
    request.path = target.substr(0, question);
    request.query = question < target.size() ? target.substr(question + 1) : "";
    std::string line;
    std::getline(head, line);
    while (std::getline(head, line)) {
        const auto colon = line.find(':');
        auto name = line.substr(0, colon);
        std::ranges::transform(name, name.begin(), [](unsigned char byte) { return std::tolower(byte); });
        const auto value = line.find_first_not_of(' ', colon + 1);
        request.headers[name] = line.substr(value, line.size() - value - 1);  // without the CR
    }
    request.body = text.substr(head_end + 4);
    return request;
}

std::string S3Server::sign(const std::string& date, const std::string& canonical, const std::string& scope)
{
    const auto to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex(sha256(canonical));
    auto key = std::string("AWS4") + secret_key;
    for (const auto& part : split(scope, '/')) {
        key = hmac(key, part);
    }
    return hex(hmac(key, to_sign));
}

// Why the request is not believed; empty where it is.
std::string S3Server::doubt(const Request& request) const
{
    const auto header = [&](const std::string& name) {
        const auto found = request.headers.find(name);
        return found == request.headers.end() ? std::string() : found->second;
    };
    const auto authorization = header("authorization") + ",";
    const auto date = header("x-amz-date");
    const auto scope = date.substr(0, 8) + "/" + region + "/s3/aws4_request";
    if (between(authorization, "Credential=", ',') != std::string(access_key) + "/" + scope) {
        return "credential";
    }
    if (header("x-amz-content-sha256") != hex(sha256(request.body))) {
        return "payload's hash";
    }
    const auto names = between(authorization, "SignedHeaders=", ',');
    auto canonical = request.method + "\n" + request.path + "\n" + canonical_query(request.query) + "\n";
    const auto signed_names = split(names, ';');
    for (const auto& name : signed_names) {
        canonical += name + ":" + header(name) + "\n";
    }
    for (const auto& [name, value] : request.headers) {
        const bool must_be_signed = name == "host" || name == "content-type" || name.starts_with("x-amz-");
        if (must_be_signed && std::ranges::find(signed_names, name) == signed_names.end()) {
            return name + " is not signed";
        }
    }
    canonical += "\n" + names + "\n" + header("x-amz-content-sha256");
    return between(authorization, "Signature=", ',') == sign(date, canonical, scope) ? "" : "signature";
}

std::optional<S3Server::Object> S3Server::fetch(const std::string& url, const std::string& amz_now) const
{
    const auto host_begin = url.find("//") + 2;
    const auto path_begin = url.find('/', host_begin);
    const auto host = url.substr(host_begin, path_begin - host_begin);
    const auto question = url.find('?');
    const auto path = url.substr(path_begin, question - path_begin);
    const auto query = url.substr(question + 1) + "&";
    const auto date = between(query, "X-Amz-Date=", '&');
    const auto scope = date.substr(0, 8) + "/" + region + "/s3/aws4_request";
    const auto canonical = "GET\n" + path + "\n" + canonical_query(url.substr(question + 1)) +
                           "\nhost:" + host + "\n\nhost\nUNSIGNED-PAYLOAD";
    const bool believed =
        decode(between(query, "X-Amz-Credential=", '&')) == std::string(access_key) + "/" + scope &&
        between(query, "X-Amz-Signature=", '&') == sign(date, canonical, scope);
    // Within the same hour, which is all that the tests need.
    const auto seconds = [](const std::string& time) {
        return std::stoi(time.substr(11, 2)) * 60 + std::stoi(time.substr(13, 2));
    };
    const auto lifetime = std::stoi(between(query, "X-Amz-Expires=", '&'));
    const bool in_time =
        amz_now.substr(0, 11) == date.substr(0, 11) && seconds(amz_now) - seconds(date) <= lifetime;
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(decode(path));
    return believed && in_time && found != objects_.end() ? std::optional(found->second) : std::nullopt;
}

void S3Server::serve(StubServer::Peer& peer)
{
    while (true) {
        const auto text = peer.read_request();
        if (text.empty() || !answer(peer, parse(text))) {
            return;
        }
    }
}

// False where the connection ends.
bool S3Server::answer(StubServer::Peer& peer, const Request& request)
{
    const auto mood = mood_.load();
    if (mood == Mood::silent) {
        peer.wait_for_end();
        return false;
    }
    if (mood == Mood::refusing || mood == Mood::forbidding) {
        const bool refusing = mood == Mood::refusing;
        refuse(peer, refusing ? "503 Slow Down" : "403 Forbidden", refusing ? "SlowDown" : "AccessDenied");
        return true;
    }
    const std::lock_guard lock(mutex_);
    if (const auto why = doubt(request); !why.empty()) {
        complaints_.push_back(why + ": " + request.method + " " + request.path);
        refuse(peer, "403 Forbidden", "SignatureDoesNotMatch");
        return true;
    }
    const auto path = decode(request.path);
    const auto bucket = path.substr(0, path.find('/', 1));
    if (path == bucket) {
        if (request.method == "PUT") {
            buckets_.insert(bucket);
        }
        buckets_.contains(bucket) ? accept(peer) : accept(peer, "404 Not Found");
        return true;
    }
    if (!buckets_.contains(bucket)) {
        refuse(peer, "404 Not Found", "NoSuchBucket");
        return true;
    }
    if (request.method == "PUT") {
        objects_[path] = {.content = request.body, .headers = request.headers};
    } else {
        objects_.erase(path);
    }
    if (mood == Mood::half) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    }
    accept(peer, request.method == "PUT" ? "200 OK" : "204 No Content");
    return true;
}

}  // namespace kit::test
