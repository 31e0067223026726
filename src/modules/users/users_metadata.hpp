// How users print as JSON. Apart from users.hpp, so that only files that print pay for it.
#pragma once

#include "modules/users/users.hpp"

#include <boost/describe/class.hpp>

namespace kit::users {

BOOST_DESCRIBE_STRUCT(Permission, (), (id, resource, action, created_at, updated_at))
BOOST_DESCRIBE_STRUCT(Role, (), (id, name, description, permissions, created_at, updated_at))
BOOST_DESCRIBE_STRUCT(
    User, (), (id, email, name, avatar_url, status, last_login_at, created_at, updated_at, roles)
)

}  // namespace kit::users
