// bench_argon2 [COUNT]: what checking one password costs when nothing else is done, as JSON. One thread, the
// parameters of the kit.

#include <sodium.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

constexpr std::string_view password = "Correct-Horse-Battery-9";
constexpr unsigned long long passes = 3;
constexpr std::size_t memory_bytes = 64UL * 1024 * 1024;

double thread_cpu_microseconds()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (static_cast<double>(now.tv_sec) * 1e6) + (static_cast<double>(now.tv_nsec) / 1e3);
}

}  // namespace

int main(int argc, char** argv)
{
    const int count = argc > 1 ? std::atoi(argv[1]) : 5;
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    if (count < 1 || sodium_init() < 0 ||
        crypto_pwhash_str(hash.data(), password.data(), password.size(), passes, memory_bytes) != 0) {
        std::fputs("usage: bench_argon2 [COUNT], with 64 MiB of memory to spare\n", stderr);
        return EXIT_FAILURE;
    }
    const double before = thread_cpu_microseconds();
    for (int i = 0; i < count; ++i) {
        if (crypto_pwhash_str_verify(hash.data(), password.data(), password.size()) != 0) {
            std::fputs("a password did not match its own hash\n", stderr);
            return EXIT_FAILURE;
        }
    }
    std::printf(
        R"({"count":%d,"cpu_us":%.1f})"
        "\n",
        count,
        (thread_cpu_microseconds() - before) / count
    );
    return EXIT_SUCCESS;
}
