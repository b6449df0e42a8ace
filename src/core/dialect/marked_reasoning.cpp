#include "core/dialect/marked_reasoning.h"

#include "core/dialect/responses_request.h"
#include "core/json/elements.h"
#include "core/json/reader.h"

#include <string>
#include <string_view>

namespace ai_proxy::dialect {

namespace {

bool has_mark(std::string_view text) noexcept
{
    return text.find(kSignedMark) != std::string_view::npos
        || text.find(kRedactedMark) != std::string_view::npos;
}

bool is_marked(std::string_view item, json::Parser& parser)
{
    if (!has_mark(item)) {
        return false;
    }
    const auto parsed = parser.parse(item);
    if (!parsed || (*parsed)["type"].string_or() != "reasoning") {
        return false;
    }
    const auto opaque = (*parsed)["encrypted_content"].string_or();
    return opaque.starts_with(kSignedMark) || opaque.starts_with(kRedactedMark);
}

} // namespace

void drop_marked_reasoning(json::Splice& body)
{
    const std::string_view input = body.raw("input");
    if (!has_mark(input)) {
        return;
    }
    json::Parser parser;
    std::string kept = "[";
    bool dropped = false;
    for (const std::string_view item : json::elements(input)) {
        if (is_marked(item, parser)) {
            dropped = true;
            continue;
        }
        kept += kept.size() > 1 ? "," : "";
        kept += item;
    }
    if (dropped) {
        body.set("input", kept + ']');
    }
}

} // namespace ai_proxy::dialect
