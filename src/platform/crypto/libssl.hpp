// libssl, opened when the first TLS context is made.
#pragma once

namespace kit {

// Before any function of openssl/ssl.h is called. Throws Unavailable where the library is not installed.
void load_libssl();

}  // namespace kit
