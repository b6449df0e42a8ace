#pragma once

#include "core/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::json {

// Edits members of the top-level object of a JSON text by byte ranges:
// everything else (unknown fields, number spelling, key order, white space)
// stays as sent.
class Splice {
public:
    // text: an object that json::Parser has accepted, followed by
    // json::kPadding readable bytes; must outlive this.  Error invalid_json
    // when the top level is no object.
    static Result<Splice> scan(const char* text, size_t length);

    [[nodiscard]] bool has(std::string_view key) const noexcept;
    // The raw JSON text of a member's value, or empty.
    [[nodiscard]] std::string_view raw(std::string_view key) const noexcept;
    // Replaces the value, or adds the member at the end.
    void set(std::string_view key, std::string raw_json);
    // Renames a member, keeping its value; no-op when absent.
    void rename(std::string_view key, std::string_view new_key);
    void remove(std::string_view key);

    // The edited text as consecutive pieces: views into the original text and
    // into strings owned by this object.
    [[nodiscard]] std::vector<std::string_view> pieces() const;
    [[nodiscard]] std::string text() const;

private:
    struct Slot {
        std::string_view key;    // undecoded, without quotes
        size_t key_begin, value_begin, value_end; // key_begin at the quote
        std::string new_key;     // quoted, when renamed
        std::string new_value;
        bool replaced = false, removed = false, added = false;
    };

    std::string_view text_;
    size_t close_ = 0; // offset of the closing brace
    std::vector<Slot> slots_;
    mutable std::vector<std::string> joints_;
};

} // namespace ai_proxy::json
