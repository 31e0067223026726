#include "modules/auth/auth_mails_service.hpp"

#include "modules/sessions/sessions.hpp"
#include "platform/mail/page.hpp"

#include <stdexcept>

namespace kit::auth {

namespace {

// "Tue, 24 Nov 2026 15:04 UTC": the Date header's form without the seconds.
std::string readable(Timestamp time)
{
    constexpr std::size_t minutes_end = 22;
    return to_http_date(time).substr(0, minutes_end) + " UTC";
}

mail::Message compose(std::string_view kind, std::string to, std::string subject, const mail::Page& page)
{
    return {
        .kind = std::string(kind),
        .to = std::move(to),
        .subject = std::move(subject),
        .text = page.text(),
        .html = page.html(),
    };
}

mail::Message with_link(mail::Message message, Timestamp expires_at)
{
    message.secret = true;
    message.useless_after = expires_at;
    return message;
}

}  // namespace

mail::Message Mails::verification(OneTimeLink link) const
{
    mail::Page page(product_, "Confirm your email address");
    page.paragraph("Somebody, most likely you, gave this address for an account. Confirm that it is yours:")
        .link("Confirm the address", link.link)
        .paragraph("This works once, until " + readable(link.expires_at) + ".")
        .paragraph("If it was not you, do nothing: without the confirmation the address is not used.");
    return with_link(
        compose("email_verify", std::move(link.to), "Confirm your email address for " + product_, page),
        link.expires_at
    );
}

mail::Message Mails::password_reset(OneTimeLink link) const
{
    mail::Page page(product_, "Choose a new password");
    page.paragraph("Somebody, most likely you, asked to reset the password of the account with this address.")
        .link("Choose a new password", link.link)
        .paragraph(
            "This works once, until " + readable(link.expires_at) +
            ". A new password signs you out on every device."
        )
        .paragraph("If it was not you, do nothing: the password stays as it is.");
    return with_link(
        compose("password_reset", std::move(link.to), "Reset your password for " + product_, page),
        link.expires_at
    );
}

mail::Message Mails::password_changed(Notice notice) const
{
    mail::Page page(product_, "Your password was changed");
    page.paragraph("The password of your account was changed on " + readable(notice.at) + ".")
        .paragraph("Every device was signed out. Sign in again with the new password.")
        .paragraph("If it was not you, reset the password at once: somebody else knows it.");
    return compose(
        "password_changed", std::move(notice.to), "Your password for " + product_ + " was changed", page
    );
}

mail::Message Mails::new_device(Notice notice, const Device& device) const
{
    mail::Page page(product_, "A new device signed in");
    page.paragraph("Your account was used on a device that it was not used on before.")
        .fact("Device", device.name)
        .fact("Address", device.address)
        .fact("Time", readable(notice.at))
        .paragraph("If it was you, there is nothing to do.")
        .paragraph("If it was not, change the password at once: that signs out every device.");
    return compose("new_device", std::move(notice.to), "New sign-in to " + product_, page);
}

mail::Message Mails::sign_in_linked(Notice notice, const std::string& provider) const
{
    mail::Page page(product_, "A way to sign in was added");
    page.paragraph("From now on you can sign in to your account with " + provider + ".")
        .fact("Added", readable(notice.at))
        .paragraph(
            "If it was not you, somebody else can use your " + provider + " account: secure that one first."
        );
    return compose(
        "sign_in_linked", std::move(notice.to), provider + " sign-in was added to " + product_, page
    );
}

std::optional<mail::Letter> letter_of(const mail::Outbox& outbox, mail::Message message)
{
    try {
        return outbox.prepare(std::move(message));
    } catch (const std::invalid_argument&) {
        return std::nullopt;
    }
}

std::string device_name(std::string_view user_agent)
{
    constexpr std::string_view unknown = "unknown";
    const auto client = sessions::describe_user_agent(user_agent);
    if (client.browser == unknown || client.os == unknown) {
        return std::string(client.browser == unknown ? client.os : client.browser);
    }
    return std::string(client.browser).append(" on ").append(client.os);
}

}  // namespace kit::auth
