// Beast's own code for reading heads, compiled once (BOOST_BEAST_SEPARATE_COMPILATION). Not
// <boost/beast/src.hpp>: it compiles WebSocket and zlib too.
#include <boost/beast/core/impl/string.ipp>
#include <boost/beast/http/detail/basic_parser.ipp>
#include <boost/beast/http/detail/rfc7230.ipp>
#include <boost/beast/http/impl/basic_parser.ipp>
#include <boost/beast/http/impl/error.ipp>
#include <boost/beast/http/impl/field.ipp>
#include <boost/beast/http/impl/rfc7230.ipp>
#include <boost/beast/http/impl/verb.ipp>

// The one parser that is used.
template class boost::beast::http::basic_parser<true>;
