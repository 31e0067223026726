#include "platform/core/encoding.hpp"
#include "platform/idempotency/idempotency.hpp"

#include <gtest/gtest.h>

namespace kit::idempotency {

namespace {

std::expected<std::string, KeyFault> key_of(const std::vector<std::string_view>& values)
{
    http::Request request;
    for (const auto value : values) {
        request.headers.push_back({"IDEMPOTENCY-KEY", value});
    }
    return read_key(request);
}

TEST(IdempotencyKey, BareAndQuotedAreOne)
{
    const std::vector<std::pair<std::string_view, std::string>> cases{
        {"abc", "abc"},
        {R"("abc")", "abc"},
        {"  abc  ", "abc"},
        {R"("a \"b\" \\c")", R"(a "b" \c)"},
        {R"(" padded ")", " padded "},
        {R"("open)", R"("open)"},
        {R"("a"b")", R"("a"b")"},
        {R"("a\b")", R"("a\b")"},
        {R"(")", R"(")"},
        {"\xff\xfe", "\xff\xfe"},
        {R"("8e03978e-40d5-43e8-bc93-6894a57f9324")", "8e03978e-40d5-43e8-bc93-6894a57f9324"},
    };
    for (const auto& [value, key] : cases) {
        EXPECT_EQ(key_of({value}), key) << value;
    }
}

TEST(IdempotencyKey, OneToOneHundredAndTwentyEightBytes)
{
    const std::string longest(key_bytes_max, 'k');
    EXPECT_EQ(key_of({longest}), longest);
    EXPECT_EQ(key_of({'"' + longest + '"'}), longest) << "quotes are no part of the key";
    EXPECT_EQ(key_of({longest + 'k'}), std::unexpected(KeyFault::invalid));
    EXPECT_EQ(key_of({}), std::unexpected(KeyFault::missing));
    for (const auto* blank : {"", "   ", R"("")", R"("  ")"}) {
        EXPECT_EQ(key_of({blank}), std::unexpected(KeyFault::missing)) << blank;
    }
    EXPECT_EQ(key_of({"a", "a"}), std::unexpected(KeyFault::invalid)) << "one request, one key";
}

constexpr Subject vector{
    .scope = "auth.local.register",
    .method = "POST",
    .path = "/api/v1/auth/local/register",
    .actor = "ip:203.0.113.9",
    .body = "{}"
};

TEST(Fingerprint, VectorOfTheContract)
{
    EXPECT_EQ(fingerprint(vector), "7ed04b5e4f6e12dceeec74d8ff6de7d46e5c21ee7e3e896d34aeac5b43bea3f5");
    EXPECT_EQ(sha256_hex("idem-key-2").substr(0, 12), "c9a02a0593c8");
}

TEST(Fingerprint, EveryPartCounts)
{
    const auto differs = [](auto change) {
        Subject other = vector;
        change(other);
        return fingerprint(other) != fingerprint(vector);
    };
    EXPECT_TRUE(differs([](Subject& subject) { subject.scope = "admin.roles.create"; }));
    EXPECT_TRUE(differs([](Subject& subject) { subject.method = "PATCH"; }));
    EXPECT_TRUE(differs([](Subject& subject) { subject.path = "/api/v1/admin/users/6/roles"; }));
    EXPECT_TRUE(differs([](Subject& subject) { subject.actor = "sub:7"; }));
    EXPECT_TRUE(differs([](Subject& subject) { subject.body = "{} "; }));
}

TEST(Fingerprint, WhatIsKeptNeedsTheSecret)
{
    const Fingerprints ours("secret one");
    EXPECT_EQ(ours.of(vector), Fingerprints("secret one").of(vector));
    EXPECT_NE(ours.of(vector), Fingerprints("secret two").of(vector));
    EXPECT_NE(ours.of(vector), fingerprint(vector));
}

TEST(Actor, SignedInUserElseAddressWithoutPort)
{
    class StoppedClock final : public Clock {
        Timestamp now() const override { return {}; }

        SteadyTime steady_now() const override { return {}; }

        Task<void> sleep_until(SteadyTime /*when*/) override { co_return; }
    };

    StoppedClock clock;
    const http::Request request;
    http::RequestContext ctx(request, clock);
    ctx.client_address = "203.0.113.9";
    EXPECT_EQ(actor_of(ctx), "ip:203.0.113.9");
    ctx.principal = {.user_id = 7, .authenticated = true};
    EXPECT_EQ(actor_of(ctx), "sub:7");
}

TEST(Answers, KeptUnlessTheySayLaterOrNotYou)
{
    for (const int status : {200, 201, 202, 204, 302, 400, 409}) {
        EXPECT_TRUE(is_kept(status)) << status;
    }
    for (const int status : {401, 403, 404, 413, 422, 429, 500, 503}) {
        EXPECT_FALSE(is_kept(status)) << status;
    }
}

}  // namespace

}  // namespace kit::idempotency
