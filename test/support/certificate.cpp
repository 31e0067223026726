#include "support/certificate.hpp"

#include "support/process.hpp"

#include <stdexcept>

namespace kit::test {

Certificate make_certificate(const std::filesystem::path& folder, const std::string& subject)
{
    Certificate made{.certificate = folder / "certificate.pem", .key = folder / "key.pem"};
    std::filesystem::create_directories(folder);
    const auto finished = run({
        .command =
            {"/usr/bin/openssl",
             "req",
             "-x509",
             "-newkey",
             "ec",
             "-pkeyopt",
             "ec_paramgen_curve:P-256",
             "-nodes",
             "-days",
             "2",
             "-subj",
             "/CN=test",
             "-addext",
             "subjectAltName=" + subject,
             "-keyout",
             made.key.string(),
             "-out",
             made.certificate.string()},
    });
    if (finished.exit_code != 0) {
        throw std::runtime_error("openssl req: " + finished.errors);
    }
    return made;
}

}  // namespace kit::test
