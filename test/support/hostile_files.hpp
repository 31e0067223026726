// Uploads that mean harm, or are broken: none of them may be stored.
#pragma once

#include "support/images.hpp"

#include <string>
#include <vector>

namespace kit::test {

struct HostileFile {
    const char* name;
    std::string content;
    const char* code;  // of the refusal
    std::string file_name = "me.png";
};

inline std::vector<HostileFile> hostile_files()
{
    const char* const type = "INVALID_FILE_TYPE";
    const std::string script = "<script>alert(document.cookie)</script>";
    const std::string svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\">" + script + "</svg>";
    const std::string zip_end = std::string("PK\x5\x6", 4) + std::string(18, '\0');
    const auto whole_png = png();
    const auto whole_jpeg = jpeg();
    return {
        {"empty", "", type},
        {"SVG with script", svg, type},
        {"SVG behind a BOM", "\xEF\xBB\xBF" + svg, type},
        {"HTML", "<!doctype html>" + script, type},
        {"GIF", "GIF89a" + std::string("\x1\0\x1\0\0\0\0;", 8), type},
        {"GIF that is a script", "GIF89a=1;alert(1)//", type},
        {"WebP", "RIFF" + std::string("\x1A\0\0\0", 4) + "WEBPVP8L", type},
        {"BMP", "BM" + std::string(60, '\0'), type},
        {"TIFF", std::string("II*\0", 4) + std::string(60, '\0'), type},
        {"ICO", std::string("\0\0\1\0", 4) + std::string(60, '\0'), type},
        {"PDF", "%PDF-1.7\n" + whole_jpeg, type},
        {"ELF",
         "\x7F"
         "ELF" +
             std::string(200, '\0'),
         type},
        {"PHP", "<?php system($_GET['c']);", type, "shell.php"},
        {"ZIP", std::string("PK\x3\x4", 4) + std::string(100, '\0') + zip_end, type},
        {"polyglot: PNG and ZIP", whole_png + zip_end, type},
        {"polyglot: JPEG and ZIP", whole_jpeg + zip_end, type},
        {"polyglot: PNG and HTML", whole_png + script, type, "me.html"},
        {"polyglot: JPEG and PHP", whole_jpeg + "<?php phpinfo();", type, "me.php.jpg"},
        {"polyglot: two PNGs", whole_png + whole_png, type},
        {"PNG of 50,000 by 50,000", png({.width = 50'000, .height = 50'000}), type},
        {"PNG of 2^31 by 2^31", png({.width = 0x7FFFFFFF, .height = 0x7FFFFFFF}), type},
        {"JPEG of 65,535 by 65,535", jpeg({.width = 65'535, .height = 65'535}), type},
        {"PNG without pixels", png({.width = 0, .height = 0}), type},
        {"truncated PNG", whole_png.substr(0, whole_png.size() - 5), type},
        {"truncated JPEG", whole_jpeg.substr(0, whole_jpeg.size() - 1), type},
        {"a PNG's signature alone", png_signature(), type},
        {"a JPEG's signature and zeros", "\xFF\xD8\xFF" + std::string(1'000, '\0'), type},
        {"PNG that claims a chunk of 2 GiB", png_signature() + png_header({}) + "\x7F\xFF\xFF\xFFIDAT", type},
        {"script under a picture's name and path", script, type, "../../../../etc/cron.d/me.png"},
        {"six megabytes less the form", png({.padding_bytes = 6'000'000}), "FILE_TOO_LARGE"},
    };
}

inline std::string hostile_form(const HostileFile& file)
{
    return form_part("name=\"avatar\"; filename=\"" + file.file_name + "\"", file.content, "image/png") +
           form_end();
}

}  // namespace kit::test
