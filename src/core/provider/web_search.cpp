#include "core/provider/web_search.h"

#include <algorithm>
#include <string>

namespace ai_proxy::provider {

void drop_search_options(const EncodeContext& context, json::Node asked,
    std::initializer_list<std::string_view> taken)
{
    if (context.dropped == nullptr) {
        return;
    }
    for (const json::Member member : asked.members()) {
        if (member.value.has_value()
            && std::find(taken.begin(), taken.end(), member.key) == taken.end())
        {
            context.drop("web_search_options." + std::string(member.key));
        }
    }
}

void write_claude_web_search(
    json::Writer& w, json::Node asked, const EncodeContext& context)
{
    drop_search_options(context, asked,
        {"user_location", "allowed_domains", "blocked_domains", "max_uses"});
    w.begin_object().field("type", "web_search_20250305");
    w.field("name", "web_search");
    for (const std::string_view name :
        {"max_uses", "allowed_domains", "blocked_domains"})
    {
        if (asked[name].has_value()) {
            w.field(name, asked[name]);
        }
    }
    const json::Node place = asked["user_location"]["approximate"];
    if (place.is_object()) {
        w.key("user_location").begin_object().field("type", "approximate");
        for (const std::string_view name :
            {"city", "region", "country", "timezone"}) {
            if (place[name].has_value()) {
                w.field(name, place[name]);
            }
        }
        w.end_object();
    }
    w.end_object();
}

} // namespace ai_proxy::provider
