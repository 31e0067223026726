#include "platform/outbound/smtp_client.hpp"

#include "platform/outbound/libcurl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace kit::outbound {

namespace {

constexpr const char* system_ca_folder = "/etc/ssl/certs";

// RFC 5321 section 4.5.3.1: a path is at most 256 octets.
constexpr std::size_t address_bytes_max = 254;

struct Upload {
    std::string_view rest;
    bool begun = false;
};

std::size_t read_upload(char* buffer, std::size_t size, std::size_t count, void* context)
{
    auto& upload = *static_cast<Upload*>(context);
    upload.begun = true;
    const auto taken = upload.rest.substr(0, size * count);
    std::memcpy(buffer, taken.data(), taken.size());
    upload.rest.remove_prefix(taken.size());
    return taken.size();
}

// Anything but zero ends the transfer.
int look_for_stop(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    return static_cast<const std::stop_token*>(context)->stop_requested() ? 1 : 0;
}

// What would end the command that it stands in, or the path between the brackets.
bool is_envelope_address(std::string_view address)
{
    return !address.empty() && address.size() <= address_bytes_max &&
           std::ranges::none_of(address, [](char character) {
               return static_cast<unsigned char>(character) <= ' ' || character == '<' || character == '>' ||
                      character == '\x7f';
           });
}

std::string_view kind_of(CURLcode code)
{
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
            return "no connection";
        case CURLE_ABORTED_BY_CALLBACK:
            return "broken off";
        case CURLE_OPERATION_TIMEDOUT:
            return "no answer in time";
        case CURLE_LOGIN_DENIED:
            return "authentication refused";
        case CURLE_USE_SSL_FAILED:
            return "STARTTLS is not offered";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            return "TLS failed";
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return "the server's URL is not one of SMTP";
        default:
            return "connection broken";
    }
}

// Is this about the message? A 5xx to the greeting, to EHLO or about our credentials (RFC 4954 section 6) is
// about the server or its settings, which somebody will mend: giving the message up for it would lose mail.
bool refuses_message(CURLcode code, int reply, bool upload_begun)
{
    const bool about_credentials = reply == 530 || reply == 534 || reply == 535 || reply == 538;
    const bool answers_envelope = code == CURLE_SEND_ERROR;  // so says libcurl of MAIL, RCPT and DATA
    const bool answers_message = code == CURLE_WEIRD_SERVER_REPLY && upload_begun;
    return (answers_envelope || answers_message) && reply >= 500 && reply <= 599 && !about_credentials;
}

SmtpResult outcome_of(CURLcode code, int reply, bool upload_begun)
{
    if (code == CURLE_OK) {
        return {.outcome = SmtpOutcome::accepted, .reply_code = reply, .reason = "accepted"};
    }
    const bool permanent = refuses_message(code, reply, upload_begun);
    const bool refused = permanent || (reply >= 400 && code != CURLE_LOGIN_DENIED);
    return {
        .outcome = permanent ? SmtpOutcome::permanent : SmtpOutcome::temporary,
        .reply_code = reply,
        .reason = refused ? "refused with " + std::to_string(reply) : std::string(kind_of(code)),
    };
}

class Session {
public:
    explicit Session(std::stop_token stop) : stop_(std::move(stop)) {}

    // False: out of memory.
    bool set_up(const SmtpServer& server, const SmtpMessage& message)
    {
        handle_.reset(libcurl().easy_init());
        if (!handle_) {
            return false;
        }
        set(CURLOPT_URL, server.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_QUICK_EXIT, 1L);
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server.connect_time_max.count()));
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(server.time_max.count()));
        set(CURLOPT_USE_SSL, static_cast<long>(server.require_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        if (!server.ca_file.empty()) {
            set(CURLOPT_CAINFO, server.ca_file.c_str());
            set(CURLOPT_CAPATH, system_ca_folder);
        }
        upload_.rest = message.data;
        set(CURLOPT_MAIL_FROM, message.sender.c_str());
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.data.size()));
        set(CURLOPT_READFUNCTION, &read_upload);
        set(CURLOPT_READDATA, &upload_);
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &look_for_stop);
        set(CURLOPT_XFERINFODATA, &stop_);
        return set_recipients(message);
    }

    SmtpResult perform()
    {
        const auto code = libcurl().easy_perform(handle_.get());
        long reply = 0;
        libcurl().easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &reply);
        return outcome_of(code, static_cast<int>(reply), upload_.begun);
    }

private:
    template <class Value>
    void set(CURLoption option, Value value)
    {
        libcurl().easy_setopt(handle_.get(), option, value);
    }

    bool set_recipients(const SmtpMessage& message)
    {
        for (const auto& recipient : message.recipients) {
            if (!recipients_.append(recipient)) {
                return false;
            }
        }
        set(CURLOPT_MAIL_RCPT, recipients_.get());
        return true;
    }

    Upload upload_;
    std::stop_token stop_;
    CurlList recipients_;
    std::unique_ptr<CURL, CurlDeleter> handle_;  // gone before what it points to
};

}  // namespace

SmtpResult send_smtp(const SmtpServer& server, const SmtpMessage& message, std::stop_token stop)
{
    if (!is_envelope_address(message.sender) || message.recipients.empty() ||
        !std::ranges::all_of(message.recipients, is_envelope_address)) {
        return {.outcome = SmtpOutcome::permanent, .reason = "the envelope has no valid address"};
    }
    Session session(std::move(stop));
    if (!session.set_up(server, message)) {
        return {.outcome = SmtpOutcome::temporary, .reason = "out of memory"};
    }
    return session.perform();
}

}  // namespace kit::outbound
