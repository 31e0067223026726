#include "platform/db/postgres/codec.hpp"

#include <libpq-fe.h>

#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace kit::db::postgres {

namespace {

// pg_type.dat; these numbers are fixed.
enum Oid : unsigned {
    oid_bool = 16,
    oid_bytea = 17,
    oid_char = 18,
    oid_name = 19,
    oid_int8 = 20,
    oid_int2 = 21,
    oid_int4 = 23,
    oid_text = 25,
    oid_oid = 26,
    oid_json = 114,
    oid_float4 = 700,
    oid_float8 = 701,
    oid_unknown = 705,
    oid_bpchar = 1042,
    oid_varchar = 1043,
    oid_timestamptz = 1184,
    oid_numeric = 1700,
    oid_void = 2278,
    oid_jsonb = 3802,
};

constexpr std::int64_t microseconds_from_1970_to_2000 = 946'684'800'000'000;
constexpr std::size_t no_offset = static_cast<std::size_t>(-1);

template <class T>
T read_big_endian(const char* data)
{
    T value;
    std::memcpy(&value, data, sizeof value);
    return std::byteswap(value);
}

// numeric_send: digits of base 10,000, the weight of the first one, a sign. Decimal text is the exact way to
// a double.
double numeric_to_double(const char* data)
{
    const auto digits = read_big_endian<std::uint16_t>(data);
    const auto weight = read_big_endian<std::int16_t>(data + 2);
    const auto sign = read_big_endian<std::uint16_t>(data + 4);
    constexpr std::uint16_t negative = 0x4000;
    constexpr std::uint16_t infinity = 0xD000;
    constexpr std::uint16_t minus_infinity = 0xF000;
    if (sign == infinity || sign == minus_infinity) {
        return sign == infinity ? std::numeric_limits<double>::infinity()
                                : -std::numeric_limits<double>::infinity();
    }
    if (sign != 0 && sign != negative) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::string text = sign == negative ? "-0" : "0";
    const char* position = data + 8;
    for (int left = digits; left > 0; --left) {
        const auto group = std::to_string(10'000 + read_big_endian<std::uint16_t>(position));
        text.append(group, 1);
        position += 2;
    }
    text.append("e").append(std::to_string(4 * (weight - digits + 1)));
    return std::strtod(text.c_str(), nullptr);  // the process keeps the "C" locale
}

std::int64_t read_timestamp(const char* data)
{
    const auto value = read_big_endian<std::int64_t>(data);
    if (value == std::numeric_limits<std::int64_t>::max() ||
        value == std::numeric_limits<std::int64_t>::min()) {
        return value;  // infinity has no other representation
    }
    return value + microseconds_from_1970_to_2000;
}

Cell integer_cell(std::int64_t value)
{
    return {.kind = Cell::Kind::integer, .integer = value};
}

Cell real_cell(double value)
{
    return {.kind = Cell::Kind::real, .real = value};
}

// Nothing for a type that we do not read.
std::optional<Cell> read_value(unsigned type, const char* data, std::string_view text)
{
    switch (type) {
        case oid_bool:
            return integer_cell(data[0] != 0 ? 1 : 0);
        case oid_int2:
            return integer_cell(read_big_endian<std::int16_t>(data));
        case oid_int4:
            return integer_cell(read_big_endian<std::int32_t>(data));
        case oid_oid:
            return integer_cell(read_big_endian<std::uint32_t>(data));
        case oid_int8:
            return integer_cell(read_big_endian<std::int64_t>(data));
        case oid_float4:
            return real_cell(std::bit_cast<float>(read_big_endian<std::uint32_t>(data)));
        case oid_float8:
            return real_cell(std::bit_cast<double>(read_big_endian<std::uint64_t>(data)));
        case oid_numeric:
            return real_cell(numeric_to_double(data));
        case oid_timestamptz:
            return Cell{.kind = Cell::Kind::timestamp, .integer = read_timestamp(data)};
        case oid_bytea:
            return Cell{.kind = Cell::Kind::blob, .text = text};
        case oid_jsonb:
            return Cell{.kind = Cell::Kind::text, .text = text.substr(1)};  // a version byte leads
        case oid_char:
        case oid_name:
        case oid_text:
        case oid_json:
        case oid_unknown:
        case oid_bpchar:
        case oid_varchar:
            return Cell{.kind = Cell::Kind::text, .text = text};
        case oid_void:
            return Cell{};
        default:
            return std::nullopt;
    }
}

std::int64_t touched_rows(pg_result* result)
{
    const std::string_view tag = PQcmdStatus(result);
    if (tag.starts_with("SELECT")) {
        return 0;
    }
    const std::string_view count = PQcmdTuples(result);
    std::int64_t rows = 0;
    std::from_chars(count.data(), count.data() + count.size(), rows);
    return rows;
}

}  // namespace

void check_parameters(const Statement& statement)
{
    constexpr std::size_t parameters_max = 65'535;  // the protocol counts them in 16 bits
    if (statement.values.size() > parameters_max) {
        throw QueryFailed(std::string(statement.query->name) + ": too many parameters");
    }
    for (const auto& value : statement.values) {
        const auto* text = std::get_if<std::string_view>(&value.storage());
        if (text != nullptr && text->find('\0') != std::string_view::npos) {
            throw QueryFailed(std::string(statement.query->name) + ": a text parameter contains a NUL");
        }
    }
}

void Parameters::text(std::string_view text)
{
    offsets_.back() = buffer_.size();
    buffer_.append(text).push_back('\0');
}

void Parameters::encode(const Statement& statement)
{
    const auto count = statement.values.size();
    buffer_.clear();
    values_.assign(count, nullptr);
    lengths_.assign(count, 0);
    formats_.assign(count, 0);
    offsets_.clear();
    for (std::size_t index = 0; index < count; ++index) {
        offsets_.push_back(no_offset);
        const auto& value = statement.values[index].storage();
        if (const auto* string = std::get_if<std::string_view>(&value)) {
            text(*string);
        } else if (const auto* bytes = std::get_if<std::span<const std::byte>>(&value)) {
            values_[index] = bytes->empty() ? "" : reinterpret_cast<const char*>(bytes->data());
            lengths_[index] = static_cast<int>(bytes->size());
            formats_[index] = 1;
        } else if (const auto* boolean = std::get_if<bool>(&value)) {
            text(*boolean ? "t" : "f");
        } else if (const auto* time = std::get_if<Timestamp>(&value)) {
            text(to_fixed_iso8601(*time));
        } else if (!std::holds_alternative<std::monostate>(value)) {
            char number[32];
            const auto* integer = std::get_if<std::int64_t>(&value);
            const auto end = integer != nullptr
                                 ? std::to_chars(number, number + sizeof number, *integer)
                                 : std::to_chars(number, number + sizeof number, std::get<double>(value));
            text({number, end.ptr});
        }
    }
    for (std::size_t index = 0; index < count; ++index) {
        if (offsets_[index] != no_offset) {
            values_[index] = buffer_.data() + offsets_[index];
        }
    }
}

Columns column_names(const pg_result* result)
{
    const int count = PQnfields(result);
    if (count == 0) {
        return nullptr;
    }
    auto names = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < count; ++column) {
        names->emplace_back(PQfname(result, column));
    }
    return names;
}

