// JSON Schemas (2020-12) of what write() prints, as fragments without "$schema".
#pragma once

#include "platform/json/shape.hpp"

#include <functional>
#include <string>

namespace kit::json {

// How a shape within another one prints, such as by a reference; by default all stands in one place.
using SchemaOf = std::function<std::string(const Shape& shape)>;

std::string schema(const Shape& shape, const SchemaOf& within = {});

// T must not contain itself, not even in a vector: the fragment has no references.
template <class T>
std::string schema()
{
    return schema(shape<T>());
}

}  // namespace kit::json
