#pragma once

#include "core/config/fields.h"

// Setters of the fields about a provider's keys, for the table in fields.cpp.
namespace ai_proxy::config {

Result<void> set_key_select(FieldContext& c, const Words& w);
Result<void> set_key_cooldown(FieldContext& c, const Words& w);
Result<void> set_key_concurrency(FieldContext& c, const Words& w);

} // namespace ai_proxy::config
