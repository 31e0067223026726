// Forms of any shape, however they are cut: the same parts with the same content, none of it invented.

#include "platform/http/multipart.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

class Parts final : public kit::http::MultipartReader::Sink {
public:
    void on_part(kit::http::PartHead head) override
    {
        seen += "\npart " + head.name + (head.is_file ? " file " : " ") + head.content_type + "\n";
        ++count;
    }

    void on_data(std::string_view bytes) override
    {
        require(count > 0 && !bytes.empty());
        seen += bytes;
        content += bytes.size();
    }

    std::string seen;
    std::size_t content = 0;
    std::size_t count = 0;
};

}  // namespace

// The first byte says in what steps the rest is fed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (const auto boundary = kit::http::multipart_boundary(input.substr(0, 200))) {
        require(!boundary->empty() && boundary->size() <= 70);
    }
    kit::http::MultipartReader whole("b");
    Parts expected;
    const bool sound = whole.feed(input, expected);
    require(expected.content <= input.size() && expected.count <= kit::http::MultipartReader::parts_max);
    kit::http::MultipartReader cut("b");
    Parts found;
    bool still_sound = true;
    const std::size_t step = 1 + data[0] % 16;
    for (std::size_t at = 0; at < input.size() && still_sound; at += step) {
        still_sound = cut.feed(input.substr(at, step), found);
    }
    if (sound) {
        require(still_sound && cut.done() == whole.done() && found.seen == expected.seen);
    }
    return 0;
}
