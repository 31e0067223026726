// Structured log lines: JSON on a pipe or file, readable text on a terminal.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/telemetry/recorder.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace kit::telemetry {

// One of "debug", "info", "warn", "error"; nothing otherwise.
std::optional<LogLevel> parse_log_level(std::string_view name);

using LogField = Field;

// Thread-safe. Lines written for a request carry its request_id, trace_id and span_id, whether the caller
// gives them or not. A line is formatted by the caller and written by the logger's own thread, so that a slow
// terminal or pipe never holds up a request: when more than `buffer_bytes_max` wait, further lines are
// dropped and counted, and the count is logged.
class Logger {
public:
    struct Options {
        LogLevel level = LogLevel::info;
        int descriptor = 1;            // stdout
        std::optional<bool> readable;  // unset: whether the descriptor is a terminal
        std::size_t buffer_bytes_max = 1024UL * 1024;
        Recorder* recorder = nullptr;  // gets every line that is written
    };

    Logger(Options options, const Clock& clock);
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;
    ~Logger();  // writes what waits

    bool enabled(LogLevel level) const { return level >= options_.level; }

    void write(LogLevel level, std::string_view message, std::span<const LogField> fields);

    void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {})
    {
        write(level, message, std::span(fields.begin(), fields.size()));
    }

    void debug(std::string_view message, std::initializer_list<LogField> fields = {})
    {
        write(LogLevel::debug, message, fields);
    }

    void info(std::string_view message, std::initializer_list<LogField> fields = {})
    {
        write(LogLevel::info, message, fields);
    }

    void warn(std::string_view message, std::initializer_list<LogField> fields = {})
    {
        write(LogLevel::warn, message, fields);
    }

    void error(std::string_view message, std::initializer_list<LogField> fields = {})
    {
        write(LogLevel::error, message, fields);
    }

    // Text as it is, such as the start banner, in order with the lines around it.
    void write_plain(std::string_view text);

    // Returns once everything written so far has left the process.
    void flush();

    std::uint64_t dropped() const;

private:
    void append(std::string_view line);
    void run();

    Options options_;
    const Clock& clock_;
    bool readable_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable written_;
    std::string waiting_;
    bool writing_ = false;
    bool stopping_ = false;
    std::uint64_t dropped_ = 0;
    std::uint64_t dropped_reported_ = 0;
    std::thread thread_;
};

}  // namespace kit::telemetry
