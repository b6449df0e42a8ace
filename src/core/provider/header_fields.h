#pragma once

#include "core/provider/options.h"
#include "core/provider/protocol.h"

#include <string_view>

// Header fields of a call that is being made.
namespace ai_proxy::provider {

[[nodiscard]] bool has_header(
    const Outbound& out, std::string_view name) noexcept;
// In place of all fields of that name; "" takes them away.
void set_header(Outbound& out, std::string_view name, std::string_view value);
// Anthropic answers nobody who does not say which version they speak; one that
// is there stands.
void add_anthropic_version(const Options& options, Outbound& out);

} // namespace ai_proxy::provider
