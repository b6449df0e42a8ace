#pragma once

#include "core/chat/usage.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// What tokens cost.  Money is counted in whole numbers: of 10^-9 dollars, or
// of 10^-6 in budgets.
namespace ai_proxy::usage {

// ai_proxy_price: of a token, in 10^-12 dollars, which is a price for a
// million of them in 10^-6 dollars.
struct Price {
    std::string model;    // "*" stands for any text
    std::string provider; // "": any
    uint64_t input = 0, output = 0;
    uint64_t cached = 0, cache_write = 0; // of the input, else as input

    static constexpr uint64_t kMost = 100'000'000'000; // 100,000 dollars
};

// The first that fits; nullptr: none does.
[[nodiscard]] const Price* find_price(std::span<const Price> prices,
    std::string_view provider, std::string_view model) noexcept;

// In 10^-9 dollars, to the nearest; saturates.
[[nodiscard]] int64_t cost(
    const Price& price, const chat::Usage& usage) noexcept;
// In 10^-6 dollars, rounded up: what a budget is charged.
[[nodiscard]] int64_t charge_of(int64_t nano_dollars) noexcept;

// "5.25" with at most so many digits behind the point, as a number of the last
// of them; nullopt: it is none, or too large.
[[nodiscard]] std::optional<uint64_t> parse_decimal(
    std::string_view text, unsigned places) noexcept;
// The number of a last digit, with all digits behind the point or without the
// zeros at the end.
void append_decimal(std::string& out, uint64_t number, unsigned places,
    bool all_digits = false);

} // namespace ai_proxy::usage
