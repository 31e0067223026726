// Bytes of any shape: the verdict is the same however they are cut.

#include "modules/avatars/avatars_image_service.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using kit::avatars::ImageReader;
    if (size == 0) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    ImageReader whole;
    whole.feed(input);
    ImageReader cut;
    const std::size_t step = 1 + data[0] % 16;
    for (std::size_t at = 0; at < input.size(); at += step) {
        cut.feed(input.substr(at, step));
    }
    if (whole.fault() != cut.fault() || whole.whole() != cut.whole() ||
        (whole.whole() && whole.fault() != ImageReader::Fault::none)) {
        std::abort();
    }
    return 0;
}
