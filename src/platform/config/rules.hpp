// The rules that a parsed Config must keep, and the faults they find.
#pragma once

#include "platform/config/load.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kit::config {

class Rules {
public:
    // `rejected`: variables whose text was none of their choices; their members hold the default.
    Rules(const Config& config, std::set<std::string_view> rejected)
        : config_(config), rejected_(std::move(rejected))
    {
    }

    const Config& config() const { return config_; }

    bool rejected(std::string_view variable) const { return rejected_.contains(variable); }

    // Notes a fault unless `kept`. An empty mend is replaced by the variable's shape.
    void require(bool kept, std::string_view variable, std::string message, std::string mend = {});

    // Whether load() will fill in this secret after the rules.
    bool will_be_made(std::string_view secret) const
    {
        return config_.local_like() && !config_.given(secret);
    }

    std::vector<Fault> take_faults() { return std::move(faults_); }

private:
    const Config& config_;
    std::set<std::string_view> rejected_;
    std::vector<Fault> faults_;
};

// The rules whose messages and order scripts rely on.
void check_fixed(Rules& rules);

// The last of those: what prod-like profiles and, for Redis, all but the local-like ones demand.
void check_profile(Rules& rules);

// The rules after those: general ranges and choices, forms of addresses, combinations.
void check_more(Rules& rules);

// What is demanded of Google's addresses and of further providers.
void check_providers(Rules& rules);

// OIDC_<NAME>_<member>
std::string oidc_variable(std::string_view provider, std::string_view member);

// "set NAME to …"
std::string usual_mend(std::string_view variable);

std::string secret_mend(std::string_view variable);

// What is accepted but probably not meant.
std::vector<std::string> find_warnings(const Config& config, const Environment& environment);

// Known variable → a name in the environment that looks like a slip of it.
std::map<std::string_view, std::string_view> find_misspellings(const Environment& environment);

// The four secrets that a local-like profile makes for itself, and where they live in Config.
struct GeneratedSecret {
    std::string_view variable;
    Secret TokenConfig::* member;
    std::size_t bytes_min;
};

std::span<const GeneratedSecret> generated_secrets();

}  // namespace kit::config
