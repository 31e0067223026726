#include "platform/http/multipart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kit::http {
namespace {

using testing::ElementsAre;

class Parts final : public MultipartReader::Sink {
public:
    void on_part(PartHead head) override
    {
        seen.push_back(head.name + (head.is_file ? "!" : "") + "[" + head.content_type + "]=");
    }

    void on_data(std::string_view bytes) override { seen.back() += bytes; }

    std::vector<std::string> seen;
};

struct Read {
    bool sound;
    bool done;
    std::vector<std::string> parts;
};

Read read(std::string_view body, std::size_t step, std::string_view boundary = "b")
{
    MultipartReader reader(boundary);
    Parts parts;
    bool sound = true;
    for (std::size_t at = 0; at < body.size() && sound; at += step) {
        sound = reader.feed(body.substr(at, step), parts);
    }
    return {.sound = sound, .done = reader.done(), .parts = std::move(parts.seen)};
}

constexpr std::string_view disposition = "Content-Disposition: form-data; name=\"a\"";

std::string part(const std::string& head, const std::string& content)
{
    return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n";
}

TEST(Multipart, PartsHoweverTheyAreCut)
{
    const auto body = "preamble\r\n--b \t\r\n" + std::string(disposition) +
                      "; filename=\"x\\\"y.png\"\r\nContent-Type: image/png\r\n\r\n\r\n--x\r\n-\r\n--\r\n" +
                      part("content-disposition:form-data;name=b", "") +
                      part("Content-Disposition: form-data; filename*=utf-8''x; name=c", "--b--") +
                      "--b\r\n\r\nno head\r\n--b--\r\nepilogue --b\r\n";
    for (const std::size_t step : {1UL, 2UL, 3UL, 5UL, 7UL, 1'000UL}) {
        const auto found = read(body, step);
        EXPECT_TRUE(found.sound && found.done) << step;
        EXPECT_THAT(
            found.parts, ElementsAre("a![image/png]=\r\n--x\r\n-\r\n--", "b[]=", "c![]=--b--", "[]=no head")
        ) << step;
    }
}

TEST(Multipart, MalformedOrCutShort)
{
    const std::string head(disposition);
    const std::vector<std::string> broken{
        "--bx\r\n" + head + "\r\n\r\nx\r\n--bx--",
        "--b-\r\n" + head,
        "--b\n" + head,
        part("no colon", "x"),
        part(": no name", "x"),
        part("Content-Disposition: attachment; name=a", "x"),
        part("Content-Disposition: form-data; name=\"a", "x"),
        part("Content-Disposition: form-data; name", "x"),
        "--b" + std::string(MultipartReader::padding_bytes_max + 1, ' ') + "\r\n",
        "--b\r\nX: " + std::string(MultipartReader::head_bytes_max, 'x'),
        part("X: " + std::string(MultipartReader::head_bytes_max, 'x'), ""),
    };
    for (const auto& body : broken) {
        EXPECT_FALSE(read(body, 1).sound) << body.substr(0, 80);
        EXPECT_FALSE(read(body, body.size()).sound) << body.substr(0, 80);
    }
    const std::vector<std::string> unfinished{
        "",
        "--b",
        "--b\r\n",
        "--b\r\n" + head,
        part(head, "x"),
        part(head, "x") + "--b-",
        "no delimiter at all"
    };
    for (const auto& body : unfinished) {
        const auto found = read(body, 1);
        EXPECT_TRUE(found.sound && !found.done) << body;
    }
}

TEST(Multipart, SoManyPartsAndNoMore)
{
    std::string body;
    for (std::size_t number = 0; number < MultipartReader::parts_max; ++number) {
        body += part(std::string(disposition), "x");
    }
    EXPECT_TRUE(read(body + "--b--", 64).done);
    EXPECT_FALSE(read(body + part(std::string(disposition), "x"), 64).sound);
}

TEST(Multipart, Boundaries)
{
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data ;charset=utf-8; Boundary=\"a b:c\""), "a b:c");
    const std::string longest(70, 'x');
    EXPECT_EQ(multipart_boundary("multipart/form-data;boundary=" + longest), longest);
    for (const std::string type :
         {"",
          "application/json",
          "multipart/mixed; boundary=abc",
          "multipart/form-data",
          "multipart/form-data; boundary=",
          "multipart/form-data; boundary=\"a ",
          "multipart/form-data; boundary=\"a \"",
          "multipart/form-data; boundary=a\x7F"}) {
        EXPECT_FALSE(multipart_boundary(type)) << type;
    }
    EXPECT_FALSE(multipart_boundary("multipart/form-data;boundary=x" + longest));
}

}  // namespace
}  // namespace kit::http
