#include "core/provider/claude.h"

#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using Mode = ClaudeThinking::Mode;

// From here on models can be told how much effort an answer is worth; of those
// before only Opus can.
constexpr ClaudeVersion kClaudeEffort{4, 6};
constexpr ClaudeVersion kOpusEffort{4, 5};
// Before them no model thinks.
constexpr ClaudeVersion kFirstThinking{3, 7};
constexpr std::string_view kEffortBeta = "effort-2025-11-24";
constexpr int64_t kDefaultMaxTokens = 4096;
constexpr int64_t kLeastBudget = 1024;
constexpr int64_t kAdaptiveRoom = 16384; // thinking counts as output

// From here on temperature and top_p are refused beside each other.
constexpr ClaudeVersion kOneOfTemperatureAndTopP{4, 1};

bool is_signed(const chat::Part& part) noexcept
{
    return part.kind == chat::PartKind::redacted
        || (part.kind == chat::PartKind::thinking && !part.signature.empty());
}

// Does the last turn answer tool calls whose thinking the client did not give
// back?  (OpenAI's clients know nothing of it.)
bool lost_thinking(const chat::Request& request) noexcept
{
    bool answers = false;
    for (size_t i = request.messages.size(); i-- > 0;) {
        const chat::Message& message = request.messages[i];
        if (message.role == chat::Role::assistant) {
            return answers
                && std::none_of(
                    message.parts.begin(), message.parts.end(), is_signed);
        }
        answers = answers || message.role == chat::Role::tool;
    }
    return false;
}

// The API refuses thinking beside a forced tool, and thinking with a budget
// in the middle of a tool loop that did not begin with it.
bool excludes_thinking(const chat::Request& request, bool adaptive) noexcept
{
    return request.tool_choice == chat::ToolChoice::required
        || request.tool_choice == chat::ToolChoice::named
        || (!adaptive && lost_thinking(request));
}

bool is_effort(std::string_view word) noexcept
{
    return word == "low" || word == "medium" || word == "high"
        || word == "xhigh" || word == "max";
}

bool is_first_with_effort(std::string_view model) noexcept
{
    return claude_version(model) == kOpusEffort
        && model.find("opus") != std::string_view::npos;
}

// The effort asked for, where the model has it: the first one knows no levels
// above high.  "" for none.
std::string_view taken_effort(std::string_view asked, std::string_view model)
{
    if (!is_effort(asked)) {
        return {};
    }
    if (is_first_with_effort(model)) {
        return asked == "xhigh" || asked == "max" ? "high" : asked;
    }
    const auto version = claude_version(model);
    return version && *version >= kClaudeEffort ? asked : std::string_view();
}

// Refuses to be told not to think.
bool always_thinks(std::string_view model) noexcept
{
    return model.find("claude-fable") != std::string_view::npos
        || model.find("claude-mythos") != std::string_view::npos;
}

std::string_view effort_for(const chat::Request& request, int64_t budget)
{
    const std::string_view asked = request.reasoning_effort;
    if (!request.reasoning_max_tokens && is_effort(asked)) {
        return asked;
    }
    return effort_of_budget(budget);
}

// The budget must stay below max_tokens.  max_tokens is the client's bound on
// everything generated, thinking included, so the budget gives way; only a
// bound too small for any thinking is raised.
void fit_budget(ClaudeThinking& thinking, bool bounded)
{
    thinking.budget = std::max(thinking.budget, kLeastBudget);
    if (!bounded) {
        thinking.max_tokens += thinking.budget;
        return;
    }
    thinking.budget = std::min(
        thinking.budget, std::max(thinking.max_tokens - 1, kLeastBudget));
    if (thinking.max_tokens <= thinking.budget) {
        thinking.max_tokens += thinking.budget;
    }
}

} // namespace

std::optional<ClaudeVersion> claude_version(std::string_view model) noexcept
{
    const size_t name = model.find("claude");
    if (name == std::string_view::npos) {
        return std::nullopt;
    }
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    std::array<int, 2> numbers{0, 0};
    size_t found = 0;
    size_t i = name + 6;
    while (i < model.size() && found < 2) {
        const size_t begin = i;
        while (i < model.size() && digit(model[i])) {
            i++;
        }
        if (i == begin) {
            // A word between the numbers ends them: "4-opus-1" is 4.0.
            if (found > 0 && model[i] != '-' && model[i] != '.') {
                break;
            }
            i++;
            continue;
        }
        if (i - begin > 2) {
            break; // a date
        }
        int number = 0;
        for (size_t k = begin; k < i; k++) {
            number = number * 10 + (model[k] - '0');
        }
        numbers[found++] = number;
    }
    if (found == 0) {
        return std::nullopt;
    }
    return ClaudeVersion{numbers[0], numbers[1]};
}

