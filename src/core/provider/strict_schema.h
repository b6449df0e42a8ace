#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// Does a JSON schema describe objects?
[[nodiscard]] bool is_object_schema(json::Node schema);

// Does OpenAI take the schema with "strict"?  Each object in it must be closed
// and require all its properties.
[[nodiscard]] bool fits_strict(json::Node schema);

// What holds a schema by this name, at path of the client's body: "strict" is
// left out beside a schema that OpenAI refuses it with.
void write_schema_holder(json::Writer& w, json::Node holder,
    std::string_view name, const EncodeContext& context,
    const std::string& path);

} // namespace ai_proxy::provider
