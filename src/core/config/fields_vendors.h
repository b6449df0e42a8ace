#pragma once

#include "core/config/fields.h"

// Setters of the fields of vendors with own protocols, for the table in
// fields.cpp.
namespace ai_proxy::config {

Result<void> set_bot_type(FieldContext& c, const Words& w);
Result<void> set_minimax_type(FieldContext& c, const Words& w);
Result<void> set_hunyuan_auth_id(FieldContext& c, const Words& w);
Result<void> set_hunyuan_auth_key(FieldContext& c, const Words& w);
Result<void> set_account(FieldContext& c, const Words& w);

} // namespace ai_proxy::config
