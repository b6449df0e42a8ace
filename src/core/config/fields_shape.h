#pragma once

#include "core/config/fields.h"

// Setters of the fields that reach into requests and paths; the table is in
// fields.cpp.
namespace ai_proxy::config {

Result<void> set_custom_setting(FieldContext& c, const Words& w);
Result<void> set_capability(FieldContext& c, const Words& w);
Result<void> set_base_path(FieldContext& c, const Words& w);
Result<void> set_base_path_handling(FieldContext& c, const Words& w);
Result<void> set_provider_base_path(FieldContext& c, const Words& w);
Result<void> set_provider_domain(FieldContext& c, const Words& w);
Result<void> set_protocol(FieldContext& c, const Words& w);
Result<void> set_developer_role(FieldContext& c, const Words& w);
Result<void> set_context_file(FieldContext& c, const Words& w);

} // namespace ai_proxy::config
