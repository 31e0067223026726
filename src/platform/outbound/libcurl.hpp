// libcurl, opened when the first call is made. It brings some thirty libraries with it (LDAP, Kerberos,
// RTMP): a process that never calls out neither needs nor pays for them.
#pragma once

#define CURL_STRICTER  // handles of different kinds are different types
#include <curl/curl.h>
#include <string>

namespace kit::outbound {

// The functions that the clients use. As pointers, since several take variable arguments, which no function
// can forward.
struct Libcurl {
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_getinfo) easy_getinfo;
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_perform) easy_perform;
    decltype(&::curl_easy_setopt) easy_setopt;
    decltype(&::curl_multi_add_handle) multi_add_handle;
    decltype(&::curl_multi_cleanup) multi_cleanup;
    decltype(&::curl_multi_info_read) multi_info_read;
    decltype(&::curl_multi_init) multi_init;
    decltype(&::curl_multi_perform) multi_perform;
    decltype(&::curl_multi_poll) multi_poll;
    decltype(&::curl_multi_remove_handle) multi_remove_handle;
    decltype(&::curl_multi_setopt) multi_setopt;
    decltype(&::curl_multi_wakeup) multi_wakeup;
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;
};

// Opened and initialised once. Throws Unavailable where the library is not installed or too old.
const Libcurl& libcurl();

struct CurlDeleter {
    void operator()(CURL* handle) const { libcurl().easy_cleanup(handle); }

    void operator()(CURLM* handle) const { libcurl().multi_cleanup(handle); }
};

class CurlList {
public:
    CurlList() = default;
    CurlList(const CurlList&) = delete;
    CurlList& operator=(const CurlList&) = delete;

    ~CurlList()
    {
        if (first_ != nullptr) {
            libcurl().slist_free_all(first_);
        }
    }

    // False: out of memory, and the list is as it was.
    [[nodiscard]] bool append(const std::string& text)
    {
        auto* const first = libcurl().slist_append(first_, text.c_str());
        first_ = first != nullptr ? first : first_;
        return first != nullptr;
    }

    curl_slist* get() const { return first_; }

private:
    curl_slist* first_ = nullptr;
};

}  // namespace kit::outbound
