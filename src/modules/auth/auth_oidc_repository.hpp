// The accounts that users have elsewhere, and the states that have been used.
#pragma once

#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit::db {
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::auth {

// An account at a provider as its row has it.
struct OidcAccount {
    std::int64_t user_id = 0;
    std::string name;  // as the provider said last
    std::string avatar_url;
};

class OidcRepository {
public:
    // True for the one caller who uses the state.
    static Task<bool> use_state(db::Session& session, std::string_view state_hash, Timestamp expires_at);

    // Some of those that expired before `now`: how many.
    static Task<std::int64_t> purge_states(db::Session& session, Timestamp now, std::int64_t rows_max);

    // An account at a provider, which names it by `subject`.
    struct Key {
        std::string_view provider;
        std::string_view subject;
    };

    static Task<std::optional<OidcAccount>> find(db::Session& session, const Key& key);

    // False where there is one of that key.
    static Task<bool> insert(
        db::Transaction& transaction, const Key& key, const OidcAccount& account, Timestamp now
    );

    static Task<void> update_profile(
        db::Transaction& transaction, const Key& key, const OidcAccount& account, Timestamp now
    );

    // Whether a user's address is known to be his: by a link that was mailed to it, or by a provider.
    // `unproven_counts`: or nobody demanded a proof.
    static Task<bool> address_proven(db::Session& session, std::int64_t user_id, bool unproven_counts);

    // Nobody can sign in with the password any more, and the address is verified. A new password can be set
    // by a link to it.
    static Task<void> void_password(db::Transaction& transaction, std::int64_t user_id, Timestamp now);

    struct Profile {
        std::string name;
        std::string avatar_url;
    };

    static Task<void> set_profile(
        db::Transaction& transaction, std::int64_t user_id, const Profile& profile, Timestamp now
    );
};

}  // namespace kit::auth
