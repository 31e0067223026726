// `api`: the server, from start to a clean end.
#include "app/app.hpp"
#include "app/telemetry.hpp"
#include "command.hpp"

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace kit::cmd {

namespace {

// SIGTERM and SIGINT, taken by whoever waits for them, and SIGHUP, which asks for the settings to be read
// again. Blocked in every thread, so it must be made before the first one.
class StopSignals {
public:
    StopSignals()
    {
        sigemptyset(&set_);
        sigaddset(&set_, SIGTERM);
        sigaddset(&set_, SIGINT);
        sigset_t blocked = set_;
        sigaddset(&blocked, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
    }

    void wait() const
    {
        int signal = 0;
        sigwait(&set_, &signal);
    }

    // Until a stop signal; `reload` runs for each SIGHUP before it.
    template <class Reload>
    void wait_reloading(const Reload& reload) const
    {
        auto awaited = set_;
        sigaddset(&awaited, SIGHUP);
        int signal = SIGHUP;
        while (signal == SIGHUP) {
            sigwait(&awaited, &signal);
            if (signal == SIGHUP) {
                reload();
            }
        }
    }

    // False once `time` has passed without one.
    bool wait_for(std::chrono::milliseconds time) const
    {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        const timespec limit{
            .tv_sec = seconds.count(),
            .tv_nsec = std::chrono::nanoseconds(time - seconds).count(),
        };
        return sigtimedwait(&set_, nullptr, &limit) > 0;
    }

private:
    sigset_t set_{};
};

// While it lives, another stop signal ends the process at once: nobody waits for a drain that he does not
// want.
class ImpatientExit {
public:
    explicit ImpatientExit(const StopSignals& signals)
        : thread_([this, &signals] {
              signals.wait();
              if (!done_) {
                  std::_Exit(exit_usage);
              }
          })
    {
    }

    ImpatientExit(const ImpatientExit&) = delete;
    ImpatientExit& operator=(const ImpatientExit&) = delete;

    ~ImpatientExit()
    {
        done_ = true;
        pthread_kill(thread_.native_handle(), SIGINT);  // wakes its wait, and no other thread's
        thread_.join();
    }

private:
    std::atomic<bool> done_{false};
    std::thread thread_;
};

std::string database_place(const config::Config& config)
{
    if (config.database.engine == config::Engine::sqlite) {
        return config.database.sqlite_path.string();
    }
    return "PostgreSQL, by DATABASE_URL";
}

// How the first administrator comes to be. The link is for whoever sees the terminal, so it is printed and
// never logged.
std::string admin_line(const config::Config& config, const app::App& app, const std::string& url)
{
    if (!config.auth.bootstrap_admin_email.empty()) {
        return fmt::format("  admin     register as {}\n", config.auth.bootstrap_admin_email);
    }
    if (app.admin_claim()) {
        return fmt::format(
            "  admin     sign in, then open {}/setup/admin?token={}\n", url, *app.admin_claim()
        );
    }
    return "  admin     there is one already\n";
}

std::string pages_line(const config::Config& config, const std::string& url)
{
    return config.auth.hosted_pages ? fmt::format("  pages     {}/account\n", url) : std::string();
}

std::string provider_line(const config::Config& config, const std::string& url)
{
    if (!config.google.development_provider) {
        return {};
    }
    return fmt::format("  sign in   {}/api/v1/auth/google/login, with a built-in provider as Google\n", url);
}

std::string banner(const config::Config& config, const app::App& app)
{
    const auto url = fmt::format("http://localhost:{}", app.port());
    if (!config.local_like()) {
        return app.admin_claim() ? admin_line(config, app, url) : std::string();
    }
    return fmt::format(
        "\n  everything-backend is ready: {}\n"
        "  data      {}\n"
        "{}{}{}"
        "  try       curl -c jar -H 'Content-Type: application/json' -H 'Idempotency-Key: first-account' "
        "-d '{{\"email\":\"me@example.com\",\"name\":\"Me\",\"password\":\"Correct-Horse-42\"}}' "
        "{}/api/v1/auth/local/register\n\n",
        url,
        database_place(config),
        pages_line(config, url),
        admin_line(config, app, url),
        provider_line(config, url),
        url
    );
}

// Of one loaded object: the pages of its code and constants. They are the file's own, unchanged, and come
// back from the page cache when they are used.
int give_back_code(dl_phdr_info* object, std::size_t /*size*/, void* /*unused*/)
{
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (std::size_t index = 0; index < object->dlpi_phnum; ++index) {
        const auto& segment = object->dlpi_phdr[index];
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0) {
            const auto start = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
            const auto end = object->dlpi_addr + segment.p_vaddr + segment.p_filesz;
            ::madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED);
        }
    }
    return 0;
}

// Migrating, seeding and reading settings are more code and memory than waiting for requests.
void give_back_what_only_the_start_needed()
{
    ::malloc_trim(0);
    ::dl_iterate_phdr(give_back_code, nullptr);
}

struct SystemSides {
    SystemClock clock;
    SystemRandom random;
};

// The limits may change while the server runs. What cannot be read changes nothing.
void reload(app::App& app, const Arguments& arguments, telemetry::Logger& logger)
{
    const auto settings = load_settings(arguments, {});
    if (!settings.config) {
        logger.error("settings not reloaded: the old ones stay", {{"error", settings.error}});
        return;
    }
    app.reload(*settings.config);
    logger.info("limits reloaded");
}

// What a server is started from.
struct Settings {
    const config::Config& config;
    const Arguments& arguments;
};

void serve(
    const Settings& settings, SystemSides& system, app::Telemetry& telemetry, const StopSignals& signals
)
{
    const auto& [config, arguments] = settings;
    auto& logger = telemetry.logger();
    app::App app(
        config,
        {.clock = system.clock,
         .random = system.random,
         .logger = logger,
         .metrics = telemetry.metrics(),
         .recorder = &telemetry.recorder()}
    );
    app.start();
    logger.flush();
    const auto text = banner(config, app);
    std::fwrite(text.data(), 1, text.size(), stderr);
    give_back_what_only_the_start_needed();
    signals.wait_reloading([&] { reload(app, arguments, logger); });
    app.announce_stop();
    logger.info("server stopping");
    if (config.shutdown.prestop_delay.count() > 0 && signals.wait_for(config.shutdown.prestop_delay)) {
        std::_Exit(exit_usage);
    }
    const ImpatientExit impatience(signals);
    app.stop();
    logger.info("server stopped");
    telemetry.stop();
}

}  // namespace

