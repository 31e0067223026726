// The product's mails to the owners of accounts. No text that somebody else chose stands in them, so that
// nobody can use us to write to strangers.
#pragma once

#include "platform/core/timestamp.hpp"
#include "platform/mail/mail.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kit::auth {

class Mails {
public:
    // `product` is what people know the service by.
    explicit Mails(std::string product) : product_(std::move(product)) {}

    struct OneTimeLink {
        std::string to;
        std::string link;  // or "token=…" where no page is configured
        Timestamp expires_at;
    };

    struct Notice {
        std::string to;
        Timestamp at;
    };

    struct Device {
        std::string name;     // "Firefox on Linux"
        std::string address;  // the client's IP
    };

    mail::Message verification(OneTimeLink link) const;
    mail::Message password_reset(OneTimeLink link) const;
    mail::Message password_changed(Notice notice) const;
    mail::Message new_device(Notice notice, const Device& device) const;
    mail::Message sign_in_linked(Notice notice, const std::string& provider) const;

private:
    std::string product_;
};

// Nothing for an address that no envelope can carry: what the mail tells of happens all the same.
std::optional<mail::Letter> letter_of(const mail::Outbox& outbox, mail::Message message);

// For a person to recognise it by: "Firefox on Linux".
std::string device_name(std::string_view user_agent);

}  // namespace kit::auth
