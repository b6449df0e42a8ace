#pragma once

#include <string_view>

// What the names of OpenAI's models, and of those like them, say of them.
namespace ai_proxy::provider {

// OpenAI's models that think: the o series, and GPT from 5 on.
[[nodiscard]] bool is_newer_openai(std::string_view model) noexcept;

// Models that think before they answer and can be told how much.
[[nodiscard]] bool takes_effort(std::string_view model) noexcept;

// The effort nearest to the one asked for that the model takes; "" where it
// takes none, a word that is no effort as it is.
[[nodiscard]] std::string_view fit_effort(
    std::string_view model, std::string_view effort) noexcept;

// Can the model be told not to think at all?
[[nodiscard]] bool takes_effort_none(std::string_view model) noexcept;

// Does the model take a temperature and top_p?  effort: what it is told, ""
// for nothing.
[[nodiscard]] bool takes_sampling(
    std::string_view model, std::string_view effort) noexcept;

// Does the model take stop sequences?  From o3 and GPT 5 on those that think
// refuse them, told to think or not.
[[nodiscard]] bool takes_stop(std::string_view model) noexcept;

} // namespace ai_proxy::provider
