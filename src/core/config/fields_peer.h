#pragma once

#include "core/config/fields.h"

// Setters of the fields about how much a provider is asked and when not, for
// the table in fields.cpp.
namespace ai_proxy::config {

Result<void> set_concurrency(FieldContext& c, const Words& w);
Result<void> set_breaker(FieldContext& c, const Words& w);
Result<void> set_health_check(FieldContext& c, const Words& w);

} // namespace ai_proxy::config
