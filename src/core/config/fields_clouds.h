#pragma once

#include "core/config/fields.h"

// Setters of the fields of cloud providers, for the table in fields.cpp.
namespace ai_proxy::config {

Result<void> set_aws_region(FieldContext& c, const Words& w);
Result<void> set_aws_access_key(FieldContext& c, const Words& w);
Result<void> set_aws_secret_key(FieldContext& c, const Words& w);
Result<void> set_aws_session_token(FieldContext& c, const Words& w);
Result<void> set_additional_fields(FieldContext& c, const Words& w);
Result<void> set_cache_retention(FieldContext& c, const Words& w);
Result<void> set_cache_points(FieldContext& c, const Words& w);
Result<void> set_vertex_auth_key(FieldContext& c, const Words& w);
Result<void> set_vertex_region(FieldContext& c, const Words& w);
Result<void> set_vertex_project(FieldContext& c, const Words& w);
Result<void> set_refresh_ahead(FieldContext& c, const Words& w);
Result<void> set_azure_token_file(FieldContext& c, const Words& w);

} // namespace ai_proxy::config
