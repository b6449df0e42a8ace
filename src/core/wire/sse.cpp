#include "core/wire/sse.h"

#include "core/base/text.h"

#include <algorithm>
#include <cstring>

namespace ai_proxy::wire {
namespace {

constexpr size_t npos = std::string_view::npos;

// The next CR or LF, or the size of text.  By windows, so that a stream of
// lone CRs does not search the whole rest for a LF again and again.
size_t line_end(std::string_view text, size_t from) noexcept
{
    constexpr size_t kWindow = 512;
    while (from < text.size()) {
        const size_t room = std::min(kWindow, text.size() - from);
        const char* begin = text.data() + from;
        const auto* lf =
            static_cast<const char*>(std::memchr(begin, '\n', room));
        const size_t span = lf == nullptr ? room : size_t(lf - begin);
        if (const auto* cr =
                static_cast<const char*>(std::memchr(begin, '\r', span))) {
            return size_t(cr - text.data());
        }
        if (lf != nullptr) {
            return from + span;
        }
        from += room;
    }
    return text.size();
}

int read_status(std::string_view comment) noexcept
{
    constexpr std::string_view kPrefix = "HTTP_STATUS/";
    if (!comment.starts_with(kPrefix)) {
        return 0;
    }
    const auto status = parse_uint(trim(comment.substr(kPrefix.size())));
    return status && *status >= 100 && *status <= 599 ? int(*status) : 0;
}

} // namespace

size_t SseFramer::end_of(std::string_view bytes) noexcept
{
    size_t i = 0;
    while (i < bytes.size()) {
        const char c = bytes[i];
        switch (prior_) {
        case Prior::start:
            if (c == '\n' && !owed_lf_) {
                return i + 1;
            }
            i += c == '\n' || c == '\r' ? 1 : 0;
            if (c != '\n') {
                prior_ = c == '\r' ? Prior::blank_cr : Prior::inside;
            }
            owed_lf_ = false;
            continue;
        case Prior::inside:
            i = line_end(bytes, i);
            if (i < bytes.size()) {
                prior_ = bytes[i++] == '\n' ? Prior::lf : Prior::cr;
            }
            continue;
        case Prior::cr:
            if (c == '\n') {
                prior_ = Prior::crlf;
                i++;
                continue;
            }
            [[fallthrough]];
        case Prior::lf:
            if (c == '\n' || c == '\r') {
                prior_ = Prior::start;
                owed_lf_ = c == '\r';
                return i + 1;
            }
            prior_ = Prior::inside;
            continue;
        case Prior::crlf:
            if (c == '\n') {
                prior_ = Prior::start;
                return i + 1;
            }
            i += c == '\r' ? 1 : 0;
            prior_ = c == '\r' ? Prior::blank_cr : Prior::inside;
            continue;
        case Prior::blank_cr:
            prior_ = Prior::start;
            return c == '\n' ? i + 1 : i;
        }
    }
    return npos;
}

SseEvent SseFramer::parse(std::string_view raw)
{
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    SseEvent event;
    event.raw = raw;
    std::string_view rest = raw;
    if (!begun_) {
        begun_ = true;
        rest.remove_prefix(rest.starts_with(kMark) ? kMark.size() : 0);
    }
    size_t data_lines = 0;
    while (!rest.empty()) {
        const size_t end = line_end(rest, 0);
        if (end > 0) {
            field(rest.substr(0, end), event, data_lines);
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    event.has_data = data_lines > 0;
    if (data_lines > 1) {
        event.data = joined_;
    }
    return event;
}

void SseFramer::field(
    std::string_view line, SseEvent& event, size_t& data_lines)
{
    const size_t colon = line.find(':');
    if (colon == 0) {
        const int status = read_status(line.substr(1));
        event.http_status = status != 0 ? status : event.http_status;
        return;
    }
    const std::string_view name = line.substr(0, colon);
    std::string_view value =
        colon == npos ? std::string_view{} : line.substr(colon + 1);
    value.remove_prefix(value.starts_with(' ') ? 1 : 0);
    if (name == "event") {
        event.event = value;
    } else if (name == "data") {
        if (data_lines == 0) {
            event.data = value;
        } else {
            if (data_lines == 1) {
                joined_.assign(event.data);
            }
            joined_ += '\n';
            joined_ += value;
        }
        data_lines++;
    }
}

} // namespace ai_proxy::wire
