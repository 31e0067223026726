// What people type, in one form: UAX #15 and the case mappings of the Unicode Character Database.
#pragma once

#include <string>
#include <string_view>

namespace kit {

// Normalisation Form KC: one spelling for what looks the same (composed letters, full-width forms,
// ligatures). Text that is not UTF-8 is returned as it is.
std::string to_nfkc(std::string_view text);

// Every letter in lower case by the simple mapping, in Normalisation Form KC; doing it again changes nothing.
// Text that is not UTF-8 is returned as it is.
std::string to_nfkc_lower(std::string_view text);

}  // namespace kit
