// Places where a test can have the process die as under kill -9: KIT_FAIL_AT=<name> in the environment. Only
// sanitized builds, which never ship, contain them (test/chaos/idempotency_crash_test.cpp).
#pragma once

#ifdef KIT_SANITIZED

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace kit {

inline void reach_fail_point(std::string_view name)
{
    static const char* const wanted = std::getenv("KIT_FAIL_AT");  // before any thread that could change it
    if (wanted != nullptr && name == wanted) {
        std::raise(SIGKILL);
    }
}

}  // namespace kit

#define KIT_FAIL_POINT(name) ::kit::reach_fail_point(name)
#else
#define KIT_FAIL_POINT(name) static_cast<void>(0)
#endif
