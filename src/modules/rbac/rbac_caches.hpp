// What the service keeps in memory, and which of it a change makes stale. Of this room only.
#pragma once

#include "modules/rbac/rbac.hpp"
#include "platform/cache/list_cache.hpp"

#include <vector>

namespace kit::rbac {

// An authority as text among the copies that nodes share.
std::string encode_authority(const Authority& authority);
std::shared_ptr<const Authority> decode_authority(std::string_view text);

inline constexpr cache::Codec<Authority> authority_codec{
    .encode = encode_authority, .decode = decode_authority
};

struct Service::Caches {
    Caches(const Deps& deps, const Settings& settings)
        : authorities(
              cache::Namespace(deps.epochs, "rbac.authority"),
              deps.clock,
              {.ttl = settings.permission_cache_ttl,
               .size_of = size_of,
               .copies = settings.permission_copies,
               .codec = authority_codec}
          ),
          roles(cache::Namespace(deps.epochs, "admin.roles.list"), deps.clock, deps.metrics, settings.lists),
          permissions(
              cache::Namespace(deps.epochs, "admin.permissions.list"),
              deps.clock,
              deps.metrics,
              settings.lists
          ),
          absent_roles(
              cache::Namespace(deps.epochs, "admin.role.not_found"),
              deps.clock,
              deps.metrics,
              settings.negative
          ),
          absent_permissions(
              cache::Namespace(deps.epochs, "admin.permission.not_found"),
              deps.clock,
              deps.metrics,
              settings.negative
          ),
          authority_space(deps.epochs, "rbac.authority")
    {
    }

    static std::size_t size_of(const Authority& authority)
    {
        std::size_t bytes = sizeof(Authority);
        for (const auto& text : authority.permissions) {
            bytes += sizeof(text) + text.capacity();
        }
        return bytes + authority.roles.size() * 64;
    }

    std::vector<cache::Namespace> of_roles(const users::Service& users) const
    {
        return {authority_space, roles.space(), users.list_space(), absent_roles.space()};
    }

    std::vector<cache::Namespace> of_permissions() const
    {
        return {authority_space, permissions.space(), roles.space(), absent_permissions.space()};
    }

    std::vector<cache::Namespace> of_user_roles(const users::Service& users) const
    {
        return {authority_space, users.list_space()};
    }

    std::vector<cache::Namespace> all(const users::Service& users) const
    {
        return {
            authority_space,
            permissions.space(),
            roles.space(),
            users.list_space(),
            absent_roles.space(),
            absent_permissions.space()
        };
    }

    cache::Cache<Authority> authorities;
    cache::ListCache roles;
    cache::ListCache permissions;
    cache::NegativeCache absent_roles;
    cache::NegativeCache absent_permissions;
    cache::Namespace authority_space;
};

// A success of an administrator; who he is and what it was done to are filled in.
inline audit::Event event_of(const audit::Kind& kind, std::string_view reason, std::string_view target_type)
{
    return {.kind = kind, .outcome = audit::outcome::success, .reason = reason, .target_type = target_type};
}

}  // namespace kit::rbac
