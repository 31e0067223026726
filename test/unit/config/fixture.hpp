// Environments that load without a fault, to be spoilt one variable at a time.
#pragma once

#include "platform/config/load.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>

namespace kit::config {

using Values = Environment::Values;

inline Values operator+(Values base, const Values& changes)
{
    for (const auto& [name, value] : changes) {
        base.insert_or_assign(name, value);
    }
    return base;
}

inline Values without(Values base, std::initializer_list<std::string_view> names)
{
    for (const auto name : names) {
        base.erase(base.find(name));
    }
    return base;
}

inline const std::string secret_a = "kJ8vQ2mX7pLr9TzW4nYb6HcD3fGs5AeU";
inline const std::string secret_b = "Zx1Cv2Bn3Mq4Wr5Ty6Ui7Op8As9Df0Gh";

inline Values development()
{
    return {
        {"JWT_ACCESS_SECRET", secret_a},
        {"JWT_REFRESH_SECRET", secret_b},
        {"REFRESH_TOKEN_PEPPER", "pepper-Zx1Cv2Bn3Mq4"},
        {"OAUTH_STATE_SECRET", "state-kJ8vQ2mX7pLr9T"},
    };
}

// One node on SQLite.
inline Values production()
{
    return development() + Values{
                               {"APP_ENV", "production"},
                               {"DATABASE_URL", "sqlite:///var/lib/app/app.db"},
                               {"AUTH_GOOGLE_ENABLED", "false"},
                               {"OTEL_TRACE_SAMPLING_RATIO", "0.1"},
                           };
}

// Many nodes, every backend.
inline Values cluster()
{
    return production() + Values{
                              {"DATABASE_URL", "postgres://app:pw@db:5432/app"},
                              {"REDIS_ADDR", "redis.internal:6379"},
                              {"REDIS_USERNAME", "app"},
                              {"REDIS_PASSWORD", "pw"},
                              {"REDIS_TLS_ENABLED", "true"},
                              {"REDIS_TLS_SERVER_NAME", "redis.internal"},
                              {"MINIO_ENDPOINT", "minio.internal:9000"},
                              {"MINIO_ACCESS_KEY", "key"},
                              {"MINIO_SECRET_KEY", "secret"},
                              {"MINIO_USE_SSL", "true"},
                              {"SMTP_URL", "smtps://u:p@mail.internal:465"},
                          };
}

inline std::expected<Config, std::vector<Fault>> load_values(const Values& values)
{
    return load(Environment(values), {});
}

// "" when there is no fault.
inline std::string faults_of(const Values& values)
{
    const auto config = load_values(values);
    return config ? "" : format_faults(config.error());
}

// A folder of its own under the system's temporary one, gone at the end.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        auto name = (std::filesystem::temp_directory_path() / "kit-config-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("no temporary folder");
        }
        path_ = name;
    }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    ~TemporaryFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace kit::config
