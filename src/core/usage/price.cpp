#include "core/usage/price.h"

#include "core/base/text.h"

#include <algorithm>
#include <limits>

namespace ai_proxy::usage {

namespace {

constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();

uint64_t product(int64_t tokens, uint64_t price) noexcept
{
    uint64_t made = 0;
    return tokens <= 0 ? 0
        : __builtin_mul_overflow(static_cast<uint64_t>(tokens), price, &made)
        ? kMost
        : std::min(made, kMost);
}

} // namespace

const Price* find_price(std::span<const Price> prices,
    std::string_view provider, std::string_view model) noexcept
{
    for (const Price& price : prices) {
        if ((price.provider.empty() || price.provider == provider)
            && glob_match(price.model, model))
        {
            return &price;
        }
    }
    return nullptr;
}

int64_t cost(const Price& price, const chat::Usage& usage) noexcept
{
    const int64_t plain = usage.prompt - usage.cache_read - usage.cache_write;
    uint64_t sum = 0;
    for (const uint64_t part :
        {product(plain, price.input), product(usage.cache_read, price.cached),
            product(usage.cache_write, price.cache_write),
            product(usage.completion, price.output)})
    {
        sum = std::min(sum + part, kMost); // both are at most that
    }
    return static_cast<int64_t>(sum / 1000 + (sum % 1000 >= 500 ? 1 : 0));
}

int64_t charge_of(int64_t nano_dollars) noexcept
{
    return nano_dollars / 1000 + (nano_dollars % 1000 > 0 ? 1 : 0);
}

std::optional<uint64_t> parse_decimal(
    std::string_view text, unsigned places) noexcept
{
    const size_t point = std::min(text.find('.'), text.size());
    std::string_view fraction = text.substr(point);
    if (!fraction.empty()) {
        fraction.remove_prefix(1);
        if (fraction.empty() || fraction.size() > places) {
            return std::nullopt;
        }
    }
    const auto whole = parse_uint(text.substr(0, point));
    const auto part = fraction.empty() ? 0 : parse_uint(fraction);
    if (!whole || !part) {
        return std::nullopt;
    }
    uint64_t unit = 1;
    for (unsigned i = 0; i < places; ++i) {
        unit *= 10;
    }
    uint64_t tail = *part;
    for (size_t i = fraction.size(); i < places; ++i) {
        tail *= 10;
    }
    return *whole > (kMost - tail) / unit ? std::nullopt
                                          : std::optional(*whole * unit + tail);
}

void append_decimal(
    std::string& out, uint64_t number, unsigned places, bool all_digits)
{
    std::string digits = std::to_string(number);
    if (digits.size() <= places) {
        digits.insert(0, places + 1 - digits.size(), '0');
    }
    digits.insert(digits.size() - places, 1, '.');
    while (!all_digits && digits.back() == '0') {
        digits.pop_back();
    }
    if (digits.back() == '.') {
        digits.pop_back();
    }
    out += digits;
}

} // namespace ai_proxy::usage
