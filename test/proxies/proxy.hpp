// nginx or haproxy with a configuration of ours, on a Unix socket: no port to race for.
#pragma once

#include "support/process.hpp"
#include "support/raw_client.hpp"
#include "support/temp_dir.hpp"

#include <cstdint>
#include <ostream>

namespace kit::test {

enum class Product : std::uint8_t { nginx, haproxy };

// Names the product in test names and messages.
std::ostream& operator<<(std::ostream& out, Product product);

class Proxy {
public:
    // In front of 127.0.0.1:`server_port`, with one kept-alive connection to it and every leniency switched
    // on. Returns once it answers; throws std::runtime_error with its output if it does not.
    Proxy(Product product, std::uint16_t server_port);

    Endpoint endpoint() const { return {.socket = socket_}; }

private:
    TempDir folder_;
    std::filesystem::path socket_;
    Process process_;
};

}  // namespace kit::test
