#include "modules/auth/auth.hpp"
#include "modules/auth/auth_mails_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/db/database.hpp"
#include "platform/mail/mail.hpp"
#include "platform/telemetry/logger.hpp"

#include <algorithm>

namespace kit::auth {

namespace {

constexpr std::size_t token_bytes = 32;

// As HTML forms and Go's url.Values write it: a blank is a plus.
std::string form_encode(std::string_view text)
{
    std::string out;
    for (const char byte : text) {
        if (byte == ' ') {
            out += '+';
        } else {
            out += percent_encode({&byte, 1});
        }
    }
    return out;
}

Purpose purpose_of(std::string_view text)
{
    return text == to_string(Purpose::email_verify) ? Purpose::email_verify : Purpose::password_reset;
}

}  // namespace

std::string_view to_string(Purpose purpose)
{
    switch (purpose) {
        case Purpose::email_verify:
            return "email_verify";
        case Purpose::password_reset:
            return "password_reset";
    }
    std::unreachable();
}

std::string one_time_link(std::string_view base_url, std::string_view token)
{
    const auto fragment_at = std::min(base_url.find('#'), base_url.size());
    const auto fragment = base_url.substr(fragment_at);
    base_url = base_url.substr(0, fragment_at);
    const auto query_at = std::min(base_url.find('?'), base_url.size());
    auto parameters =
        query_at < base_url.size() ? parse_form(base_url.substr(query_at + 1)) : decltype(parse_form({}))();
    std::erase_if(parameters, [](const auto& parameter) { return parameter.first == "token"; });
    parameters.emplace_back("token", token);
    std::ranges::sort(parameters);

    std::string link(base_url.substr(0, query_at));
    char separator = link.empty() ? '\0' : '?';
    for (const auto& [name, value] : parameters) {
        if (separator != '\0') {
            link += separator;
        }
        link += form_encode(name) + "=" + form_encode(value);
        separator = '&';
    }
    return link.append(fragment);
}

// A token that is about to be stored, and its mail.
struct Links::Issued {
    std::int64_t request_id;
    Holder holder;
    TokensRepository::NewToken token;
    std::string link;
    mail::Letter letter;
};

const LinkSettings& Links::settings_of(Purpose purpose) const
{
    return purpose == Purpose::email_verify ? settings_.email_verify : settings_.password_reset;
}

Task<void> Links::request(Purpose purpose, std::string email, const audit::Entry& entry)
{
    const TokensRepository::NewRequest request{
        .purpose = purpose, .email = std::move(email), .now = deps_.clock.now()
    };
    co_await TokensRepository::insert_request(deps_.database, request, entry);
    asked_.ring();
}

Task<Result<void>> Links::request_with(
    Purpose purpose, std::string email, const audit::Entry& entry, const AnswerCommit& commit
)
{
    struct Note {
        const TokensRepository::NewRequest& request;
        const audit::Entry& entry;
        const AnswerCommit& commit;

        Task<Result<void>> run(db::Transaction& transaction) const
        {
            co_await TokensRepository::note_request(transaction, request, entry);
            co_return co_await commit(transaction);
        }
    };

    const TokensRepository::NewRequest request{
        .purpose = purpose, .email = std::move(email), .now = deps_.clock.now()
    };
    const Note note{.request = request, .entry = entry, .commit = commit};
    auto noted = co_await deps_.database.transaction([&note](db::Transaction& transaction) {
        return note.run(transaction);
    });
    if (noted) {
        asked_.ring();
    }
    co_return noted;
}

Task<void> Links::issue_requested()
{
    while (true) {
        auto requests = co_await TokensRepository::requests(deps_.database, batch_rows_max);
        if (requests.empty()) {
            co_return;
        }
        for (auto& request : requests) {
            const auto id = request.id;
            std::string fault;
            try {
                co_await issue(std::move(request));
            } catch (const Unavailable&) {
                throw;  // tried again once the database is back
            } catch (const Cancelled&) {
                throw;
            } catch (const std::exception& failed) {
                fault = failed.what();
            }
            if (!fault.empty()) {
                // One that always fails must not hold up the others.
                deps_.logger.error("one-time link not issued", {{"error", fault}});
                co_await TokensRepository::take_request(deps_.database, id);
            }
        }
    }
}

// For nobody who has no use for it, whom nobody tells.
Task<void> Links::issue(TokenRequest request)
{
    const auto purpose = purpose_of(request.purpose);
    const bool late = request.created_at + request_age_max < deps_.clock.now();
    std::optional<Holder> holder;
    if (!late) {
        holder = co_await Repository::find_holder(deps_.database, std::string_view(request.email));
    }
    if (!holder || (purpose == Purpose::email_verify && holder->email_verified)) {
        co_await TokensRepository::take_request(deps_.database, request.id);
        co_return;
    }
    co_await send(purpose, request.id, std::move(*holder));
}

Task<void> Links::send(Purpose purpose, std::int64_t request_id, Holder holder)
{
    const auto now = deps_.clock.now();
    const auto user_id = holder.user_id;
    const auto& settings = settings_of(purpose);
    const auto raw = deps_.random.token(token_bytes);
    auto link = one_time_link(settings.base_url, raw);
    const auto expires_at = now + settings.life;
    const Mails mails(settings_.product);
    Mails::OneTimeLink content{.to = holder.email, .link = link, .expires_at = expires_at};
    auto message = purpose == Purpose::email_verify ? mails.verification(std::move(content))
                                                    : mails.password_reset(std::move(content));
    message.useless_after = expires_at;
    const Issued issued{
        .request_id = request_id,
        .holder = std::move(holder),
        .token =
            {.user_id = user_id,
             .purpose = purpose,
             .hash = sha256_hex(raw),
             .now = now,
             .expires_at = expires_at},
        .link = std::move(link),
        .letter = deps_.outbox.prepare(std::move(message)),
    };
    const bool stored = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return store(transaction, issued);
    });
    if (stored) {
        deps_.outbox.wake();
        log(purpose, issued);
    }
}

