#pragma once

#include "core/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::json {

// Edits members of the top-level object of a JSON text by byte ranges:
// everything else (unknown fields, number spelling, key order, white space)
// stays as sent.  Names are compared decoded.  Where a name occurs twice,
// edits leave one.
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
    // Renames a member, keeping its value; no-op when absent.  A member that
    // has the new name already gives way.
    void rename(std::string_view key, std::string_view new_key);
    void remove(std::string_view key);

    // The edited text as consecutive pieces: views into the original text and
    // into strings owned by this object.
    [[nodiscard]] std::vector<std::string_view> pieces() const;
    [[nodiscard]] std::string text() const;

private:
    struct Slot {
        std::string_view key; // undecoded, without quotes
        size_t key_begin = 0, value_begin = 0, value_end = 0; // key: its quote
        std::string new_key; // quoted, when renamed or added
        std::string new_value;
        bool replaced = false, removed = false, added = false;
    };

    // The current name, undecoded.
    static std::string_view name(const Slot& slot) noexcept;
    [[nodiscard]] const Slot* find(std::string_view key) const noexcept;
    // The first member of this name; further ones are removed.
    Slot* claim(std::string_view key) noexcept;

    std::string_view text_;
    size_t close_ = 0; // offset of the closing brace
    std::vector<Slot> slots_;
};

} // namespace ai_proxy::json
