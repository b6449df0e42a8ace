#include "core/wire/json_array.h"

namespace ai_proxy::wire {

namespace {

bool is_space(char c) noexcept
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

} // namespace

// A byte between objects.
Result<void> JsonArrayFramer::outside(char c)
{
    if (is_space(c)) {
        return {};
    }
    if (place_ == Place::start && (c == '[' || c == '{')) {
        place_ = c == '[' ? Place::array : Place::lone;
    } else if (place_ == Place::array && c == ']') {
        place_ = Place::end;
    } else if (place_ != Place::array || (c != ',' && c != '{')) {
        return make_error(ErrorCode::upstream_invalid,
            "The provider's answer is no array of objects.");
    }
    depth_ = c == '{' ? 1 : 0;
    return {};
}

void JsonArrayFramer::inside(char c) noexcept
{
    if (in_string_) {
        in_string_ = escaped_ || c != '"';
        escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
        in_string_ = true;
    } else if (c == '{' || c == '[') {
        ++depth_;
    } else if (c == '}' || c == ']') {
        --depth_;
    }
}

Result<size_t> JsonArrayFramer::scan(std::string_view bytes)
{
    for (size_t i = 0; i < bytes.size(); ++i) {
        if (depth_ != 0) {
            inside(bytes[i]);
            if (depth_ != 0) {
                continue;
            }
            place_ = place_ == Place::lone ? Place::end : place_;
            return i + 1;
        }
        if (auto placed = outside(bytes[i]); !placed) {
            return std::move(placed).error();
        }
        if (depth_ != 0) {
            data_ = carry_.size() + i;
            has_data_ = true;
        }
    }
    return std::string_view::npos;
}

SseEvent JsonArrayFramer::parse(std::string_view raw) noexcept
{
    SseEvent event;
    event.raw = raw;
    event.has_data = has_data_;
    if (has_data_) {
        event.data = raw.substr(data_);
    }
    has_data_ = false;
    return event;
}

Result<void> JsonArrayFramer::truncated() const
{
    return make_error(ErrorCode::upstream_truncated,
        "The provider's answer ended before it was complete.");
}

} // namespace ai_proxy::wire
