// An S3-compatible store in memory that trusts nobody: it recomputes every signature by AWS' description of
// Signature Version 4, with OpenSSL and none of the product's code.
#pragma once

#include "support/stub_server.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kit::test {

class S3Server {
public:
    // What it does with requests.
    enum class Mood : std::uint8_t {
        well,
        refusing,    // 503 SlowDown
        forbidding,  // 403 AccessDenied
        silent,      // takes the request and never answers
        half,        // stores the object, then breaks off in the middle of its answer
    };

    struct Object {
        std::string content;
        std::map<std::string, std::string> headers;  // of its PUT, names in lower case
    };

    static constexpr const char* access_key = "test-access-key";
    static constexpr const char* secret_key = "test/secret+key";
    static constexpr const char* region = "us-east-1";

    S3Server();

    std::string endpoint() const { return "127.0.0.1:" + std::to_string(server_.port()); }

    void set(Mood mood) { mood_ = mood; }

    // By "/bucket/key".
    std::map<std::string, Object> objects() const;
    std::set<std::string> buckets() const;

    // Why requests were not believed, and for what they asked.
    std::vector<std::string> complaints() const;

    // As a browser would: the object behind a signed URL, at a time of the caller's. Nothing where the
    // signature is bad or the time is over.
    std::optional<Object> fetch(const std::string& url, const std::string& amz_now) const;

private:
    struct Request {
        std::string method;
        std::string path;  // as received
        std::string query;
        std::map<std::string, std::string> headers;
        std::string body;
    };

    void serve(StubServer::Peer& peer);
    bool answer(StubServer::Peer& peer, const Request& request);
    static Request parse(const std::string& text);
    std::string doubt(const Request& request) const;
    static std::string sign(const std::string& date, const std::string& canonical, const std::string& scope);

    std::atomic<Mood> mood_ = Mood::well;
    mutable std::mutex mutex_;
    std::map<std::string, Object> objects_;
    std::set<std::string> buckets_;
    std::vector<std::string> complaints_;
    StubServer server_;  // the last: its threads use the rest
};

}  // namespace kit::test
