#pragma once

#include "core/json/reader.h"

#include <cstdint>
#include <string_view>

// How many tokens a text will be, where nobody can be asked.  Made for
// deciding when a context is full: rather a little too much than too little.
namespace ai_proxy::usage {

// Text that passes piece by piece: where it is cut does not matter.
class Tally {
public:
    void add(std::string_view text) noexcept;
    [[nodiscard]] int64_t tokens() const noexcept;

private:
    int64_t ascii_ = 0, latin_ = 0, other_ = 0;
};

// About four letters of Latin script per token, and at most one character of
// the scripts that tokenizers know less well.
[[nodiscard]] int64_t estimate_text(std::string_view text) noexcept;

// Everything that a request of any dialect says, tools included; pictures and
// documents count as what they usually cost.
[[nodiscard]] int64_t estimate_request(json::Node body) noexcept;

} // namespace ai_proxy::usage
