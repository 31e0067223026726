// A program under test: started with a known environment, its output read as it comes, never outliving its
// test.
#pragma once

#include "support/descriptor.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace kit::test {

// Long enough for a sanitized binary on a busy machine; a wait that reaches it has failed.
inline constexpr std::chrono::seconds generous{30};

struct ProcessOptions {
    std::vector<std::string> command;  // the program's path, then its arguments
    std::map<std::string, std::string>
        environment;                            // beside PATH, HOME and what sanitizers and coverage need
    std::filesystem::path working_directory{};  // empty: the test's
    std::optional<std::size_t> files_max{};     // RLIMIT_NOFILE
};

class Process {
public:
    // Throws std::system_error where the program cannot be started. It dies with the thread that started it:
    // start it from the test's main thread.
    explicit Process(ProcessOptions options);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // Kills what still runs.
    ~Process();

    pid_t pid() const { return pid_; }

    void signal(int number) const;

    // The exit code, or 128 + signal as shells say it; nothing if it still runs after `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit = generous);

    // What was written to standard output and standard error so far.
    std::string output() const;
    std::string errors() const;

    // The first line on either stream, complete or not, that contains `part`; nothing if the program ends or
    // `limit` passes first.
    std::optional<std::string> wait_for_line(
        std::string_view part, std::chrono::milliseconds limit = generous
    ) const;

    // Resident memory now, and its highest mark since the start or the last reset.
    std::size_t resident_bytes() const;
    std::size_t resident_bytes_peak() const;
    void reset_resident_peak() const;

    // Processor time of all threads so far.
    std::chrono::milliseconds cpu_time() const;

private:
    void read_output(int stop) noexcept;

    pid_t pid_ = -1;
    Descriptor watch_;  // a pidfd: readable once the process has ended
    Descriptor out_pipe_;
    Descriptor err_pipe_;
    Descriptor stop_;  // an eventfd that ends the reader, also while a grandchild holds the pipes
    std::optional<int> exit_code_;
    mutable std::mutex mutex_;
    mutable std::condition_variable more_;
    std::string out_;
    std::string err_;
    bool ended_ = false;
    std::thread reader_;
};

// What a command did that ran to its end.
struct Finished {
    int exit_code;
    std::string output;
    std::string errors;
};

// Runs a command with empty standard input. Throws std::runtime_error if it is not done within `limit`.
Finished run(ProcessOptions options, std::chrono::milliseconds limit = generous);

// The path in an environment variable; throws std::runtime_error where it is unset.
std::filesystem::path path_from(const char* variable);

}  // namespace kit::test
