// Every raw request of the table against the running binary: what is refused gets one answer and the end of
// its connection.
#include "support/raw_client.hpp"
#include "support/raw_requests.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

using namespace kit::test;

namespace {

// What a smuggler would want to be taken for a request of its own.
constexpr std::string_view follower =
    "GET /health/live HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: smuggled\r\n\r\n";

class Guard : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        installation = std::make_unique<Installation>(Engine::sqlite);
        server = std::make_unique<Server>(installation->command({"api"}));
    }

    static void TearDownTestSuite()
    {
        if (!server) {
            return;
        }
        EXPECT_EQ(server->client().get("/health/live").status, 200) << "the server outlives all of this";
        EXPECT_EQ(server->stop(), 0) << server->process().errors();
        server.reset();
        installation.reset();
    }

    // All that the server says to these bytes, and then nothing more from the client.
    static Conversation converse(std::string_view bytes)
    {
        RawClient client(server->endpoint());
        client.send(bytes);
        client.finish();
        EXPECT_EQ(client.read_to_end(), Ended::closed);
        return parse_conversation(client.received());
    }

    static std::unique_ptr<Installation> installation;
    static std::unique_ptr<Server> server;
};

std::unique_ptr<Installation> Guard::installation;
std::unique_ptr<Server> Guard::server;

void expect_one_refusal(const Conversation& conversation, int status)
{
    ASSERT_EQ(conversation.responses.size(), 1U);
    EXPECT_EQ(conversation.rest, "");
    const auto& response = conversation.responses.front();
    EXPECT_EQ(response.status, status);
    EXPECT_TRUE(response.closes());
    EXPECT_EQ(response.header("Content-Type"), "application/json");
}

TEST_F(Guard, TableHoldsEnoughCases)
{
    const auto requests = raw_requests();
    EXPECT_GE(std::ranges::count_if(requests, [](const auto& request) { return request.status != 0; }), 60);
}

TEST_F(Guard, RefusesWithOneAnswerAndClosesTheConnection)
{
    for (const auto& request : raw_requests()) {
        if (request.status == 0) {
            continue;
        }
        SCOPED_TRACE(request.name);
        // The client does not say that it is done: the server ends the connection by itself.
        RawClient client(server->endpoint());
        client.send(request.bytes);
        EXPECT_EQ(client.read_to_end(), Ended::closed);
        expect_one_refusal(parse_conversation(client.received()), request.status);
    }
}

TEST_F(Guard, NeverTakesWhatFollowsARefusedRequestForAnother)
{
    for (const auto& request : raw_requests()) {
        if (request.status == 0) {
            continue;
        }
        SCOPED_TRACE(request.name);
        const auto conversation = converse(request.bytes + std::string(follower));
        expect_one_refusal(conversation, request.status);
    }
}

TEST_F(Guard, SoundRequestsGetOneAnswer)
{
    for (const auto& request : raw_requests()) {
        if (request.status != 0) {
            continue;
        }
        SCOPED_TRACE(request.name);
        const auto conversation = converse(request.bytes);
        ASSERT_EQ(conversation.responses.size(), 1U);
        EXPECT_EQ(conversation.rest, "");
        const auto status = conversation.responses.front().status;
        EXPECT_TRUE(status == 404 || status == 405 || status == 204) << status;
    }
}

TEST_F(Guard, WhatFollowsASoundRequestIsTheNextOne)
{
    for (const auto& request : raw_requests()) {
        if (request.status != 0) {
            continue;
        }
        SCOPED_TRACE(request.name);
        const bool closes_by_itself = request.bytes.find("HTTP/1.0") != std::string::npos;
        const auto conversation = converse(request.bytes + std::string(follower));
        ASSERT_EQ(conversation.responses.size(), closes_by_itself ? 1U : 2U);
        if (!closes_by_itself) {
            EXPECT_EQ(conversation.responses.back().status, 200);
        }
    }
}

// However the bytes are cut into packets, the verdict is the same.
TEST_F(Guard, VerdictDoesNotDependOnHowTheBytesArrive)
{
    for (const auto& request : raw_requests()) {
        if (request.status == 0 || request.bytes.size() > 512) {
            continue;
        }
        SCOPED_TRACE(request.name);
        RawClient client(server->endpoint());
        for (const char byte : request.bytes) {
            if (client.stirred() || !client.send({&byte, 1})) {
                break;
            }
        }
        EXPECT_EQ(client.read_to_end(), Ended::closed);
        expect_one_refusal(parse_conversation(client.received()), request.status);
    }
}

}  // namespace
