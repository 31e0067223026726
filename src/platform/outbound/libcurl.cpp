#include "platform/outbound/libcurl.hpp"

#include "platform/core/error.hpp"

#include <dlfcn.h>
#include <string>

namespace kit::outbound {

namespace {

constexpr const char* library_name = "libcurl.so.4";

template <class Function>
void find(void* library, const char* name, Function& function)
{
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr) {
        throw Unavailable(std::string(library_name) + " is too old: it lacks " + name);
    }
}

Libcurl open()
{
    void* const library = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        throw Unavailable(std::string(library_name) + " cannot be loaded: install Debian's package libcurl4");
    }
    decltype(&::curl_global_init) global_init = nullptr;
    find(library, "curl_global_init", global_init);
    if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        throw Unavailable(std::string(library_name) + " cannot be initialised");
    }
    Libcurl functions{};
    find(library, "curl_easy_cleanup", functions.easy_cleanup);
    find(library, "curl_easy_getinfo", functions.easy_getinfo);
    find(library, "curl_easy_init", functions.easy_init);
    find(library, "curl_easy_perform", functions.easy_perform);
    find(library, "curl_easy_setopt", functions.easy_setopt);
    find(library, "curl_multi_add_handle", functions.multi_add_handle);
    find(library, "curl_multi_cleanup", functions.multi_cleanup);
    find(library, "curl_multi_info_read", functions.multi_info_read);
    find(library, "curl_multi_init", functions.multi_init);
    find(library, "curl_multi_perform", functions.multi_perform);
    find(library, "curl_multi_poll", functions.multi_poll);
    find(library, "curl_multi_remove_handle", functions.multi_remove_handle);
    find(library, "curl_multi_setopt", functions.multi_setopt);
    find(library, "curl_multi_wakeup", functions.multi_wakeup);
    find(library, "curl_slist_append", functions.slist_append);
    find(library, "curl_slist_free_all", functions.slist_free_all);
    return functions;
}

}  // namespace

const Libcurl& libcurl()
{
    static const Libcurl functions = open();
    return functions;
}

}  // namespace kit::outbound
