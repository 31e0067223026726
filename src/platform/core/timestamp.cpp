#include "platform/core/timestamp.hpp"

#include <array>
#include <cstdint>

namespace kit {

namespace {

using std::chrono::microseconds;
using std::chrono::year_month_day;

struct Parts {
    int year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned microsecond;
    unsigned weekday;  // 0 is Sunday
};

Parts split(Timestamp time)
{
    const auto midnight = std::chrono::floor<std::chrono::days>(time);
    const year_month_day date(midnight);
    const auto clock = static_cast<std::uint64_t>((time - midnight).count());
    return {
        .year = int(date.year()),
        .month = unsigned(date.month()),
        .day = unsigned(date.day()),
        .hour = static_cast<unsigned>(clock / 3'600'000'000U),
        .minute = static_cast<unsigned>(clock / 60'000'000U % 60U),
        .second = static_cast<unsigned>(clock / 1'000'000U % 60U),
        .microsecond = static_cast<unsigned>(clock % 1'000'000U),
        .weekday = std::chrono::weekday(midnight).c_encoding(),
    };
}

void append_digits(std::string& out, unsigned value, int width)
{
    std::array<char, 10> digits;
    for (int index = width - 1; index >= 0; --index) {
        digits[static_cast<std::size_t>(index)] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    out.append(digits.data(), static_cast<std::size_t>(width));
}

void append_to_seconds(std::string& out, const Parts& parts)
{
    append_digits(out, static_cast<unsigned>(parts.year), 4);
    out += '-';
    append_digits(out, parts.month, 2);
    out += '-';
    append_digits(out, parts.day, 2);
    out += 'T';
    append_digits(out, parts.hour, 2);
    out += ':';
    append_digits(out, parts.minute, 2);
    out += ':';
    append_digits(out, parts.second, 2);
}

// Reads text from the left; every step fails for good once one has.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    int number(std::size_t digits)
    {
        int value = 0;
        if (rest_.size() < digits) {
            good_ = false;
            return 0;
        }
        for (const char digit : rest_.substr(0, digits)) {
            good_ = good_ && digit >= '0' && digit <= '9';
            value = value * 10 + (digit - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }

    bool accept(std::string_view any_of)
    {
        if (rest_.empty() || !any_of.contains(rest_.front())) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    void expect(std::string_view any_of) { good_ = accept(any_of) && good_; }

    // Digits after a dot, as microseconds.
    microseconds fraction()
    {
        std::int64_t value = 0;
        std::int64_t unit = 100'000;
        std::size_t digits = 0;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            value += (rest_.front() - '0') * unit;
            unit /= 10;
            rest_.remove_prefix(1);
            ++digits;
        }
        good_ = good_ && digits >= 1 && digits <= 9;
        return microseconds(value);
    }

    char front() const { return rest_.empty() ? '\0' : rest_.front(); }

    bool done() const { return good_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

// All but the fraction changes once a second: each thread keeps its latest text.
void append_rfc3339(std::string& out, Timestamp time)
{
    thread_local std::chrono::sys_seconds second{};
    thread_local std::string text;
    const auto current = std::chrono::floor<std::chrono::seconds>(time);
    if (current != second || text.empty()) {
        second = current;
        text.clear();
        append_to_seconds(text, split(current));
    }
    out += text;
    if (const auto fraction = (time - current).count(); fraction != 0) {
        out += '.';
        append_digits(out, static_cast<unsigned>(fraction), 6);
        while (out.back() == '0') {
            out.pop_back();
        }
    }
    out += 'Z';
}

std::string to_rfc3339(Timestamp time)
{
    std::string out;
    out.reserve(27);
    append_rfc3339(out, time);
    return out;
}

std::string to_fixed_iso8601(Timestamp time)
{
    const auto parts = split(time);
    std::string out;
    out.reserve(27);
    append_to_seconds(out, parts);
    out += '.';
    append_digits(out, parts.microsecond, 6);
    out += 'Z';
    return out;
}

std::optional<Timestamp> parse_rfc3339(std::string_view text)
{
    Reader reader(text);
    const int year = reader.number(4);
    reader.expect("-");
    const int month = reader.number(2);
    reader.expect("-");
    const int day = reader.number(2);
    reader.expect("Tt ");
    const int hour = reader.number(2);
    reader.expect(":");
    const int minute = reader.number(2);
    reader.expect(":");
    const int second = reader.number(2);
    microseconds fraction{0};
    if (reader.accept(".")) {
        fraction = reader.fraction();
    }
    std::chrono::minutes offset{0};
    if (reader.front() == '+' || reader.front() == '-') {
        const int sign = reader.front() == '+' ? 1 : -1;
        reader.expect("+-");
        const int hours = reader.number(2);
        reader.expect(":");
        const int minutes = reader.number(2);
        if (hours > 23 || minutes > 59) {
            return std::nullopt;
        }
        offset = sign * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
    } else {
        reader.expect("Zz");
    }
    const year_month_day date(
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month)),
        std::chrono::day(static_cast<unsigned>(day))
    );
    // A leap second, 60, is taken as the next second.
    if (!reader.done() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second) + fraction - offset;
}

std::string to_http_date(Timestamp time)
{
    static constexpr std::array<std::string_view, 7> weekdays{
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
    };
    static constexpr std::array<std::string_view, 12> months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    const auto parts = split(time);
    std::string out;
    out.reserve(29);
    out += weekdays[parts.weekday];
    out += ", ";
    append_digits(out, parts.day, 2);
    out += ' ';
    out += months[parts.month - 1];
    out += ' ';
    append_digits(out, static_cast<unsigned>(parts.year), 4);
    out += ' ';
    append_digits(out, parts.hour, 2);
    out += ':';
    append_digits(out, parts.minute, 2);
    out += ':';
    append_digits(out, parts.second, 2);
    out += " GMT";
    return out;
}

}  // namespace kit
