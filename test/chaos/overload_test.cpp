// Five times what the server can do, for a minute: it does as much as ever, for those whom it lets in without
// a long wait, and nobody who asks for something cheap notices.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/open_load.hpp"
#include "support/server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view email = "ada@example.com";
constexpr double times_capacity = 5;
constexpr LoadTime overload_time{60};
// What is let in as a burst is worked off first: 64 sign-ins, of a second or several.
constexpr LoadTime settling_time{5};
constexpr auto recovery_time = 2s;

LoadTime time_of(const std::function<void()>& what)
{
    const auto began = std::chrono::steady_clock::now();
    what();
    return std::chrono::steady_clock::now() - began;
}

class Overload : public testing::Test {
protected:
    Overload()
    {
        auto client = server.client();
        EXPECT_EQ(sign_up(client, email).status, 201);
        jar = client.jar();
    }

    std::vector<LoadTime> sign_in_times(int count) const
    {
        std::vector<LoadTime> times;
        for (int number = 0; number < count; ++number) {
            auto client = server.client();
            times.push_back(time_of([&client] { EXPECT_EQ(log_in(client, email).status, 200); }));
        }
        return times;
    }

    // Sign-ins a second, where enough people try at once to keep the processors busy and nobody is refused.
    double capacity() const
    {
        constexpr auto time = 10s;
        constexpr std::size_t people_count = 16;
        std::atomic<int> done = 0;
        std::vector<std::jthread> people;
        const auto end = std::chrono::steady_clock::now() + time;
        for (std::size_t person = 0; person < people_count; ++person) {
            people.emplace_back([&] {
                auto client = server.client();
                while (log_in(client, email).status == 200 && std::chrono::steady_clock::now() < end) {
                    ++done;
                }
            });
        }
        people.clear();
        return done / LoadTime(time).count();
    }

    OpenLoad storm(double per_second) const
    {
        const std::string body =
            fmt::format(R"({{"email":"{}","password":"{}"}})", email, std::string_view(good_password));
        auto text = to_wire(
            {.method = "POST",
             .target = "/api/v1/auth/local/login",
             .headers = {{"Content-Type", "application/json"}},
             .body = body}
        );
        return {
            .endpoint = server.endpoint(),
            .request = [text = std::move(text)](std::size_t) { return text; },
            .per_second = per_second,
            .time = overload_time
        };
    }

    Installation installation{Engine::sqlite, {}, release_binary()};
    Server server = installation.start();
    HttpClient::Jar jar;
};

// Who asks for something else meanwhile, again and again.
class Bystander {
public:
    Bystander(const Server& server, std::string target, const HttpClient::Jar& jar)
        : thread_([this, client = server.client(), target = std::move(target), jar](
                      const std::stop_token& stop
                  ) mutable {
              client.set_jar(jar);
              while (!stop.stop_requested()) {
                  int status = 0;
                  times_.push_back(time_of([&] { status = client.get(target).status; }));
                  failures_ += status == 200 ? 0 : 1;
                  std::this_thread::sleep_for(20ms);
              }
          })
    {
    }

    // Ends it; its 99th percentile.
    LoadTime p99()
    {
        thread_ = {};
        return percentile(times_, 0.99);
    }

    int failures() const { return failures_; }

private:
    std::vector<LoadTime> times_;
    int failures_ = 0;
    std::jthread thread_;
};

int milliseconds(LoadTime time)
{
    return static_cast<int>(time / LoadTime(1ms));
}

TEST_F(Overload, FiveTimesTheCapacityForAMinute)
{
    const auto quiet = percentile(sign_in_times(30), 0.99);
    const auto peak = capacity();
    Bystander live(server, "/health/live", {});
    Bystander reader(server, "/api/v1/me", jar);
    const auto answers = run(storm(peak * times_capacity));
    std::this_thread::sleep_for(recovery_time);
    const auto after = percentile(sign_in_times(20), 0.99);

    std::vector<LoadTime> admitted;
    std::vector<LoadTime> refused;
    for (const auto& answer : answers) {
        EXPECT_TRUE(answer.status == 200 || (answer.status == 503 && answer.says_when)) << answer.status;
        if (answer.due >= settling_time) {
            (answer.status == 200 ? admitted : refused).push_back(answer.took);
        }
    }
    const auto goodput = static_cast<double>(admitted.size()) / (overload_time - settling_time).count();
    const auto p99 = percentile(admitted, 0.99);
    RecordProperty("quiet_p99_ms", milliseconds(quiet));
    RecordProperty("peak_per_second_x10", static_cast<int>(peak * 10));
    RecordProperty("goodput_per_second_x10", static_cast<int>(goodput * 10));
    RecordProperty("admitted_p50_ms", milliseconds(percentile(admitted, 0.5)));
    RecordProperty("admitted_p99_ms", milliseconds(p99));
    RecordProperty("refused_p99_ms", milliseconds(percentile(refused, 0.99)));
    RecordProperty("live_p99_ms", milliseconds(live.p99()));
    RecordProperty("reader_p99_ms", milliseconds(reader.p99()));
    RecordProperty("after_p99_ms", milliseconds(after));
    EXPECT_GE(goodput, 0.9 * peak);
    EXPECT_LE(p99, 5 * quiet);
    EXPECT_LE(after, 2 * quiet) << "normal again";
    EXPECT_EQ(live.failures(), 0);
    EXPECT_EQ(reader.failures(), 0) << "who only reads is not refused for others' sign-ins";
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

}  // namespace
