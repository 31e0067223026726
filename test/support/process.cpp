#include "support/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace kit::test {
namespace {

// Of the test's own environment a program sees these and nothing else.
constexpr std::array inherited{
    "PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE"
};

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
    Descriptor read_end;
    Descriptor write_end;
};

Pipe make_pipe()
{
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        fail("pipe2");
    }
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (auto& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> environment_of(const ProcessOptions& options)
{
    auto all = options.environment;
    for (const auto* name : inherited) {
        if (const auto* value = std::getenv(name)) {
            all.emplace(name, value);
        }
    }
    std::vector<std::string> result;
    result.reserve(all.size());
    for (const auto& [name, value] : all) {
        result.emplace_back(name).append("=").append(value);
    }
    return result;
}

// All that the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Launch {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::vector<char*> argument_pointers;
    std::vector<char*> environment_pointers;
    std::string directory;
    std::optional<rlimit> files;
    pid_t parent;
    int out;
    int err;
    int failure;  // where the child writes errno if it cannot become the program
};

[[noreturn]] void become(const Launch& launch)
{
    const auto give_up = [&launch] {
        const int error = errno;
        [[maybe_unused]] const auto written = write(launch.failure, &error, sizeof error);
        _exit(127);
    };
    const int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    // The parent may have died before the death signal was asked for.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != launch.parent || empty < 0 ||
        dup2(empty, 0) < 0 || dup2(launch.out, 1) < 0 || dup2(launch.err, 2) < 0) {
        give_up();
    }
    if (!launch.directory.empty() && chdir(launch.directory.c_str()) != 0) {
        give_up();
    }
    if (launch.files && setrlimit(RLIMIT_NOFILE, &*launch.files) != 0) {
        give_up();
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(launch.argument_pointers[0], launch.argument_pointers.data(), launch.environment_pointers.data());
    give_up();
    _exit(127);
}

std::string read_whole(const std::string& path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t status_bytes(pid_t pid, std::string_view field)
{
    const auto text = read_whole("/proc/" + std::to_string(pid) + "/status");
    const auto found = text.find(field);
    if (found == std::string::npos) {
        throw std::runtime_error("the process has ended: no " + std::string(field));
    }
    return std::stoull(text.substr(found + field.size())) * 1024;
}

// The first line of `text` at or after `from` that contains `part`. `from` moves past the complete lines that
// do not.
std::optional<std::string> find_line(const std::string& text, std::string_view part, std::size_t& from)
{
    if (const auto found = text.find(part, from); found != std::string::npos) {
        const auto before = text.rfind('\n', found);
        const auto begin = before == std::string::npos ? 0 : before + 1;
        const auto end = text.find('\n', found);
        return text.substr(begin, end == std::string::npos ? end : end - begin);
    }
    const auto last = text.rfind('\n');
    from = last == std::string::npos ? 0 : last + 1;
    return std::nullopt;
}

}  // namespace

Process::Process(ProcessOptions options)
{
    auto out = make_pipe();
    auto err = make_pipe();
    auto failure = make_pipe();
    stop_ = Descriptor(eventfd(0, EFD_CLOEXEC));
    Launch launch{
        .arguments = options.command,
        .environment = environment_of(options),
        .directory = options.working_directory.string(),
        .parent = getpid(),
        .out = out.write_end.get(),
        .err = err.write_end.get(),
        .failure = failure.write_end.get(),
    };
    launch.argument_pointers = pointers(launch.arguments);
    launch.environment_pointers = pointers(launch.environment);
    if (options.files_max) {
        launch.files = rlimit{*options.files_max, *options.files_max};
    }
    pid_ = fork();
    if (pid_ < 0) {
        fail("fork");
    }
    if (pid_ == 0) {
        become(launch);
    }
    watch_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    out.write_end.reset();
    err.write_end.reset();
    failure.write_end.reset();
    int error = 0;
    if (read(failure.read_end.get(), &error, sizeof error) == sizeof error) {
        waitpid(pid_, nullptr, 0);
        errno = error;
        fail("cannot run " + options.command.front());
    }
    out_pipe_ = std::move(out.read_end);
    err_pipe_ = std::move(err.read_end);
    reader_ = std::thread([this] { read_output(stop_.get()); });
}

