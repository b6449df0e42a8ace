#include "core/wire/ndjson.h"

namespace ai_proxy::wire {

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

void append_ndjson(std::string& out, std::string_view text)
{
    out += text;
    out += '\n';
}

} // namespace ai_proxy::wire
