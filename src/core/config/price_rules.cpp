#include "core/config/fields.h"
#include "core/config/gateway.h"

#include "core/usage/price.h"

namespace ai_proxy::config {

namespace {

using usage::Price;

// Prices as they are written.
struct Draft {
    std::string provider;
    std::optional<uint64_t> input, output, cached, cache_write;
};

template <std::optional<uint64_t> Draft::*Member>
bool set_price(void* to, std::string_view value)
{
    const auto price = usage::parse_decimal(value, 6);
    static_cast<Draft*>(to)->*Member = price;
    return price && *price <= Price::kMost;
}

bool set_provider(void* to, std::string_view value)
{
    static_cast<Draft*>(to)->provider = value;
    return !value.empty();
}

constexpr std::string_view kDollars =
    "dollars for a million tokens up to 100000, with at most 6 digits behind "
    "the point, are expected";

constexpr Parameter kPrice[] = {
    {"input", set_price<&Draft::input>, kDollars},
    {"output", set_price<&Draft::output>, kDollars},
    {"cached", set_price<&Draft::cached>, kDollars},
    {"cache_write", set_price<&Draft::cache_write>, kDollars},
    {"provider", set_provider, "the name of a provider is expected"},
};

} // namespace

Result<Price> parse_price(const Words& words, const Gateway& gateway)
{
    Draft draft;
    if (auto taken = take_parameters(kPrice, &draft, words, 2); !taken) {
        return std::move(taken).error();
    }
    for (const auto& [name, member] :
        {std::pair("input", &draft.input), std::pair("output", &draft.output)})
    {
        if (!*member) {
            return config_error("\"" + std::string(name) + "\" is missing");
        }
    }
    if (!draft.provider.empty() && gateway.find_provider(draft.provider) < 0) {
        return config_error("unknown provider \"" + draft.provider + "\"");
    }
    Price price;
    price.model = words[1];
    price.provider = std::move(draft.provider);
    price.input = *draft.input;
    price.output = *draft.output;
    price.cached = draft.cached.value_or(price.input);
    price.cache_write = draft.cache_write.value_or(price.input);
    return price;
}

} // namespace ai_proxy::config