Rows decode(ResultHandle result, const Columns& columns, std::string_view name)
{
    const int row_count = PQntuples(result.get());
    const int column_count = PQnfields(result.get());
    std::vector<Cell> cells;
    cells.reserve(static_cast<std::size_t>(row_count) * static_cast<std::size_t>(column_count));
    for (int row = 0; row < row_count; ++row) {
        for (int column = 0; column < column_count; ++column) {
            if (PQgetisnull(result.get(), row, column) != 0) {
                cells.emplace_back();
                continue;
            }
            const char* data = PQgetvalue(result.get(), row, column);
            const std::string_view text(
                data, static_cast<std::size_t>(PQgetlength(result.get(), row, column))
            );
            const auto type = PQftype(result.get(), column);
            const auto cell = read_value(type, data, text);
            if (!cell) {
                throw QueryFailed(
                    std::string(name) + ": column '" + PQfname(result.get(), column) + "' has type " +
                    std::to_string(type) + ", which is not read: cast it in the statement"
                );
            }
            cells.push_back(*cell);
        }
    }
    const auto affected = touched_rows(result.get());
    if (cells.empty()) {
        return {columns, {}, nullptr, affected};
    }
    return {columns, std::move(cells), std::shared_ptr<pg_result>(std::move(result)), affected};
}

}  // namespace kit::db::postgres
