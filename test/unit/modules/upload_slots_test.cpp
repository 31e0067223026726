#include "modules/avatars/avatars.hpp"

#include <gtest/gtest.h>

#include <list>

namespace kit::avatars {
namespace {

TEST(UploadSlots, SoManyAtOnceAndOfOneUser)
{
    UploadSlots slots;
    std::list<UploadSlots::Slot> taken;
    for (std::size_t number = 0; number < UploadSlots::uploads_per_user_max; ++number) {
        taken.emplace_back(slots, 1);
    }
    EXPECT_THROW(UploadSlots::Slot(slots, 1), Overloaded);
    for (std::int64_t user = 2; taken.size() < UploadSlots::uploads_max; ++user) {
        taken.emplace_back(slots, user);
    }
    EXPECT_THROW(UploadSlots::Slot(slots, 1'000), Overloaded);
    taken.pop_front();
    EXPECT_NO_THROW(UploadSlots::Slot(slots, 1));
    taken.clear();
    EXPECT_NO_THROW(UploadSlots::Slot(slots, 1'000));
}

}  // namespace
}  // namespace kit::avatars
