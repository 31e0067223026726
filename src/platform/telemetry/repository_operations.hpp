// repository.operations: what services ask of repositories, and how it went.
#pragma once

#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"

#include <string_view>
#include <type_traits>

namespace kit::telemetry {

// `co_await operations_("user", "find_by_id", Repository::find(…))`: counts one call of a repository.
class RepositoryOperations {
public:
    static constexpr Instrument instrument{
        .name = "repository.operations",
        .description = "Calls of a repository.",
        .attributes = {"repo", "op", "outcome"},
    };

    explicit RepositoryOperations(Registry& registry) : operations_(registry, instrument) {}

    // Names are literals. An empty optional, or a result that says so by is_absent(), is outcome not_found;
    // an exception is error, and passes.
    template <class T>
    Task<T> operator()(std::string_view repo, std::string_view op, Task<T> task) const
    {
        Call call{operations_, repo, op};
        if constexpr (std::is_void_v<T>) {
            co_await std::move(task);
            call.outcome = "success";
        } else {
            T result = co_await std::move(task);
            call.outcome = is_absent(result) ? "not_found" : "success";
            co_return result;
        }
    }

private:
    struct Call {
        const Counter& operations;
        std::string_view repo;
        std::string_view op;
        std::string_view outcome = "error";

        ~Call() { operations.add({repo, op, outcome}); }
    };

    template <class T>
    static bool is_absent(const T& result)
    {
        if constexpr (requires { result.has_value(); }) {
            return !result.has_value();
        } else if constexpr (requires { result.is_absent(); }) {
            return result.is_absent();
        } else {
            return false;
        }
    }

    Counter operations_;
};

}  // namespace kit::telemetry
