// Serves the objects of a local folder to whoever has a signed URL. Not in the table where the objects lie in
// a store that serves them itself.
#pragma once

#include "platform/blob/blob.hpp"
#include "platform/http/route.hpp"

#include <cstddef>
#include <vector>

namespace kit::app {

class Files {
public:
    static constexpr std::size_t whole_bytes_max = 128UL * 1024;  // larger ones are sent piece by piece
    static constexpr std::size_t piece_bytes = 64UL * 1024;

    explicit Files(blob::Folder& folder) : folder_(folder) {}

    // forbidden: no good signature, or its time has passed; not_found.
    Task<http::Reply> show(http::RequestContext& ctx) const;

private:
    blob::Folder& folder_;
};

// Before the key, in every signed URL.
inline constexpr const char* files_path = "/files/";

std::vector<http::Route> routes(Files& files);

}  // namespace kit::app
