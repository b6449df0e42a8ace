#include "core/wire/chunked.h"

#include <algorithm>

namespace ai_proxy::wire {
namespace {

// Longest size line with its extensions, and all trailers together.
constexpr uint32_t kMaxLine = 16 * 1024;

int hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char small = char(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

} // namespace

ChunkedDecoder::State ChunkedDecoder::next(
    std::string_view& in, std::string_view& payload) noexcept
{
    payload = {};
    while (step_ != Step::done && !in.empty()) {
        if (step_ == Step::data) {
            const size_t n = size_t(std::min<uint64_t>(left_, in.size()));
            payload = in.substr(0, n);
            in.remove_prefix(n);
            left_ -= n;
            if (left_ == 0) {
                step_ = Step::data_cr;
            }
            return State::more;
        }
        if (!line_byte(in.front())) {
            return State::invalid;
        }
        in.remove_prefix(1);
    }
    return step_ == Step::done ? State::done : State::more;
}

// One byte of the framing.  A bare LF ends a line as well (RFC 9112 2.2).
bool ChunkedDecoder::line_byte(char c) noexcept
{
    switch (step_) {
    case Step::size:
        return size_byte(c);
    case Step::extension:
        if (c == '\r') {
            step_ = Step::size_lf;
        } else if (c == '\n') {
            end_size_line();
        }
        return ++line_ <= kMaxLine;
    case Step::size_lf:
        end_size_line();
        return c == '\n';
    case Step::data_cr:
        step_ = c == '\r' ? Step::data_lf : Step::size;
        return c == '\r' || c == '\n';
    case Step::data_lf:
        step_ = Step::size;
        return c == '\n';
    case Step::trailer_start:
        if (c == '\r') {
            step_ = Step::last_lf;
        } else {
            step_ = c == '\n' ? Step::done : Step::trailer;
        }
        return ++line_ <= kMaxLine;
    case Step::trailer:
        if (c == '\r') {
            step_ = Step::trailer_lf;
        } else if (c == '\n') {
            step_ = Step::trailer_start;
        }
        return ++line_ <= kMaxLine;
    case Step::trailer_lf:
        step_ = Step::trailer_start;
        return c == '\n';
    case Step::last_lf:
        step_ = Step::done;
        return c == '\n';
    case Step::data:
    case Step::done:
        break;
    }
    return false;
}

bool ChunkedDecoder::size_byte(char c) noexcept
{
    if (const int digit = hex_digit(c); digit >= 0) {
        if (left_ >> 60 != 0) {
            return false;
        }
        left_ = left_ << 4 | uint64_t(digit);
        digits_ = true;
        return ++line_ <= kMaxLine;
    }
    if (!digits_) {
        return false;
    }
    if (c == '\r') {
        step_ = Step::size_lf;
    } else if (c == '\n') {
        end_size_line();
    } else if (c == ';' || c == ' ' || c == '\t') {
        step_ = Step::extension;
    } else {
        return false;
    }
    return true;
}

void ChunkedDecoder::end_size_line() noexcept
{
    step_ = left_ == 0 ? Step::trailer_start : Step::data;
    digits_ = false;
    line_ = 0;
}

} // namespace ai_proxy::wire
