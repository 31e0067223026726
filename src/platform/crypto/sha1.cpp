#include "platform/crypto/sha1.hpp"

#include "platform/core/encoding.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace kit {

std::string sha1_hex(std::string_view data)
{
    std::array<char, 20> digest;
    std::size_t size = 0;
    if (EVP_Q_digest(
            nullptr,
            "SHA1",
            nullptr,
            data.data(),
            data.size(),
            reinterpret_cast<unsigned char*>(digest.data()),
            &size
        ) != 1 ||
        size != digest.size()) {
        throw std::runtime_error("OpenSSL cannot compute SHA-1");
    }
    return hex_encode({digest.data(), digest.size()});
}

}  // namespace kit