// The request goes with its effect; false where another node has taken it.
Task<bool> Links::store(db::Transaction& transaction, const Issued& issued)
{
    if (!co_await TokensRepository::take_request(transaction, issued.request_id)) {
        co_return false;
    }
    const auto verified = co_await TokensRepository::lock_credential(transaction, issued.token.user_id);
    if (!verified || (issued.token.purpose == Purpose::email_verify && *verified)) {
        co_return false;
    }
    co_await TokensRepository::insert(transaction, issued.token);
    co_await mail::Outbox::store(transaction, issued.letter);
    co_return true;
}

void Links::log(Purpose purpose, const Issued& issued)
{
    if (!settings_.logged) {
        return;
    }
    const bool verification = purpose == Purpose::email_verify;
    const auto expires_at = to_rfc3339(issued.token.expires_at);
    deps_.logger.info(
        verification ? "email verification token issued" : "password reset token issued",
        {{"user_id", issued.holder.user_id},
         {"email", issued.holder.email},
         {"expires_at", expires_at},
         {verification ? "verification" : "reset", issued.link}}
    );
}

Task<std::int64_t> Links::purge()
{
    const auto cutoff = deps_.clock.now() - kept_after_end;
    std::int64_t total = 0;
    for (auto purged = batch_rows_max; purged == batch_rows_max;) {
        purged = co_await TokensRepository::purge(deps_.database, cutoff, batch_rows_max);
        total += purged;
    }
    co_return total;
}

// A link makes more work than a request for nobody, and whoever asks again at once could feel it: so the work
// begins a while later, when it can fall on anybody's request.
Task<void> Links::serve()
{
    while (true) {
        co_await asked_.wait();
        co_await deps_.clock.sleep_for(gather_time);
        try {
            co_await issue_requested();
        } catch (const Unavailable& failed) {
            deps_.logger.warn("one-time links wait for the database", {{"error", failed.what()}});
        }
    }
}

Task<void> Links::sweep()
{
    auto purge_at = deps_.clock.steady_now();
    while (true) {
        co_await deps_.clock.sleep_for(sweep_interval);
        try {
            co_await issue_requested();
            if (deps_.clock.steady_now() >= purge_at) {
                purge_at = deps_.clock.steady_now() + purge_interval;
                co_await purge();
            }
        } catch (const Unavailable&) {
            // serve() has said so where somebody is waiting.
        }
    }
}

}  // namespace kit::auth
