// A file descriptor that is closed by its owner's end.
#pragma once

#include <unistd.h>
#include <utility>

namespace kit::test {

class Descriptor {
public:
    Descriptor() = default;

    explicit Descriptor(int value) : value_(value) {}

    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}

    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(value_, other.value_);
        return *this;
    }

    ~Descriptor() { reset(); }

    void reset()
    {
        if (value_ >= 0) {
            ::close(std::exchange(value_, -1));
        }
    }

    int get() const { return value_; }

    explicit operator bool() const { return value_ >= 0; }

private:
    int value_ = -1;
};

}  // namespace kit::test
