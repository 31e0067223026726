// Any bytes are refused or read; what is read prints, and reads back, as the same value.
#include "platform/json/json.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::json {
namespace {

enum class Kind : std::uint8_t { plain, fancy };
BOOST_DESCRIBE_ENUM(Kind, plain, fancy)

struct Document {
    std::int64_t id = 0;
    std::uint8_t percentage = 0;
    bool enabled = false;
    double price = 0;
    std::string name;
    Timestamp at{};
    Kind kind = Kind::plain;
    std::optional<std::string> note;
    std::optional<std::vector<std::uint64_t>> ids;
    std::vector<std::optional<double>> holes;
    std::map<std::string, std::string> labels;
    std::map<std::string, std::optional<Timestamp>> times;
    std::vector<Document> children;
    Raw extra;

    bool operator==(const Document&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Document,
    (),
    (id, percentage, enabled, price, name, at, kind, note, ids, holes, labels, times, children, extra)
)

}  // namespace
}  // namespace kit::json

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using kit::json::Document;
    const auto value = kit::json::read_detailed<Document>({reinterpret_cast<const char*>(data), size});
    if (!value) {
        return 0;
    }
    const auto again = kit::json::read_detailed<Document>(kit::json::to_text(*value));
    if (!again || *again != *value) {
        std::abort();
    }
    return 0;
}