std::string_view bedrock_effort_beta(
    const ClaudeThinking& thinking, std::string_view model) noexcept
{
    return !thinking.effort.empty() && is_first_with_effort(model)
        ? kEffortBeta
        : std::string_view();
}

ClaudeThinking plan_claude_thinking(
    const chat::Request& request, std::string_view model)
{
    ClaudeThinking plan;
    plan.max_tokens = kDefaultMaxTokens;
    const bool bounded = request.max_tokens && *request.max_tokens > 0;
    if (bounded) {
        plan.max_tokens = *request.max_tokens;
    }
    const auto version = claude_version(model);
    const bool adaptive = version && *version >= kClaudeAdaptiveOnly;
    const json::Node given = request.raw["thinking"];
    const std::string_view kind = given["type"].string_or();
    // Of the answer as a whole, said in Anthropic's words: it asks for no
    // thinking.
    const bool apart = request.raw["output_config"]["effort"].is_string();
    if ((apart || !kind.empty()) && kind != "disabled") {
        plan.effort = taken_effort(request.reasoning_effort, model);
    }
    if (!kind.empty()) {
        if (kind == "enabled" && lost_thinking(request)) {
            return plan;
        }
        plan.mode = Mode::given;
        plan.given = given;
        const int64_t budget = given["budget_tokens"].integer().value_or(0);
        if (budget >= plan.max_tokens && budget <= INT32_MAX) {
            plan.max_tokens += budget;
        }
        return plan;
    }
    const auto budget = thinking_budget(request);
    if (!budget || apart) {
        return plan;
    }
    if (*budget == 0) {
        plan.must_think = always_thinks(model);
        plan.mode = adaptive && !plan.must_think ? Mode::disabled : Mode::unset;
        return plan;
    }
    if ((version && *version < kFirstThinking)
        || excludes_thinking(request, adaptive))
    {
        return plan;
    }
    if (adaptive) {
        plan.mode = Mode::adaptive;
        plan.effort = effort_for(request, *budget);
        plan.max_tokens += bounded ? 0 : kAdaptiveRoom;
        return plan;
    }
    plan.mode = Mode::budget;
    plan.budget = std::min<int64_t>(*budget, INT32_MAX);
    fit_budget(plan, bounded);
    return plan;
}

// temperature goes to 1 here, to 2 at OpenAI; thinking allows neither it nor
// top_k, and top_p only near 1; the newest models refuse all three.
ClaudeSampling plan_claude_sampling(
    const chat::Request& request, const EncodeContext& context, bool thinks)
{
    ClaudeSampling taken{request.temperature, request.top_p, request.top_k};
    const auto version = claude_version(context.model);
    const bool none = version && *version >= kClaudeAdaptiveOnly;
    if (none || thinks) {
        drop_if(context, "temperature",
            request.temperature && *request.temperature != 1.0);
        drop_if(context, "top_k", request.top_k.has_value());
        taken.temperature.reset();
        taken.top_k.reset();
    } else if (taken.temperature > 1.0) {
        context.drop("temperature");
        taken.temperature = 1.0;
    }
    // A top_p of 1 says nothing.
    const bool one_of_both = version && *version >= kOneOfTemperatureAndTopP;
    if (none || (thinks && taken.top_p < 0.95)
        || (taken.temperature && (one_of_both || taken.top_p >= 1.0)))
    {
        drop_if(context, "top_p", request.top_p && *request.top_p < 1.0);
        taken.top_p.reset();
    }
    return taken;
}

std::vector<std::string_view> claude_stops(
    const chat::Request& request, const EncodeContext& context)
{
    std::vector<std::string_view> stops = request.stop;
    const size_t blank = std::erase_if(
        stops, [](std::string_view stop) { return trim(stop).empty(); });
    drop_if(context, "stop", blank > 0);
    return stops;
}

void write_claude_thinking(json::Writer& w, const ClaudeThinking& thinking)
{
    switch (thinking.mode) {
    case Mode::unset:
        return;
    case Mode::given:
        w.field("thinking", thinking.given);
        return;
    case Mode::disabled:
        w.key("thinking").begin_object().field("type", "disabled");
        break;
    case Mode::budget:
        w.key("thinking").begin_object().field("type", "enabled");
        w.field("budget_tokens", thinking.budget);
        break;
    case Mode::adaptive:
        // Without display these models hide their thinking's text.
        w.key("thinking").begin_object().field("type", "adaptive");
        w.field("display", "summarized");
        break;
    }
    w.end_object();
}

} // namespace ai_proxy::provider