Process::~Process()
{
    if (!exit_code_) {
        kill(pid_, SIGKILL);
        wait();
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(stop_.get(), &one, sizeof one);
    reader_.join();
}

void Process::signal(int number) const
{
    if (!exit_code_ && kill(pid_, number) != 0) {
        fail("kill");
    }
}

std::optional<int> Process::wait(std::chrono::milliseconds limit)
{
    if (exit_code_) {
        return exit_code_;
    }
    pollfd ended{watch_.get(), POLLIN, 0};
    if (poll(&ended, 1, static_cast<int>(limit.count())) <= 0) {
        return std::nullopt;
    }
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) {
        fail("waitpid");
    }
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return exit_code_;
}

std::string Process::output() const
{
    const std::scoped_lock lock(mutex_);
    return out_;
}

std::string Process::errors() const
{
    const std::scoped_lock lock(mutex_);
    return err_;
}

std::optional<std::string> Process::wait_for_line(std::string_view part, std::chrono::milliseconds limit)
    const
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    std::size_t out_from = 0;
    std::size_t err_from = 0;
    std::unique_lock lock(mutex_);
    while (true) {
        if (auto line = find_line(out_, part, out_from)) {
            return line;
        }
        if (auto line = find_line(err_, part, err_from)) {
            return line;
        }
        if (ended_ || more_.wait_until(lock, deadline) == std::cv_status::timeout) {
            return std::nullopt;
        }
    }
}

std::size_t Process::resident_bytes() const
{
    return status_bytes(pid_, "VmRSS:");
}

std::size_t Process::resident_bytes_peak() const
{
    return status_bytes(pid_, "VmHWM:");
}

void Process::reset_resident_peak() const
{
    // proc(5): 5 sets the peak to the current value.
    std::ofstream file("/proc/" + std::to_string(pid_) + "/clear_refs");
    file << 5 << std::flush;
    if (!file) {
        throw std::runtime_error("cannot reset the peak of the resident memory");
    }
}

std::chrono::milliseconds Process::cpu_time() const
{
    const auto text = read_whole("/proc/" + std::to_string(pid_) + "/stat");
    // proc(5): the fields after the command's closing parenthesis; utime and stime are the 12th and 13th of
    // them.
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
    const auto ticks = std::stoll(values.at(11)) + std::stoll(values.at(12));
    return std::chrono::milliseconds(ticks * 1000 / sysconf(_SC_CLK_TCK));
}

void Process::read_output(int stop) noexcept
{
    std::array<pollfd, 3> sources{
        {{out_pipe_.get(), POLLIN, 0}, {err_pipe_.get(), POLLIN, 0}, {stop, POLLIN, 0}}
    };
    std::array<char, 65536> buffer{};
    while (sources[0].fd >= 0 || sources[1].fd >= 0) {
        if (poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) {
            break;
        }
        if ((sources[2].revents & POLLIN) != 0) {
            break;
        }
        for (std::size_t i = 0; i < 2; ++i) {
            if (sources[i].fd < 0 || sources[i].revents == 0) {
                continue;
            }
            const auto got = read(sources[i].fd, buffer.data(), buffer.size());
            const std::scoped_lock lock(mutex_);
            if (got <= 0) {
                sources[i].fd = -1;
            } else {
                (i == 0 ? out_ : err_).append(buffer.data(), static_cast<std::size_t>(got));
            }
            more_.notify_all();
        }
    }
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    more_.notify_all();
}

Finished run(ProcessOptions options, std::chrono::milliseconds limit)
{
    const auto name = options.command.front();
    Process process(std::move(options));
    const auto code = process.wait(limit);
    if (!code) {
        throw std::runtime_error(name + " did not end; it said: " + process.output() + process.errors());
    }
    // Both streams are complete once the reader has seen their ends: no line contains a NUL.
    process.wait_for_line(std::string_view("\0", 1), limit);
    return {*code, process.output(), process.errors()};
}

std::filesystem::path path_from(const char* variable)
{
    const auto* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') {
        throw std::runtime_error(std::string(variable) + " is not set");
    }
    return value;
}

}  // namespace kit::test
