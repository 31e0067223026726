// Handing a message to an SMTP server: RFC 5321.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace kit::outbound {

struct SmtpServer {
    std::string
        url;  // smtp://[user:password@]host[:port], with STARTTLS where offered; smtps:// for implicit TLS
    bool require_tls = false;  // smtp:// without STARTTLS is then refused rather than spoken in the clear
    std::string ca_file{};     // PEM, beside the system's roots
    std::chrono::milliseconds connect_time_max{5'000};
    std::chrono::milliseconds time_max{30'000};  // for one message, from connecting to its acceptance
};

struct SmtpMessage {
    std::string sender;                   // addr-spec of the envelope
    std::vector<std::string> recipients;  // addr-specs of the envelope
    std::string data;                     // RFC 5322, CRLF line ends
};

// `permanent`: the server refused this message, its sender or a recipient with 5xx; none of the recipients
// got it. `temporary` may be tried again: 4xx, no connection, a time-out, and what somebody can mend without
// the message being lost: credentials, TLS, a server that takes nobody's mail.
enum class SmtpOutcome : std::uint8_t { accepted, temporary, permanent };

struct SmtpResult {
    SmtpOutcome outcome = SmtpOutcome::temporary;
    int reply_code = 0;  // the server's last one; 0: none came
    std::string reason;  // for the log: the kind of failure; never an address or the message
};

// Blocks the calling thread; nothing is shared, so any thread may. Throws Unavailable where libcurl is
// missing. A requested stop breaks the conversation off within about a second: temporary.
SmtpResult send_smtp(const SmtpServer& server, const SmtpMessage& message, std::stop_token stop = {});

}  // namespace kit::outbound
