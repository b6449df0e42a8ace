#pragma once

#include "core/base/result.h"
#include "core/wire/carry.h"
#include "core/wire/sse.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// Splits one JSON array into its objects while it comes in (Gemini's streams
// without alt=sse).  Fed any bytes: output does not depend on how they were
// cut.  Each event's data is one object, its raw what stands before it as
// well; the end of the array is an event without data, at the end of input.
// All raw views in order make up the input.  An object that stands alone is an
// array of one.
//
// Only brackets and strings are looked at: whether an object is JSON is for
// its reader to find out.
class JsonArrayFramer {
public:
    // Largest object, in bytes, before feed() fails with upstream_too_large.
    static constexpr size_t kMaxObject = Carry::kMax;

    // As SseFramer's.  Also fails with upstream_invalid on what is no array
    // of objects.
    template <class F>
    Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: upstream_truncated before the end of the array.
    template <class F>
    Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }
    // Has the array begun, and was its end not given out?
    [[nodiscard]] bool open() const noexcept
    {
        return place_ == Place::array
            || (place_ == Place::end && !carry_.empty());
    }

private:
    enum class Place : uint8_t {
        start, // before the array
        array, // in it
        lone,  // in an object that stands alone
        end,   // behind it
    };

    // How much of bytes belongs to the event that they end; npos: all, and it
    // goes on.
    Result<size_t> scan(std::string_view bytes);
    Result<void> outside(char c);
    void inside(char c) noexcept;
    [[nodiscard]] SseEvent parse(std::string_view raw) noexcept;
    [[nodiscard]] Result<void> truncated() const;

    Carry carry_{"an object"};
    size_t data_ = 0; // where its object begins, if has_data_
    bool has_data_ = false;
    Place place_ = Place::start;
    uint32_t depth_ = 0; // of brackets, within an object
    bool in_string_ = false, escaped_ = false;
};

template <class F>
Result<void> JsonArrayFramer::feed(std::string_view bytes, F&& on_event)
{
    Result<void> fault;
    const auto end_of = [&](std::string_view rest) {
        auto end = scan(rest);
        if (!end) {
            fault = std::move(end).error();
        }
        return end ? *end : std::string_view::npos;
    };
    auto fed = carry_.split(
        bytes, end_of, [this](std::string_view raw) { return parse(raw); },
        on_event);
    return fault ? std::move(fed) : std::move(fault);
}

template <class F>
Result<void> JsonArrayFramer::finish(F&& on_event)
{
    if (place_ != Place::end) {
        carry_.release();
        return truncated();
    }
    carry_.finish(
        [this](std::string_view raw) { return parse(raw); }, on_event);
    return {};
}

} // namespace ai_proxy::wire
