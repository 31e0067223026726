// JSON without a DOM. A struct described with BOOST_DESCRIBE_STRUCT is printed (write.hpp), read (read.hpp)
// and turned into a JSON Schema (schema.hpp) from that one description:
//
//     BOOST_DESCRIBE_STRUCT(Product, (), (id, name, price))
//
//     json::write(body, product);                         // std::string& body
//     auto input = json::read<CreateProduct>(text);       // Result<CreateProduct>
//     json::object(body).field("status", "ok");           // an object without a struct
#pragma once

#include "platform/json/read.hpp"
#include "platform/json/schema.hpp"
#include "platform/json/write.hpp"
