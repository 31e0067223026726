#pragma once

#include "writer.hpp"

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct evp_mac_ctx_st;
struct pg_conn;
struct sqlite3;
struct sqlite3_stmt;

// What /me cannot do without: the token's check, one SELECT, the user's JSON.
namespace bench {

// The largest user that is written; the administrator's eleven permissions take 2 KiB.
constexpr std::size_t user_bytes_max = 6144;
// Each has one question at a time.
constexpr std::size_t connections_max = 1024;

class TokenCheck {
public:
    struct Expected {
        std::string secret;
        std::string issuer;
        std::string audience;
    };

    explicit TokenCheck(const Expected& expected);
    ~TokenCheck();
    TokenCheck(const TokenCheck&) = delete;
    TokenCheck& operator=(const TokenCheck&) = delete;

    // The subject of a valid HS256 access token.
    [[nodiscard]] std::optional<std::uint64_t> subject(std::string_view token, std::time_t now) const;

private:
    [[nodiscard]] bool signed_by_us(std::string_view text, std::string_view signature) const;

    evp_mac_ctx_st* mac_;
    std::string issuer_claim_;
    std::string audience_claim_;
};

// Turns the rows of the SELECT into the entity "User", one row at a time.
class UserJson {
public:
    static constexpr std::size_t columns = 18;
    // A null value has no data pointer.
    using Row = std::array<std::string_view, columns>;

    explicit UserJson(char* begin) : out_(begin) {}

    void add(const Row& row);
    // The JSON; empty if there was no row, or if it has no room.
    [[nodiscard]] std::string_view finish();

private:
    void quoted(std::string_view text);
    void time(std::string_view text);
    void open_role(const Row& row);
    void close_role();

    Writer out_;
    std::array<char, 24> role_id_{};
    std::array<char, 128> role_times_{};
    std::size_t role_times_size_ = 0;
    bool any_row_ = false;
    bool too_long_ = false;
    bool any_role_ = false;
    bool any_permission_ = false;
};

// One connection in pipeline mode: all questions of a turn of the loop leave in one packet.
class PostgresUsers {
public:
    // The connection that asked, and the user's JSON (empty if there is none).
    using OnUser = std::function<void(int connection, std::string_view user)>;

    explicit PostgresUsers(const std::string& url);
    ~PostgresUsers();
    PostgresUsers(const PostgresUsers&) = delete;
    PostgresUsers& operator=(const PostgresUsers&) = delete;

    [[nodiscard]] int socket() const;
    void ask(int connection, std::uint64_t user);
    void end_of_turn();
    void readable(const OnUser& on_user);

private:
    pg_conn* connection_;
    std::array<int, connections_max> asked_{};  // a ring: answers come in the order of the questions
    std::size_t first_asked_ = 0;
    std::size_t asked_count_ = 0;
    std::size_t answers_due_ = 0;  // questions and synchronisation points
    bool unsent_ = false;
};

class SqliteUsers {
public:
    explicit SqliteUsers(const std::string& file);
    ~SqliteUsers();
    SqliteUsers(const SqliteUsers&) = delete;
    SqliteUsers& operator=(const SqliteUsers&) = delete;

    // The user's JSON, written to `buffer` of user_bytes_max; empty if there is none.
    std::string_view find(std::uint64_t user, char* buffer);

private:
    sqlite3* database_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
};

}  // namespace bench
