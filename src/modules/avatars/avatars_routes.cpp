#include "modules/avatars/avatars.hpp"
#include "platform/http/body.hpp"
#include "platform/http/multipart.hpp"
#include "platform/http/route.hpp"

#include <algorithm>
#include <array>

namespace kit::avatars {

BOOST_DESCRIBE_STRUCT(Uploaded, (), (avatar_url, file_size, object_key, uploaded_at))

namespace {

// How long a browser may go by a redirect: its target is good for longer.
constexpr std::string_view redirect_caching = "private, max-age=300";

struct DeleteAvatar {
    std::string object_key;
};
BOOST_DESCRIBE_STRUCT(DeleteAvatar, (), (object_key))

struct AvatarDeleted {
    bool deleted = true;
    std::string object_key;
};
BOOST_DESCRIBE_STRUCT(AvatarDeleted, (), (deleted, object_key))

Service::Actor actor_of(const http::RequestContext& ctx)
{
    return {.user_id = ctx.principal.user_id, .origin = audit::origin_of(ctx)};
}

Error malformed()
{
    return Error::invalid("failed to parse multipart form");
}

// The file of the form: checked while it arrives, and kept only as long as it may still be a picture.
class Form final : public http::MultipartReader::Sink {
public:
    explicit Form(std::size_t expected_bytes) : expected_bytes_(std::min(expected_bytes, file_bytes_max)) {}

    void on_part(http::PartHead head) override
    {
        in_file_ = !found_ && head.is_file && head.name == "avatar";
        if (in_file_) {
            found_ = true;
            declared_type_ = std::move(head.content_type);
        }
    }

    void on_data(std::string_view bytes) override
    {
        if (!in_file_) {
            return;
        }
        file_bytes_ += bytes.size();
        reader_.feed(bytes);
        if (reader_.fault() != ImageReader::Fault::none || file_bytes_ > file_bytes_max) {
            kept_ = {};
            return;
        }
        if (kept_.empty()) {
            kept_.reserve(expected_bytes_);  // so that nothing is ever held twice
        }
        kept_ += bytes;
    }

    bool found() const { return found_; }

