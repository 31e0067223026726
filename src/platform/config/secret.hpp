// A setting that must never be printed.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace kit::config {

// Streams as `***`; the value itself leaves only through reveal(), so that a search for that word finds every
// use.
class Secret {
public:
    Secret() = default;

    explicit Secret(std::string value) : value_(std::move(value)) {}

    std::string_view reveal() const { return value_; }

    std::size_t size() const { return value_.size(); }

    bool empty() const { return value_.empty(); }

    friend bool operator==(const Secret&, const Secret&) = default;

    friend std::ostream& operator<<(std::ostream& out, const Secret& secret)
    {
        return out << secret.masked();
    }

    // What may be shown: whether there is one.
    std::string_view masked() const { return value_.empty() ? "" : "***"; }

private:
    std::string value_;
};

}  // namespace kit::config
