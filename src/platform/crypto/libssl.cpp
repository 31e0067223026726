// The functions of libssl that TLS sessions use, each forwarded to the library that load_libssl() has opened.
// A process that speaks no TLS of its own, most behind a proxy, does not pay for it.
#include "platform/crypto/libssl.hpp"

#include "platform/core/error.hpp"

#include <openssl/ssl.h>

#include <dlfcn.h>
#include <string>

namespace kit {

namespace {

constexpr const char* library_name = "libssl.so.3";

void* library()
{
    static void* const opened = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
        throw Unavailable(std::string(library_name) + " cannot be loaded: install Debian's package libssl3");
    }
    return opened;
}

template <class Function>
Function* symbol(const char* name)
{
    auto* const found = reinterpret_cast<Function*>(::dlsym(library(), name));
    if (found == nullptr) {
        throw Unavailable(std::string(library_name) + " is too old: it lacks " + name);
    }
    return found;
}

}  // namespace

void load_libssl()
{
    library();
}

}  // namespace kit

using kit::symbol;

extern "C" {

const SSL_METHOD* TLS_client_method()
{
    static const auto function = symbol<decltype(TLS_client_method)>("TLS_client_method");
    return function();
}

SSL_CTX* SSL_CTX_new(const SSL_METHOD* method)
{
    static const auto function = symbol<decltype(SSL_CTX_new)>("SSL_CTX_new");
    return function(method);
}

void SSL_CTX_free(SSL_CTX* context)
{
    static const auto function = symbol<decltype(SSL_CTX_free)>("SSL_CTX_free");
    return function(context);
}

long SSL_CTX_ctrl(SSL_CTX* context, int command, long number, void* pointer)
{
    static const auto function = symbol<decltype(SSL_CTX_ctrl)>("SSL_CTX_ctrl");
    return function(context, command, number, pointer);
}

void SSL_CTX_set_verify(SSL_CTX* context, int mode, SSL_verify_cb callback)
{
    static const auto function = symbol<decltype(SSL_CTX_set_verify)>("SSL_CTX_set_verify");
    return function(context, mode, callback);
}

int SSL_CTX_set_default_verify_paths(SSL_CTX* context)
{
    static const auto function =
        symbol<decltype(SSL_CTX_set_default_verify_paths)>("SSL_CTX_set_default_verify_paths");
    return function(context);
}

int SSL_CTX_load_verify_locations(SSL_CTX* context, const char* file, const char* folder)
{
    static const auto function =
        symbol<decltype(SSL_CTX_load_verify_locations)>("SSL_CTX_load_verify_locations");
    return function(context, file, folder);
}

SSL* SSL_new(SSL_CTX* context)
{
    static const auto function = symbol<decltype(SSL_new)>("SSL_new");
    return function(context);
}

void SSL_free(SSL* session)
{
    static const auto function = symbol<decltype(SSL_free)>("SSL_free");
    return function(session);
}

long SSL_ctrl(SSL* session, int command, long number, void* pointer)
{
    static const auto function = symbol<decltype(SSL_ctrl)>("SSL_ctrl");
    return function(session, command, number, pointer);
}

int SSL_do_handshake(SSL* session)
{
    static const auto function = symbol<decltype(SSL_do_handshake)>("SSL_do_handshake");
    return function(session);
}

int SSL_get_error(const SSL* session, int result)
{
    static const auto function = symbol<decltype(SSL_get_error)>("SSL_get_error");
    return function(session, result);
}

long SSL_get_verify_result(const SSL* session)
{
    static const auto function = symbol<decltype(SSL_get_verify_result)>("SSL_get_verify_result");
    return function(session);
}

int SSL_read(SSL* session, void* bytes, int size)
{
    static const auto function = symbol<decltype(SSL_read)>("SSL_read");
    return function(session, bytes, size);
}

int SSL_set1_host(SSL* session, const char* name)
{
    static const auto function = symbol<decltype(SSL_set1_host)>("SSL_set1_host");
    return function(session, name);
}

void SSL_set_bio(SSL* session, BIO* incoming, BIO* outgoing)
{
    static const auto function = symbol<decltype(SSL_set_bio)>("SSL_set_bio");
    return function(session, incoming, outgoing);
}

void SSL_set_connect_state(SSL* session)
{
    static const auto function = symbol<decltype(SSL_set_connect_state)>("SSL_set_connect_state");
    return function(session);
}

void SSL_set_hostflags(SSL* session, unsigned int flags)
{
    static const auto function = symbol<decltype(SSL_set_hostflags)>("SSL_set_hostflags");
    return function(session, flags);
}

int SSL_write_ex(SSL* session, const void* bytes, size_t size, size_t* written)
{
    static const auto function = symbol<decltype(SSL_write_ex)>("SSL_write_ex");
    return function(session, bytes, size, written);
}

}  // extern "C"
