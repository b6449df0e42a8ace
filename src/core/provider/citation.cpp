#include "core/provider/citation.h"

#include "core/json/writer.h"

namespace ai_proxy::provider {

void begin_citation(std::string& items, const Citation& citation)
{
    const bool web = citation.page || citation.url.starts_with("http");
    const std::string_view type = web ? "url_citation" : "file_citation";
    items += items.empty() ? "" : ",";
    json::Writer w(items);
    w.begin_object().field("type", type).key(type).begin_object();
    if (web) {
        w.field("url", citation.url).field("title", citation.title);
    } else {
        w.field("file_id", citation.id.empty() ? citation.url : citation.id);
        w.field("filename", citation.title);
        w.field("index", citation.index);
    }
    if (!citation.content.empty()) {
        w.field("content", citation.content);
    }
    if (!citation.location.empty()) {
        w.key("location").raw(citation.location);
    }
}

void end_citation(std::string& items, Span span)
{
    items += ",\"start_index\":" + std::to_string(span.begin)
        + ",\"end_index\":" + std::to_string(span.end) + "}}";
}

} // namespace ai_proxy::provider
