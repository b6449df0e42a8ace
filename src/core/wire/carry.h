#pragma once

#include "core/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// The bytes of an event whose end has not come yet: what a framer keeps from
// one feed() to the next.
class Carry {
public:
    // Largest event, in bytes.
    static constexpr size_t kMax = 16 * 1024 * 1024;
    // Memory that stays between events.
    static constexpr size_t kKept = 1024;

    // what: an event in the words of the error ("a line").
    explicit constexpr Carry(const char* what) noexcept : what_(what) {}

    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    [[nodiscard]] size_t size() const noexcept { return text_.size(); }
    [[nodiscard]] std::string_view text() const noexcept { return text_; }

    // Error upstream_too_large beyond kMax.
    [[nodiscard]] Result<void> keep(std::string_view piece);
    void release() noexcept;

    // Hands out the events that bytes complete.  end_of(bytes): the offset
    // behind the first, npos when it goes on; parse(raw) makes it one;
    // on_event returns false to stop (the rest of bytes is dropped).
    template <class End, class Parse, class F>
    Result<void> split(
        std::string_view bytes, End&& end_of, Parse&& parse, F&& on_event);
    // End of input: hands out what is left as the last event.
    template <class Parse, class F>
    void finish(Parse&& parse, F&& on_event)
    {
        if (!text_.empty()) {
            on_event(parse(std::string_view(text_)));
            release();
        }
    }

private:
    const char* what_;
    std::string text_;
};

// Empties a text; its memory stays if it is not much.
void release(std::string& text) noexcept;

template <class End, class Parse, class F>
Result<void> Carry::split(
    std::string_view bytes, End&& end_of, Parse&& parse, F&& on_event)
{
    while (!bytes.empty()) {
        const size_t end = end_of(bytes);
        if (end == std::string_view::npos) {
            return keep(bytes);
        }
        std::string_view raw = bytes.substr(0, end);
        bytes.remove_prefix(end);
        // An event that lies within bytes is not copied.
        if (!text_.empty() || raw.size() > kMax) {
            if (auto kept = keep(raw); !kept) {
                return kept;
            }
            raw = text_;
        }
        const bool more = on_event(parse(raw));
        release();
        if (!more) {
            break;
        }
    }
    return {};
}

} // namespace ai_proxy::wire
