#pragma once

#include "core/base/result.h"
#include "core/dialect/api.h"
#include "core/json/reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Lists of models: read from any vendor, written for any client.
namespace ai_proxy::dialect {

struct Model {
    std::string id;
    std::string owner;   // OpenAI's owned_by
    std::string title;   // for people; empty: the id
    int64_t created = 0; // UNIX time, 0: not told
};

// A vendor's list: OpenAI's and Anthropic's "data", Gemini's "models", or a
// bare array.  Entries without a usable name are left out; at most 5000 are
// read.  Error upstream_invalid when it is no list at all.
[[nodiscard]] Result<std::vector<Model>> read_models(
    json::Node body, std::string_view owner);

// Of "/v1/models/{id}", which may have slashes of its own.
[[nodiscard]] std::string_view model_in(std::string_view path) noexcept;

// The whole list as one page.
void write_models(
    std::string& out, Dialect dialect, const std::vector<Model>& models);
void write_model(std::string& out, Dialect dialect, const Model& model);

} // namespace ai_proxy::dialect
