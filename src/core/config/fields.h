#pragma once

#include "core/config/gateway.h"

#include <span>

// The one table of the fields of a provider block: the builder, YAML and the
// reference documentation read it.
namespace ai_proxy::config {

struct FieldContext {
    Provider& provider;
    const SecretSource& secrets;
};

struct Field {
    std::string_view name;
    std::string_view yaml_name;
    std::string_view syntax; // of the arguments
    std::string_view types;  // separated by blanks, "" = every type
    size_t least, most;      // number of arguments
    bool repeats;            // may stand on several lines
    // words[0] is the name.
    Result<void> (*set)(FieldContext& context, const Words& words);
};

inline constexpr size_t kAnyNumber = 1000; // of arguments

[[nodiscard]] std::span<const Field> fields() noexcept;
[[nodiscard]] const Field* find_field(std::string_view name) noexcept;
[[nodiscard]] bool belongs(const Field& field, std::string_view type) noexcept;

// Phrases of configuration errors.
[[nodiscard]] Error config_error(std::string phrase);
[[nodiscard]] Error invalid_value(std::string_view value,
    std::string_view field, std::string_view reason = {});

// The secret behind "env:NAME" or "file:PATH", or the literal itself.
[[nodiscard]] Result<std::string> resolve_secret(
    std::string_view spec, const SecretSource& secrets, std::string_view field);

// "name=value" of an argument; value empty and no '=': nullopt.
struct Pair {
    std::string_view name, value;
};
[[nodiscard]] std::optional<Pair> split_pair(std::string_view word) noexcept;

} // namespace ai_proxy::config
