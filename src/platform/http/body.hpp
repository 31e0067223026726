// JSON in and out of handlers: request bodies into described structs, described values into responses.
#pragma once

#include "platform/http/types.hpp"
#include "platform/json/json.hpp"

#include <utility>

namespace kit::http {

template <class T>
Result<T> RequestContext::json() const
{
    return json::read<T>(request.body);
}

// A success whose `data` is the value.
template <class T>
Response answer(int status, const T& data)
{
    Response response{.status = status, .payload = Payload::data};
    json::write(response.body, data);
    return response;
}

template <class T>
Response ok(const T& data)
{
    return answer(200, data);
}

// The same of JSON text that is ready.
inline Response ok_json(std::string data)
{
    return {.payload = Payload::data, .body = std::move(data), .headers = {}};
}

template <class T>
Response created(const T& data)
{
    return answer(201, data);
}

// A success whose `data` is {"status": …}.
struct StatusBody {
    std::string status;
};
BOOST_DESCRIBE_STRUCT(StatusBody, (), (status))

}  // namespace kit::http
