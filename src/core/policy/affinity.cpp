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

bool names_file(json::Node request)
{
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
