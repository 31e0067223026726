// A lock that several nodes share, for what must not run twice at once.
#pragma once

#include "platform/core/task.hpp"

#include <cstdint>

namespace kit::db {

class Transaction;

// What is locked. The numbers are PostgreSQL advisory lock keys: never change one.
enum class LockKey : std::int64_t {
    migrations = 7'146'001,
    rbac_seed = 7'146'002,
    audit_chain = 7'146'003,
    signing_keys = 7'146'004,
};

// Waits for the lock and holds it to the end of the transaction. On SQLite every transaction has it already:
// there is one writer.
Task<void> lock(Transaction& transaction, LockKey key);

}  // namespace kit::db
