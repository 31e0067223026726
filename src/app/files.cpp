#include "app/files.hpp"

#include <array>
#include <utility>

namespace kit::app {

namespace {

// Whatever a browser may take a picture for: nothing in it runs, and nothing is shown as a page.
constexpr const char* file_policy = "default-src 'none'; sandbox";

struct Kind {
    std::string_view suffix;
    const char* content_type;
    const char* disposition;
};

// What is stored here; anything else is bytes.
constexpr std::array kinds{
    Kind{".png", "image/png", "attachment; filename=\"image.png\""},
    Kind{".jpg", "image/jpeg", "attachment; filename=\"image.jpg\""},
    Kind{"", "application/octet-stream", "attachment"},
};

const Kind& kind_of(std::string_view key)
{
    std::size_t index = 0;
    while (!key.ends_with(kinds.at(index).suffix)) {
        ++index;
    }
    return kinds.at(index);
}

class FileStream final : public http::Stream {
public:
    FileStream(blob::Folder& folder, std::shared_ptr<const blob::File> file)
        : folder_(folder), file_(std::move(file))
    {
    }

    Task<std::string> next() override
    {
        auto piece = co_await folder_.read(file_, offset_, Files::piece_bytes);
        offset_ += piece.size();
        co_return piece;
    }

private:
    blob::Folder& folder_;
    std::shared_ptr<const blob::File> file_;
    std::size_t offset_ = 0;
};

Task<http::Reply> show_file(Files& files, http::RequestContext& ctx)
{
    co_return co_await files.show(ctx);
}

}  // namespace

Task<http::Reply> Files::show(http::RequestContext& ctx) const
{
    const auto key = std::string(ctx.path_parameter("space")) + '/' +
                     std::string(ctx.path_parameter("owner")) + '/' + std::string(ctx.path_parameter("name"));
    const auto expires = ctx.query_parameter("expires").value_or("");
    const auto signature = ctx.query_parameter("signature").value_or("");
    if (!folder_.is_good({.key = key, .expires = expires, .signature = signature})) {
        co_return failure(Error::forbidden("invalid or expired link"));
    }
    auto opened = blob::is_key(key) ? co_await folder_.open(key) : std::nullopt;
    if (!opened) {
        co_return failure(Error::not_found("file not found"));
    }
    const auto& kind = kind_of(key);
    http::Response response{.payload = http::Payload::complete};
    response.set("Content-Type", kind.content_type);
    response.set("Content-Disposition", kind.disposition);
    response.set("Content-Security-Policy", file_policy);
    response.set("Cross-Origin-Resource-Policy", "cross-origin");
    // An object never changes under its name.
    response.set("Cache-Control", "private, max-age=900, immutable");
    const auto file = std::make_shared<const blob::File>(*std::move(opened));
    if (file->bytes() <= whole_bytes_max) {
        response.body = co_await folder_.read(file, 0, file->bytes());
    } else {
        response.payload = http::Payload::stream;
        response.set("Content-Length", std::to_string(file->bytes()));
        response.stream = std::make_unique<FileStream>(folder_, file);
    }
    co_return response;
}

std::vector<http::Route> routes(Files& files)
{
    using namespace http;
    return {
        {Method::get,
         "/files/{space}/{owner}/{name}",
         {},
         http::bind(show_file, files),
         {.summary = "A stored object, by a signed URL",
          .ok = media("application/octet-stream"),
          .query =
              {{.name = "expires", .note = "of the signed URL", .required = true},
               {.name = "signature", .note = "likewise", .required = true}},
          .path = {{.name = "space"}, {.name = "owner"}, {.name = "name"}},
          .also = {{200, "Of a picture", media("image/png")}, {200, "", media("image/jpeg")}},
          .refusals = {{403, "The link is not good, or no longer"}, {404, "file not found"}}}},
    };
}

}  // namespace kit::app