    // In the order of the contract.
    Result<Image> image() &&
    {
        if (!found_) {
            return failure(Error::invalid("avatar file is required"));
        }
        if (file_bytes_ > file_bytes_max) {
            return failure(Error::invalid("file size exceeds 5MB limit").with_wire_code("FILE_TOO_LARGE"));
        }
        if (reader_.fault() == ImageReader::Fault::too_many_pixels) {
            return failure(Error::invalid("images of more than 40 megapixels are not allowed")
                               .with_wire_code("INVALID_FILE_TYPE"));
        }
        const auto type = reader_.whole();
        if (!type) {
            return failure(
                Error::invalid("only JPEG and PNG images are allowed").with_wire_code("INVALID_FILE_TYPE")
            );
        }
        return Image{.type = *type, .bytes = std::move(kept_), .declared_type = std::move(declared_type_)};
    }

private:
    std::size_t expected_bytes_;
    bool found_ = false;
    bool in_file_ = false;
    std::size_t file_bytes_ = 0;
    std::string declared_type_;
    std::string kept_;
    ImageReader reader_;
};

// Reads the body to its end, also once it is known to be refused: the client hears of it, in the contract's
// order, on a connection that goes on. Only what is no form, or too large, is cut off.
Task<Result<void>> read_form(http::RequestContext& ctx, http::MultipartReader& reader, Form& form)
{
    if (ctx.request.incoming == nullptr) {
        const bool sound = ctx.request.body.size() <= body_bytes_max && reader.feed(ctx.request.body, form);
        co_return sound&& reader.done() ? Result<void>() : failure(malformed());
    }
    auto& incoming = *ctx.request.incoming;
    const auto deadline = ctx.clock.steady_now() + upload_time_max;
    while (true) {
        const auto piece = TRY(co_await incoming.next());
        if (piece.empty()) {
            break;
        }
        if (incoming.received_bytes() > body_bytes_max || !reader.feed(piece, form)) {
            co_return failure(malformed());
        }
        if (ctx.clock.steady_now() > deadline) {
            co_return failure({ErrorCode::request_timeout, "request took too long to arrive"});
        }
    }
    co_return reader.done() ? Result<void>() : failure(malformed());
}

std::uint64_t declared_bytes(const http::Request& request)
{
    if (request.incoming == nullptr) {
        return request.body.size();
    }
    return request.incoming->declared_bytes().value_or(body_bytes_max);
}

Task<Result<Uploaded>> receive(Service& service, http::RequestContext& ctx)
{
    const auto boundary = http::multipart_boundary(ctx.request.header("content-type").value_or(""));
    const auto declared = declared_bytes(ctx.request);
    if (!boundary || declared > body_bytes_max) {
        service.count("avatar_upload_parse_error");
        co_return failure(malformed());
    }
    const UploadSlots::Slot slot(service.slots(), ctx.principal.user_id);
    http::MultipartReader reader(*boundary);
    Form form(declared);
    const auto read = co_await read_form(ctx, reader, form);
    if (!read) {
        service.count("avatar_upload_parse_error");
        co_return failure(read.error());
    }
    auto image = std::move(form).image();
    if (!image) {
        service.count(form.found() ? "avatar_upload_parse_error" : "avatar_upload_missing_file");
        co_return failure(image.error());
    }
    co_return co_await service.upload(std::move(*image), actor_of(ctx));
}

Task<http::Reply> upload(Service& service, http::RequestContext& ctx)
{
    const auto uploaded = TRY(co_await receive(service, ctx));
    co_return http::ok(uploaded);
}

Task<http::Reply> remove(Service& service, http::RequestContext& ctx)
{
    auto body = ctx.json<DeleteAvatar>();
    if (!body) {
        service.count("avatar_delete_parse_error");
        co_return failure(Error::invalid("invalid request body"));
    }
    const auto removed = co_await service.remove(body->object_key, actor_of(ctx));
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return http::ok(AvatarDeleted{.object_key = std::move(body->object_key)});
}

Task<http::Reply> show(Service& service, http::RequestContext& ctx)
{
    auto address = TRY(co_await service.address(std::string(ctx.path_parameter("link"))));
    http::Response response{.status = 302};
    response.set("Location", std::move(address));
    response.set("Cache-Control", std::string(redirect_caching));
    co_return response;
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    using namespace http;
    static constexpr std::array form_fields{Field{.name = "avatar", .required = true}};
    static constexpr std::array delete_fields{
        Field{.name = "object_key", .note = "as the upload answered", .required = true}
    };
    return {
        // Outside the limit of requests at once: how long it runs is the client's doing, and it has slots.
        {Method::post,
         "/api/v1/me/avatar",
         {authenticated, csrf_checked},
         http::bind(upload, service),
         {.summary = "Upload a picture of oneself, as the file `avatar` of a form",
          .ok = data<Uploaded>,
          .body = {.content = media("multipart/form-data"), .fields = form_fields},
          .refusals =
              {{400, "Also: no PNG or JPEG (INVALID_FILE_TYPE), or above 5 MB (FILE_TOO_LARGE)"},
               {408, "The body took too long to arrive"}}},
         {.always_answered = true, .streams_body = true}},
        {Method::del,
         "/api/v1/me/avatar",
         {authenticated, csrf_checked},
         http::bind(remove, service),
         {.summary = "Delete a picture of oneself",
          .ok = data<AvatarDeleted>,
          .body = body<DeleteAvatar>(delete_fields)}},
        // Whoever knows the link may see the picture, as with those of other products.
        {Method::get,
         "/api/v1/avatars/{link}",
         {},
         http::bind(show, service),
         {.summary = "Where a user's picture is",
          .success = 302,
          .ok = no_body,
          .path = {{.name = "link", .note = "the end of a user's `avatar_url`"}},
          .refusals = {{404, "There is no such picture"}}}},
    };
}

}  // namespace kit::avatars
