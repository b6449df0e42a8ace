#include "core/provider/openai_models.h"

#include "core/base/text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ai_proxy::provider {
namespace {

struct GptVersion {
    uint64_t major = 0;
    uint64_t minor = 0;

    friend auto operator<=>(const GptVersion&, const GptVersion&) = default;
};

// From here on models may do without thinking.
constexpr GptVersion kThinksOnDemand{5, 1};
// These do unless they are asked to think.
constexpr GptVersion kThinksWhenAsked{5, 2};

bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

// Of "openai/gpt-5" what stands behind the maker.
std::string_view bare_name(std::string_view model) noexcept
{
    const size_t slash = model.rfind('/');
    return slash == std::string_view::npos ? model : model.substr(slash + 1);
}

// The number that text begins with, which is taken off it.
std::optional<uint64_t> take_number(std::string_view& text) noexcept
{
    size_t end = 0;
    while (end < text.size() && is_digit(text[end])) {
        ++end;
    }
    const auto number = parse_uint(text.substr(0, end));
    text.remove_prefix(end);
    return number;
}

// "gpt-5.1-codex" is 5.1; nullopt: not one of GPT.
std::optional<GptVersion> gpt_version(std::string_view model) noexcept
{
    constexpr std::string_view kGpt = "gpt-";
    std::string_view name = bare_name(model);
    if (!name.starts_with(kGpt)) {
        return std::nullopt;
    }
    name.remove_prefix(kGpt.size());
    const auto major = take_number(name);
    if (!major) {
        return std::nullopt;
    }
    GptVersion version{*major, 0};
    if (name.starts_with('.')) {
        name.remove_prefix(1);
        version.minor = take_number(name).value_or(0);
    }
    return version;
}

// Azure writes 3.5 and 4.1 as 35 and 41.
bool thinks(const GptVersion& version) noexcept
{
    return version.major >= 5 && version.major < 30;
}

constexpr std::array<std::string_view, 5> kEfforts{
    "minimal", "low", "medium", "high", "xhigh"};

struct EffortRange {
    std::string_view trade; // in the name
    GptVersion from;
    std::string_view least, most; // "": none
};
// The first that fits.
constexpr EffortRange kEffortRanges[] = {
    {"-chat", {5, 1}, "medium", "medium"},
    {"-chat", {5, 0}, "", ""},
    {"-pro", {5, 2}, "medium", "xhigh"},
    {"-pro", {5, 0}, "high", "high"},
    {"-codex", {5, 2}, "low", "xhigh"},
    {"-codex-max", {5, 1}, "low", "xhigh"},
    {"-codex", {5, 0}, "low", "high"},
    {"", {5, 2}, "low", "xhigh"},
    {"", {5, 1}, "low", "high"},
    {"", {5, 0}, "minimal", "high"},
};
// Of the o series, gpt-oss and those like them.
constexpr EffortRange kPlainEfforts{"", {}, "low", "high"};

EffortRange effort_range(std::string_view model) noexcept
{
    const auto version = gpt_version(model);
    if (!version || !thinks(*version)) {
        return kPlainEfforts;
    }
    for (const EffortRange& range : kEffortRanges) {
        if (*version >= range.from
            && model.find(range.trade) != std::string_view::npos) {
            return range;
        }
    }
    return kPlainEfforts;
}

// Those of a special trade have efforts of their own.
bool is_special(std::string_view model) noexcept
{
    for (const std::string_view trade : {"-pro", "-codex", "-chat"}) {
        if (model.find(trade) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

} // namespace

bool is_newer_openai(std::string_view model) noexcept
{
    const std::string_view name = bare_name(model);
    if (name.size() > 1 && name[0] == 'o') {
        return is_digit(name[1]);
    }
    const auto version = gpt_version(model);
    return version && thinks(*version);
}

bool takes_effort(std::string_view model) noexcept
{
    const std::string_view name = bare_name(model);
    return (is_newer_openai(model) && !effort_range(model).most.empty())
        || name.starts_with("gpt-oss") || name.starts_with("grok-3-mini");
}

std::string_view fit_effort(
    std::string_view model, std::string_view effort) noexcept
{
    const auto rank = [](std::string_view word) {
        return std::find(kEfforts.begin(), kEfforts.end(), word);
    };
    const auto asked = rank(effort == "max" ? kEfforts.back() : effort);
    const EffortRange range = effort_range(model);
    if (range.most.empty()) {
        return {};
    }
    if (asked == kEfforts.end()) {
        return effort;
    }
    return *std::clamp(asked, rank(range.least), rank(range.most));
}

bool takes_effort_none(std::string_view model) noexcept
{
    const auto version = gpt_version(model);
    return version && thinks(*version) && *version >= kThinksOnDemand
        && !is_special(model);
}

bool takes_sampling(std::string_view model, std::string_view effort) noexcept
{
    if (!is_newer_openai(model) || bare_name(model).starts_with("gpt-5-chat")) {
        return true;
    }
    return takes_effort_none(model)
        && (effort == "none"
            || (effort.empty() && *gpt_version(model) <= kThinksWhenAsked));
}

bool takes_stop(std::string_view model) noexcept
{
    const std::string_view name = bare_name(model);
    return !is_newer_openai(model) || name.starts_with("gpt-5-chat")
        || name.starts_with("o1") || name.starts_with("o3-mini");
}

} // namespace ai_proxy::provider
