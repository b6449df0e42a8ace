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

// "200ms..5s", or one time for both; milliseconds, least > 0.
struct DurationRange {
    uint64_t least = 0, most = 0;
};
[[nodiscard]] std::optional<DurationRange> parse_duration_range(
    std::string_view text, uint64_t most_ms) noexcept;

// A number from 1 to most.
[[nodiscard]] std::optional<uint32_t> parse_count(
    std::string_view text, uint32_t most) noexcept;

// Seconds of the unit of a rate: s, m, h, d.
[[nodiscard]] std::optional<uint32_t> parse_unit(
    std::string_view text) noexcept;

// A status that a refusal may have: 400 to 599.
[[nodiscard]] std::optional<uint16_t> parse_refusal_status(
    std::string_view text) noexcept;

// "50%": 1 to 100.
[[nodiscard]] std::optional<uint32_t> parse_percent(
    std::string_view text) noexcept;

// The parameters "name=value" from words[first] on: each is one of the table's
// and stands once; its setter takes the value and says what was expected.
struct Parameter {
    std::string_view name;
    // False: the value is invalid.
    bool (*set)(void* rules, std::string_view value);
    std::string_view expected;
};
[[nodiscard]] Result<void> take_parameters(std::span<const Parameter> table,
    void* rules, const Words& words, size_t first);

} // namespace ai_proxy::config
