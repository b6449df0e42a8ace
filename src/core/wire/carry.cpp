#include "core/wire/carry.h"

namespace ai_proxy::wire {

Result<void> Carry::keep(std::string_view piece)
{
    if (piece.size() > kMax - text_.size()) {
        return make_error(ErrorCode::upstream_too_large,
            std::string("the provider sent ") + what_ + " of more than 16 MB");
    }
    text_ += piece;
    return {};
}

void Carry::release() noexcept
{
    wire::release(text_);
}

void release(std::string& text) noexcept
{
    text.clear();
    if (text.capacity() > Carry::kKept) {
        std::string().swap(text);
    }
}

} // namespace ai_proxy::wire
