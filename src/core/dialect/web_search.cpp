#include "core/dialect/web_search.h"

namespace ai_proxy::dialect {

void write_web_search(json::Writer& w, json::Node tool)
{
    constexpr std::string_view kSame[] = {"search_context_size",
        "allowed_domains", "blocked_domains", "max_uses"};
    w.key("web_search_options").begin_object();
    const json::Node place = tool["user_location"];
    if (place.is_object()) {
        w.key("user_location").begin_object().field("type", "approximate");
        w.key("approximate").begin_object();
        for (const json::Member member : place.members()) {
            if (member.key != "type" && member.value.has_value()) {
                w.field(member.key, member.value);
            }
        }
        w.end_object().end_object();
    }
    for (const std::string_view name : kSame) {
        if (tool[name].has_value()) {
            w.field(name, tool[name]);
        }
    }
    // Responses has the domains in an object of their own.
    const json::Node allowed = tool["filters"]["allowed_domains"];
    if (allowed.has_value() && !tool["allowed_domains"].has_value()) {
        w.field("allowed_domains", allowed);
    }
    w.end_object();
}

} // namespace ai_proxy::dialect
