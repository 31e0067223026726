// A file descriptor that closes itself.
#pragma once

#include <unistd.h>
#include <utility>

namespace kit::http {

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}

    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}

    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }

    ~Descriptor()
    {
        if (number_ >= 0) {
            ::close(number_);
        }
    }

    int get() const { return number_; }

    // Gives it away: the caller closes it.
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

}  // namespace kit::http
