#include "core/base/secret.h"

namespace ai_proxy {
namespace {

// Wipes the whole capacity: a string that was moved from or shortened still
// holds old bytes behind its end.  The volatile stores cannot be left out.
void wipe(std::string& text) noexcept
{
    text.resize(text.capacity()); // never allocates
    volatile char* p = text.data();
    for (size_t i = 0; i < text.size(); i++) {
        p[i] = 0;
    }
    text.clear();
}

} // namespace

Secret& Secret::operator=(const Secret& other)
{
    if (this != &other) {
        std::string copy = other.value_;
        wipe(value_);
        value_.swap(copy);
        wipe(copy);
    }
    return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept
{
    if (this != &other) {
        wipe(value_);
        value_ = std::move(other.value_);
        wipe(other.value_);
    }
    return *this;
}

Secret::~Secret()
{
    wipe(value_);
}

bool Secret::equals(std::string_view other) const noexcept
{
    unsigned difference = value_.size() != other.size() ? 1U : 0U;
    for (size_t i = 0; i < other.size(); i++) {
        const char mine = value_.empty() ? '\0' : value_[i % value_.size()];
        difference |= unsigned(mine ^ other[i]) & 0xffU;
    }
    return difference == 0;
}

} // namespace ai_proxy
