#include "fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit::config {
namespace {

using testing::HasSubstr;

const Values keycloak{
    {"OIDC_PROVIDERS", "keycloak, my-login"},
    {"OIDC_KEYCLOAK_ISSUER", "https://id.example/realms/main"},
    {"OIDC_KEYCLOAK_CLIENT_ID", "web"},
    {"OIDC_KEYCLOAK_CLIENT_SECRET", "s3cret"},
    {"OIDC_KEYCLOAK_LABEL", "Example ID"},
    {"OIDC_MY_LOGIN_ISSUER", "http://localhost:9000"},
    {"OIDC_MY_LOGIN_CLIENT_ID", "web"},
    {"OIDC_MY_LOGIN_CLIENT_SECRET", "s3cret"},
};

TEST(Providers, AreDescribedByVariablesOfTheirNames)
{
    const auto config = load_values(development() + keycloak);
    ASSERT_TRUE(config) << format_faults(config.error());
    const auto& providers = config->oidc.providers;
    ASSERT_EQ(providers.size(), 2);
    EXPECT_EQ(providers[0].name, "keycloak");
    EXPECT_EQ(providers[0].label, "Example ID");
    EXPECT_EQ(providers[0].issuer, "https://id.example/realms/main");
    EXPECT_EQ(providers[0].client_id, "web");
    EXPECT_EQ(providers[0].client_secret.reveal(), "s3cret");
    EXPECT_EQ(providers[1].name, "my-login");
    EXPECT_EQ(providers[1].label, "my-login");
}

TEST(Providers, LackNothing)
{
    const std::vector<std::pair<Values, const char*>> cases{
        {{{"OIDC_KEYCLOAK_ISSUER", ""}}, "OIDC_KEYCLOAK_ISSUER is required by OIDC_PROVIDERS"},
        {{{"OIDC_KEYCLOAK_CLIENT_ID", ""}}, "OIDC_KEYCLOAK_CLIENT_ID is required by OIDC_PROVIDERS"},
        {{{"OIDC_MY_LOGIN_CLIENT_SECRET", " "}}, "OIDC_MY_LOGIN_CLIENT_SECRET is required by OIDC_PROVIDERS"},
        {{{"OIDC_KEYCLOAK_ISSUER", "http://id.example"}}, "OIDC_KEYCLOAK_ISSUER must be an https:// address"},
        {{{"OIDC_KEYCLOAK_ISSUER", "https://id.example?a"}}, "OIDC_KEYCLOAK_ISSUER must have no query"},
        {{{"OIDC_KEYCLOAK_ISSUER", "http://localhost@id.example"}}, "must be an https:// address"},
        {{{"OIDC_KEYCLOAK_ISSUER", "http://localhost.evil.example"}}, "must be an https:// address"},
        {{{"OIDC_KEYCLOAK_REDIRECT_URL", "/callback"}},
         "OIDC_KEYCLOAK_REDIRECT_URL must be an https:// address"},
        {{{"OIDC_PROVIDERS", "Keycloak"}}, "OIDC_PROVIDERS must be different names"},
        {{{"OIDC_PROVIDERS", "google"}}, "OIDC_PROVIDERS must be different names"},
        {{{"OIDC_PROVIDERS", "a,a"}}, "OIDC_PROVIDERS must be different names"},
        {{{"OIDC_PROVIDERS", "a/b"}}, "OIDC_PROVIDERS must be different names"},
        {{{"OIDC_PROVIDERS", std::string(33, 'a')}}, "OIDC_PROVIDERS must be different names"},
        {{{"OIDC_PROVIDERS", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}}, "OIDC_PROVIDERS must be different names"},
        {{{"GOOGLE_OAUTH_TOKEN_URL", "http://tokens.example"}},
         "GOOGLE_OAUTH_TOKEN_URL must be an https:// address"},
        {{{"GOOGLE_OAUTH_JWKS_URL", "ftp://localhost"}}, "GOOGLE_OAUTH_JWKS_URL must be an https:// address"},
    };
    for (const auto& [changes, expected] : cases) {
        EXPECT_THAT(faults_of(development() + keycloak + changes), HasSubstr(expected));
    }
    EXPECT_EQ(faults_of(development() + Values{{"GOOGLE_OAUTH_TOKEN_URL", "http://[::1]:9/token"}}), "");
}

TEST(Providers, OutsideLocalProfilesSayWhereTheySendBrowsers)
{
    const Values one{
        {"OIDC_PROVIDERS", "id"},
        {"OIDC_ID_ISSUER", "https://id.example"},
        {"OIDC_ID_CLIENT_ID", "web"},
        {"OIDC_ID_CLIENT_SECRET", "s3cret"},
    };
    EXPECT_THAT(
        faults_of(production() + one),
        HasSubstr("OIDC_ID_REDIRECT_URL is required outside local-like profiles")
    );
    const Values whole =
        one + Values{{"OIDC_ID_REDIRECT_URL", "https://shop.example/api/v1/auth/oidc/id/callback"}};
    EXPECT_EQ(faults_of(production() + whole), "");
    EXPECT_THAT(
        faults_of(production() + whole + Values{{"OIDC_ID_ISSUER", "http://localhost:9000"}}),
        HasSubstr("OIDC_ID_ISSUER must be an https:// address")
    );
    EXPECT_EQ(faults_of(production() + whole + Values{{"AUTH_LOCAL_ENABLED", "false"}}), "")
        << "one way to sign in is enough";
}

TEST(Providers, DevelopmentOneIsForDevelopment)
{
    const auto on = [](const Values& changes) {
        const auto config = load_values(development() + changes);
        return config ? std::to_string(config->google.development_provider) : format_faults(config.error());
    };
    EXPECT_EQ(on({}), "1");
    EXPECT_EQ(on({{"DATABASE_URL", "postgres://localhost/app"}}), "0");
    EXPECT_EQ(on({{"DATABASE_URL", "postgres://localhost/app"}, {"AUTH_DEV_PROVIDER", "true"}}), "1");
    EXPECT_EQ(on({{"AUTH_DEV_PROVIDER", "false"}}), "0");
    EXPECT_EQ(on({{"AUTH_GOOGLE_ENABLED", "false"}}), "0");
    EXPECT_EQ(on({{"GOOGLE_OAUTH_CLIENT_ID", "id"}}), "0");
    EXPECT_THAT(on({{"AUTH_GOOGLE_ENABLED", "true"}}), HasSubstr("GOOGLE_OAUTH_CLIENT_ID is required"));
    for (const auto& values : {production(), production() + Values{{"APP_ENV", "qa"}}}) {
        EXPECT_FALSE(load_values(values)->google.development_provider);
    }
    auto undecided = production() + Values{{"AUTH_DEV_PROVIDER", "true"}};
    undecided.erase("AUTH_GOOGLE_ENABLED");
    EXPECT_THAT(
        faults_of(undecided), HasSubstr("AUTH_DEV_PROVIDER must be false outside local-like profiles")
    );
}

}  // namespace
}  // namespace kit::config
