#include "modules/flags/flags_ofrep_routes.hpp"

#include "platform/core/encoding.hpp"
#include "platform/core/etag.hpp"
#include "platform/http/body.hpp"
#include "platform/http/paging.hpp"

#include <array>

namespace kit::flags {

namespace {

// The protocol names its members itself.
// NOLINTBEGIN(readability-identifier-naming)
struct EvaluationContext {
    std::string targetingKey;  // a user's id
    std::optional<std::string> org;
    std::optional<std::string> environment;
};

struct EvaluationRequest {
    std::optional<EvaluationContext> context;
};

struct FlagValueMetadata {
    std::string_view source;
};

struct FlagValue {
    std::string_view key;
    bool value = false;
    std::string_view reason;
    std::string_view variant;
    FlagValueMetadata metadata;
};

struct FlagValues {
    std::vector<FlagValue> flags;
};

struct EvaluationFailure {
    std::optional<std::string> key;  // of one flag
    std::string_view errorCode;
    std::string errorDetails;
};
// NOLINTEND(readability-identifier-naming)

BOOST_DESCRIBE_STRUCT(EvaluationContext, (), (targetingKey, org, environment))
BOOST_DESCRIBE_STRUCT(EvaluationRequest, (), (context))
BOOST_DESCRIBE_STRUCT(FlagValueMetadata, (), (source))
BOOST_DESCRIBE_STRUCT(FlagValue, (), (key, value, reason, variant, metadata))
BOOST_DESCRIBE_STRUCT(FlagValues, (), (flags))
BOOST_DESCRIBE_STRUCT(EvaluationFailure, (), (key, errorCode, errorDetails))

// As it comes: whether the context can be understood is asked after whether the document can.
struct RawRequest {
    json::Raw context;
};
BOOST_DESCRIBE_STRUCT(RawRequest, (), (context))

template <class T>
http::Response bare_answer(int status, const T& value)
{
    http::Response response{.status = status, .payload = http::Payload::complete};
    response.set("Content-Type", "application/json");
    json::write(response.body, value);
    return response;
}

// What the protocol says of a refusal that is its own; the others have the forms of every route.
struct Fault {
    int status;
    std::string_view code;
    std::string details;
};

http::Response answer(const Fault& fault, std::optional<std::string> key)
{
    return bare_answer(
        fault.status,
        EvaluationFailure{.key = std::move(key), .errorCode = fault.code, .errorDetails = fault.details}
    );
}

std::expected<EvaluationContext, Fault> read_context(const http::Request& request)
{
    EvaluationContext context;
    if (!request.body.empty()) {
        const auto document = json::read<RawRequest>(request.body);
        if (!document) {
            return std::unexpected(Fault{400, "PARSE_ERROR", document.error().message()});
        }
        if (!document->context.text.empty()) {
            auto read = json::read_detailed<EvaluationContext>(document->context.text);
            if (!read) {
                return std::unexpected(Fault{
                    400, "INVALID_CONTEXT", "context" + read.error().pointer + ": " + read.error().reason
                });
            }
            context = std::move(*read);
        }
    }
    context.targetingKey = trim(context.targetingKey);
    if (context.targetingKey.empty()) {
        return std::unexpected(Fault{400, "TARGETING_KEY_MISSING", "targetingKey, a user's id, is required"});
    }
    if (!http::positive_integer(context.targetingKey)) {
        return std::unexpected(Fault{400, "INVALID_CONTEXT", "targetingKey must be a user's id"});
    }
    return context;
}

Task<Result<Subject>> subject_of(Service& service, const http::RequestContext& ctx, EvaluationContext context)
{
    return service.subject_for(
        ctx.principal.user_id,
        *http::positive_integer(context.targetingKey),
        std::move(context.org).value_or(""),
        std::move(context.environment).value_or("")
    );
}

// Who gets what value is one of OpenFeature's reasons; the rule itself is in the metadata.
FlagValue value_of(const Evaluation& evaluation)
{
    std::string_view reason = "TARGETING_MATCH";
    if (evaluation.source == "default") {
        reason = "DEFAULT";
    } else if (evaluation.source == "rule:percent") {
        reason = "SPLIT";
    }
    return {
        .key = evaluation.key,
        .value = evaluation.enabled,
        .reason = reason,
        .variant = evaluation.enabled ? "on" : "off",
        .metadata = {.source = evaluation.source},
    };
}

Task<http::Reply> evaluate_one(Service& service, http::RequestContext& ctx)
{
    std::string key(ctx.path_parameter("key"));
    auto context = read_context(ctx.request);
    if (!context) {
        co_return answer(context.error(), std::move(key));
    }
    auto subject = TRY(co_await subject_of(service, ctx, std::move(*context)));
    const auto evaluation = co_await service.evaluate_one(key, std::move(subject));
    if (!evaluation) {
        co_return answer({404, "FLAG_NOT_FOUND", "feature flag not found"}, std::move(key));
    }
    co_return bare_answer(200, value_of(*evaluation));
}

// The tag is of the values and of whom they are for: the same values for somebody else are another answer.
Task<http::Reply> evaluate_all(Service& service, http::RequestContext& ctx)
{
    auto context = read_context(ctx.request);
    if (!context) {
        co_return answer(context.error(), std::nullopt);
    }
    auto subject = TRY(co_await subject_of(service, ctx, std::move(*context)));
    auto whom = subject_key(subject);
    const auto evaluations = co_await service.evaluate_all(std::move(subject));
    FlagValues values;
    for (const auto& evaluation : *evaluations) {
        values.flags.push_back(value_of(evaluation));
    }
    auto response = bare_answer(200, values);
    auto etag = evaluations_tag(whom, response.body);
    if (etag_listed(ctx.request.header("if-none-match").value_or(""), etag, EtagComparison::weak)) {
        response = {.status = 304};
    }
    response.set("ETag", std::move(etag));
    response.set("Cache-Control", "private, no-cache");
    co_return response;
}

}  // namespace

std::vector<http::Route> ofrep_rows(Service& service)
{
    using namespace http;
    static constexpr Field key{.name = "key"};
    static constexpr std::array fields{Field{
        .name = "context", .note = "whom the flags are for; its other members are ignored", .required = true
    }};
    static constexpr Refusal bad_context{
        400,
        "PARSE_ERROR, INVALID_CONTEXT, or TARGETING_KEY_MISSING",
        bare<EvaluationFailure>,
    };
    static constexpr Refusal somebody_else{
        403, "For another user than oneself: feature_flags:read is missing"
    };
    static constexpr std::string_view note =
        "OpenFeature Remote Evaluation Protocol. `targetingKey` is a user's id: the caller's own, or with "
        "the "
        "permission feature_flags:read anybody's. Roles are those that the user has now, whatever the "
        "context "
        "says; `org` and `environment` are hints.";
    return {
        {Method::post,
         "/ofrep/v1/evaluate/flags/{key}",
         {authenticated},
         http::bind(evaluate_one, service),
         {.summary = "OFREP: one flag",
          .ok = bare<FlagValue>,
          .body = body<EvaluationRequest>(fields),
          .path = {key},
          .refusals = {bad_context, somebody_else, {404, "FLAG_NOT_FOUND", bare<EvaluationFailure>}},
          .note = note}},
        {Method::post,
         "/ofrep/v1/evaluate/flags",
         {authenticated},
         http::bind(evaluate_all, service),
         {.summary = "OFREP: all flags",
          .ok = bare<FlagValues>,
          .body = body<EvaluationRequest>(fields),
          .refusals = {bad_context, somebody_else},
          .tagged = true,
          .note = note}},
    };
}

}  // namespace kit::flags
