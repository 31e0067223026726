// The development mailbox: every mail of the outbox, for whoever builds on this without a mail server. Its
// route is not in the table of any other profile.
#pragma once

#include "platform/db/database.hpp"
#include "platform/http/route.hpp"
#include "platform/mail/mail.hpp"

#include <cstdint>
#include <vector>

namespace kit::app {

class DevMailboxPage {
public:
    DevMailboxPage(const mail::Outbox& outbox, db::Database& database) : outbox_(outbox), database_(database)
    {
    }

    static constexpr std::int64_t mails_max = 100;  // of one answer: the newest

    // HTML, or JSON where asked for.
    Task<http::Reply> show(http::RequestContext& ctx) const;

private:
    const mail::Outbox& outbox_;
    db::Database& database_;
};

std::vector<http::Route> routes(DevMailboxPage& mailbox);

}  // namespace kit::app
