// Whom neither limits nor the abuse guard hold back.
#pragma once

#include "platform/http/client_address.hpp"
#include "platform/telemetry/metrics.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::limits {

class Bypass {
public:
    struct Options {
        bool internal_probes = true;
        bool trusted_actors = false;
        std::vector<std::string> cidrs;     // those that are none match nothing
        std::vector<std::string> subjects;  // user ids, to the letter
    };

    Bypass(const Options& options, telemetry::Registry& metrics);

    struct Caller {
        std::string_view path;
        std::string_view address;
        std::optional<std::int64_t> subject;
    };

    // The reason as metrics name it; the first rule that matches.
    std::optional<std::string_view> reason(const Caller& caller) const;

    // Counts somebody whom `scope` let past.
    void let_past(std::string_view reason, std::string_view scope) const { events_.add({reason, scope}); }

private:
    telemetry::Counter events_;
    bool internal_probes_;
    std::vector<http::AddressRange> ranges_;
    std::vector<std::string> subjects_;
};

}  // namespace kit::limits
