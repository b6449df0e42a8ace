#include "core/policy/affinity.h"

#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/base/hash.h"
#include "core/base/text.h"

#include <array>

namespace ai_proxy::policy {

namespace {

using dialect::Api;

// A part of a message: a file of OpenAI's or of Anthropic's, or what a tool
// gave back.
bool holds_file(json::Node part)
{
    if (part["file_id"].is_string() || part["file"]["file_id"].is_string()
        || part["source"]["file_id"].is_string()
        || part["image_url"]["file_id"].is_string())
    {
        return true;
    }
    const json::Node inner = part["content"];
    for (const json::Node one : inner.items()) {
        if (one["source"]["file_id"].is_string()) {
            return true;
        }
    }
    return false;
}

} // namespace

uint64_t consumer_hash(const ClientHead& head) noexcept
{
    constexpr std::array<std::string_view, 3> kKeys{
        "x-api-key", "api-key", "x-goog-api-key"};
    if (head.consumer != nullptr) {
        return fnv1a(head.consumer->name);
    }
    if (!head.authorization.empty()) {
        return fnv1a(head.authorization);
    }
    for (const Header& field : head.headers) {
        for (const std::string_view name : kKeys) {
            if (iequals(field.name, name) && !field.value.empty()) {
                return fnv1a(field.value);
            }
        }
    }
    return fnv1a(head.address);
}

route::Affinity affinity_of(Api api) noexcept
{
    switch (api) {
    case Api::files:
    case Api::file:
    case Api::file_content:
    case Api::batches:
    case Api::batch:
    case Api::batch_cancel:
    case Api::fine_tuning:
    case Api::response:
    case Api::videos:
    case Api::video:
        return route::Affinity::only;
    default:
        return route::Affinity::none;
    }
}

namespace {

// Of Responses: items that are kept, templates, and what tools look into.
bool names_item(json::Node item)
{
    const bool typed = item["type"].has_value() || item["role"].has_value();
    if (item["type"].string_or() == "item_reference"
        || (!typed && item["id"].is_string()))
    {
        return true;
    }
    for (const json::Node part : item["output"].items()) {
        if (holds_file(part)) {
            return true;
        }
    }
    return false;
}

bool names_store(json::Node tool)
{
    const json::Node container = tool["container"];
    return tool["vector_store_ids"].size() > 0 || container.is_string()
        || container["file_ids"].size() > 0
        || tool["environment"]["container_id"].is_string();
}

} // namespace

bool is_kept(std::string_view path) noexcept
{
    constexpr std::string_view kKept[] = {"/v1/conversations",
        "/v1/vector_stores", "/v1/containers", "/v1/uploads"};
    for (const std::string_view kept : kKept) {
        const size_t at = path.find(kept);
        const size_t end = at + kept.size();
        if (at != std::string_view::npos
            && (end == path.size() || path[end] == '/')) {
            return true;
        }
    }
    return false;
}

bool names_file(json::Node request)
{
    if (request["prompt"]["id"].is_string()) {
        return true;
    }
    for (const json::Node tool : request["tools"].items()) {
        if (names_store(tool)) {
            return true;
        }
    }
    for (const json::Node item : request["input"].items()) {
        if (names_item(item)) {
            return true;
        }
    }
    for (const json::Node list : {request["messages"], request["input"]}) {
        for (const json::Node message : list.items()) {
            for (const json::Node part : message["content"].items()) {
                if (holds_file(part)) {
                    return true;
                }
            }
        }
    }
    return false;
}

} // namespace ai_proxy::policy
