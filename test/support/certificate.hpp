// Certificates made for one test by Debian's openssl command.
#pragma once

#include <filesystem>
#include <string>

namespace kit::test {

struct Certificate {
    std::filesystem::path certificate;  // PEM; its own authority
    std::filesystem::path key;          // PEM
};

// A self-signed one for `subject`, a subjectAltName such as "IP:127.0.0.1", in `folder`.
Certificate make_certificate(const std::filesystem::path& folder, const std::string& subject);

}  // namespace kit::test
