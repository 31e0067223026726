#include "platform/telemetry/exporter.hpp"

#include "platform/core/encoding.hpp"
#include "platform/core/error.hpp"
#include "platform/telemetry/otlp_export.hpp"
#include "platform/telemetry/otlp_sender.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <pthread.h>

namespace kit::telemetry {

namespace {

using otlp::SendResult;
using otlp::Signal;
using std::chrono::milliseconds;

constexpr Instrument exports{
    .name = "telemetry.exports",
    .description = "Exports to the collector, by signal and outcome.",
    .attributes = {"signal", "outcome"},
};

constexpr Instrument lost_records{
    .name = "telemetry.export.dropped",
    .description = "Records that did not reach the collector.",
    .attributes = {"signal", "reason"},
};

std::string resource_message(const std::vector<std::pair<std::string, std::string>>& attributes)
{
    std::vector<Field> fields;
    fields.reserve(attributes.size());
    for (const auto& [key, value] : attributes) {
        fields.emplace_back(key, value);
    }
    return otlp::encode_resource(fields);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_pairs(std::string_view text)
{
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        const auto item = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto equals = item.find('=');
        if (equals == std::string_view::npos) {
            continue;
        }
        const auto key = trim(item.substr(0, equals));
        auto value = percent_decode(trim(item.substr(equals + 1)));
        if (!key.empty() && value) {
            pairs.emplace_back(key, *std::move(value));
        }
    }
    return pairs;
}

void ExportBell::ring()
{
    {
        const std::lock_guard lock(mutex_);
        ringing_ = true;
    }
    rung_.notify_one();
}

bool ExportBell::wait_for(std::chrono::steady_clock::duration limit)
{
    std::unique_lock lock(mutex_);
    rung_.wait_for(lock, limit, [this] { return ringing_; });
    return std::exchange(ringing_, false);
}

class Exporter::Loop {
public:
    Loop(Options options, Sources sources, Environment environment)
        : options_(std::move(options)),
          sources_(sources),
          environment_(environment),
          resource_(resource_message(options_.resource)),
          started_(environment.clock.now()),
          sender_(options_.target),
          exports_(environment.metrics, exports),
          lost_(environment.metrics, lost_records)
    {
        const auto now = environment_.clock.steady_now();
        const auto add = [&](Signal signal, RecordBuffer* buffer, milliseconds delay) {
            streams_.push_back({.signal = signal, .buffer = buffer, .delay = delay, .due = now + delay});
        };
        if (sources_.spans != nullptr) {
            add(Signal::traces, sources_.spans, options_.record_delay);
            count_drops("traces", *sources_.spans);
        }
        if (sources_.logs != nullptr) {
            add(Signal::logs, sources_.logs, options_.record_delay);
            count_drops("logs", *sources_.logs);
        }
        if (sources_.metrics != nullptr) {
            add(Signal::metrics, nullptr, options_.metrics_interval);
        }
        thread_ = std::thread([this] {
            pthread_setname_np(pthread_self(), "otlp");
            run();
        });
    }

    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    ~Loop() { stop(milliseconds(0)); }

    void stop(milliseconds time_max)
    {
        if (!thread_.joinable()) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            flush_until_ = environment_.clock.steady_now() + time_max;
            stopping_ = true;
        }
        environment_.bell.ring();
        {
            // What is under way may end well; where it does not, it is cancelled.
            std::unique_lock lock(mutex_);
            ended_.wait_for(lock, time_max, [this] { return done_; });
        }
        stop_.request_stop();
        thread_.join();
    }

private:
    // One signal: what it exports next, and when.
    struct Stream {
        Signal signal;
        RecordBuffer* buffer = nullptr;  // null: metrics, which are read when they are sent
        milliseconds delay;
        SteadyTime due;
        RecordBuffer::Batch batch{};  // taken and not yet accepted
        SteadyTime batch_taken{};
        unsigned failures = 0;  // in a row
    };

    void run()
    {
        while (!stopping_) {
            const auto now = environment_.clock.steady_now();
            const auto next = std::ranges::min_element(streams_, {}, &Stream::due);
            if (next->due > now && !wait(*next, now)) {
                continue;
            }
            if (!stopping_) {
                serve(*next);
            }
        }
        flush();
        const std::lock_guard lock(mutex_);
        done_ = true;
        ended_.notify_all();
    }

    // False where the bell rang first; then those with a whole batch are due.
    bool wait(const Stream& next, SteadyTime now)
    {
        if (!environment_.bell.wait_for(next.due - now)) {
            return true;
        }
        for (auto& stream : streams_) {
            if (stream.buffer != nullptr && stream.failures == 0 &&
                stream.buffer->records() >= options_.batch_records_max) {
                stream.due = now;
            }
        }
        return false;
    }

    void serve(Stream& stream)
    {
        const auto request = next_request(stream);
        if (!request) {
            stream.due = environment_.clock.steady_now() + stream.delay;
            return;
        }
        settle(stream, send(stream, *request, options_.time_max));
    }

