#pragma once

#include "core/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy {

// A regular expression (PCRE2) and what its matches become: "$1", "${1}",
// "${name}" are groups, "$$" is a dollar sign.  What a text can make it cost is
// bounded.
class Regex {
public:
    struct Limits {
        uint32_t match = 0, depth = 0, heap_kb = 0;
        bool utf = false; // characters, not bytes
    };
    enum class Outcome : uint8_t { none, replaced, limit };

    // Error: a phrase for the configuration log.
    static Result<Regex> compile(std::string_view pattern,
        std::string_view target, const Limits& limits);
    // One that is only looked for.
    static Result<Regex> compile(
        std::string_view pattern, const Limits& limits);
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();

    // A text in which a limit is reached does not have it.
    [[nodiscard]] bool finds(std::string_view text) const noexcept;
    // out: the text with all matches replaced, unless there is none, or a
    // limit was reached.
    [[nodiscard]] Outcome replace(
        std::string_view text, std::string& out) const;

private:
    struct Compiled;
    // A piece of a target: literal text, or a group when group >= 0.
    struct Piece {
        std::string text;
        int group = -1;
    };

    Regex();
    [[nodiscard]] Result<void> read_target(std::string_view target);
    [[nodiscard]] Result<int> group(
        std::string_view name, std::string_view target) const;
    void append(std::string& out, std::string_view text, const size_t* offsets,
        int groups) const;

    std::unique_ptr<Compiled> compiled_;
    std::vector<Piece> pieces_;
};

} // namespace ai_proxy
