#include "core/wire/ndjson.h"

namespace ai_proxy::wire {

namespace {

constexpr size_t kKept = 64 * 1024; // capacity that is kept between lines

} // namespace

SseEvent NdjsonFramer::parse(std::string_view raw) noexcept
{
    SseEvent event;
    event.raw = raw;
    std::string_view line = raw;
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    event.data = line;
    event.has_data = line.find_first_not_of(" \t") != std::string_view::npos;
    return event;
}

Result<void> NdjsonFramer::keep(std::string_view piece)
{
    if (piece.size() > kMaxLine - carry_.size()) {
        return make_error(ErrorCode::upstream_too_large,
            "the provider sent a line of more than 16 MB");
    }
    carry_ += piece;
    return {};
}

void NdjsonFramer::release() noexcept
{
    carry_.clear();
    if (carry_.capacity() > kKept) {
        std::string().swap(carry_);
    }
}

void append_ndjson(std::string& out, std::string_view text)
{
    out += text;
    out += '\n';
}

} // namespace ai_proxy::wire