int run_api(const Arguments& arguments)
{
    const StopSignals signals;
    // Few arenas: an idle process stays small, and requests allocate little.
    ::mallopt(M_ARENA_MAX, 2);
    SystemSides system;
    const auto settings = load_settings(arguments, {.random = [&system](std::span<std::byte> bytes) {
                                            system.random.fill(bytes);
                                        }});
    if (!settings.config) {
        const bool for_people = ::isatty(STDERR_FILENO) == 1 && !settings.faults.empty();
        fmt::print(
            stderr,
            "{} {}\n",
            to_rfc3339(system.clock.now()),
            for_people ? config::explain_faults(settings.faults) : settings.error
        );
        return exit_usage;
    }
    app::Telemetry telemetry(*settings.config, system.clock, system.random);
    auto& logger = telemetry.logger();
    for (const auto& warning : settings.config->warnings) {
        logger.warn("setting", {{"warning", warning}});
    }
    try {
        serve({*settings.config, arguments}, system, telemetry, signals);
        return exit_ok;
    } catch (const std::exception& failed) {
        logger.info(failed.what());
        logger.flush();
        fmt::print(stderr, "{} {}\n", to_rfc3339(system.clock.now()), failed.what());
        return exit_usage;
    }
}

}  // namespace kit::cmd