    // Nothing where nothing waits.
    std::optional<std::string> next_request(Stream& stream)
    {
        if (stream.buffer == nullptr) {
            const auto framed =
                otlp::encode_metrics(sources_.metrics->collect(), started_, environment_.clock.now());
            return otlp::export_request(resource_, scope_name, framed);
        }
        if (stream.batch.records == 0) {
            stream.batch = stream.buffer->take(options_.batch_records_max, batch_bytes_max);
            stream.batch_taken = environment_.clock.steady_now();
        }
        if (stream.batch.records == 0) {
            return std::nullopt;
        }
        return otlp::export_request(resource_, scope_name, stream.batch.bytes);
    }

    SendResult send(const Stream& stream, std::string request, milliseconds time_max)
    {
        try {
            return sender_.send(stream.signal, std::move(request), time_max, stop_.get_token());
        } catch (const Unavailable& failed) {
            return {.kind = SendResult::Kind::try_again, .reason = failed.what()};
        }
    }

    void settle(Stream& stream, const SendResult& result)
    {
        const auto now = environment_.clock.steady_now();
        const auto signal = otlp::to_string(stream.signal);
        switch (result.kind) {
            case SendResult::Kind::accepted:
                exports_.add({signal, "success"});
                lose(signal, "rejected", result.rejected);
                recovered(stream);
                break;
            case SendResult::Kind::try_again:
                exports_.add({signal, "retry"});
                failed(stream, result);
                stream.due = now + result.retry_after.value_or(retry_delay(stream.failures));
                if (stream.batch.records > 0 && now - stream.batch_taken > options_.retry_time_max) {
                    give_up(stream, "failed");
                }
                return;
            case SendResult::Kind::refused:
                exports_.add({signal, "failure"});
                failed(stream, result);
                give_up(stream, "refused");
                stream.due = now + stream.delay;
                return;
        }
        stream.batch = {};
        const bool more = stream.buffer != nullptr && stream.buffer->records() >= options_.batch_records_max;
        stream.due = more ? now : now + stream.delay;
    }

    // One line when it begins and one when it ends, however long it lasts.
    void failed(Stream& stream, const SendResult& result)
    {
        if (stream.failures++ == 0) {
            environment_.logger.warn(
                "otel export failed", {{"signal", otlp::to_string(stream.signal)}, {"error", result.reason}}
            );
        }
    }

    void recovered(Stream& stream)
    {
        if (std::exchange(stream.failures, 0) > 0) {
            environment_.logger.info("otel export recovered", {{"signal", otlp::to_string(stream.signal)}});
        }
    }

    void give_up(Stream& stream, std::string_view reason)
    {
        lose(otlp::to_string(stream.signal), reason, static_cast<std::int64_t>(stream.batch.records));
        stream.batch = {};
    }

    void lose(std::string_view signal, std::string_view reason, std::int64_t records)
    {
        if (records > 0) {
            lost_.add({signal, reason}, records);
        }
    }

    void count_drops(std::string signal, const RecordBuffer& buffer)
    {
        observations_.push_back(environment_.metrics.observe(
            lost_records,
            {std::move(signal), "buffer_full"},
            [&buffer] { return static_cast<double>(buffer.dropped()); }
        ));
    }

    // Exponential, and up to half of it shorter by chance, so that a fleet does not come back in step.
    milliseconds retry_delay(unsigned failures)
    {
        constexpr unsigned doublings_max = 16;
        const auto doubled = options_.retry_delay_min * (1U << std::min(failures - 1, doublings_max));
        const auto whole = std::min<milliseconds>(doubled, options_.retry_delay_max);
        const auto half = std::max<std::int64_t>(whole.count() / 2, 1);
        const auto chance = environment_.random.number() % static_cast<std::uint64_t>(half);
        return whole - milliseconds(static_cast<std::int64_t>(chance));
    }

    // Everything that waits, until the time is over or the collector fails once.
    void flush()
    {
        for (auto& stream : streams_) {
            while (const auto request = next_request(stream)) {
                const auto left =
                    std::chrono::duration_cast<milliseconds>(flush_until() - environment_.clock.steady_now());
                if (left <= milliseconds(0)) {
                    return;
                }
                settle(stream, send(stream, *request, std::min(left, options_.time_max)));
                if (stream.failures > 0) {
                    return;
                }
                if (stream.buffer == nullptr) {
                    break;
                }
            }
        }
    }

    SteadyTime flush_until() const
    {
        const std::lock_guard lock(mutex_);
        return flush_until_;
    }

    Options options_;
    Sources sources_;
    Environment environment_;
    std::string resource_;
    Timestamp started_;
    otlp::Sender sender_;
    Counter exports_;
    Counter lost_;
    std::vector<Registry::Observation> observations_;
    std::vector<Stream> streams_;
    std::atomic<bool> stopping_{false};
    std::stop_source stop_;
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    SteadyTime flush_until_{};
    bool done_ = false;
    std::thread thread_;
};

Exporter::Exporter(Options options, Sources sources, Environment environment)
    : loop_(std::make_unique<Loop>(std::move(options), sources, environment))
{
}

Exporter::~Exporter() = default;

void Exporter::stop(milliseconds time_max)
{
    loop_->stop(time_max);
}

}  // namespace kit::telemetry
