#include "core/provider/bedrock_documents.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::provider {

namespace {

constexpr size_t kLongestName = 200;

struct MediaFormat {
    std::string_view media_type, format;
};
constexpr MediaFormat kFormats[] = {
    {"application/pdf", "pdf"},
    {"text/csv", "csv"},
    {"application/msword", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx"},
    {"application/vnd.ms-excel", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx"},
    {"text/html", "html"},
    {"text/plain", "txt"},
    {"text/markdown", "md"},
};

} // namespace

std::string_view bedrock_format(const chat::Part& part) noexcept
{
    const std::string_view media =
        trim(part.media_type.substr(0, part.media_type.find(';')));
    for (const MediaFormat& row : kFormats) {
        if (iequals(media, row.media_type)) {
            return row.format;
        }
    }
    const std::string_view end =
        part.filename.substr(part.filename.rfind('.') + 1);
    for (const MediaFormat& row : kFormats) {
        if (iequals(end, row.format)) {
            return row.format;
        }
    }
    if (istarts_with(media, "text/")) {
        return "txt";
    }
    return media.empty() ? "pdf" : std::string_view();
}

std::string bedrock_name(std::string_view filename, size_t number)
{
    constexpr std::string_view kMarks = "-()[]";
    filename = filename.substr(0, std::min(filename.rfind('.'), kLongestName));
    std::string name;
    for (const char c : filename) {
        const char l = lower(c);
        const bool plain = (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z')
            || kMarks.find(c) != std::string_view::npos;
        if (plain) {
            name += c;
        } else if (!name.empty() && name.back() != ' ') {
            name += ' ';
        }
    }
    while (name.ends_with(' ')) {
        name.pop_back();
    }
    return name.empty() ? "Document " + std::to_string(number) : name;
}

void write_bedrock_wishes(json::Writer& w, json::Node block)
{
    if (const json::Node text = block["context"]; text.has_value()) {
        w.field("context", text);
    }
    if (block["citations"]["enabled"].boolean().value_or(false)) {
        w.key("citations").begin_object().field("enabled", true).end_object();
    }
}

void write_bedrock_block(json::Writer& w, json::Node block, size_t number)
{
    const bool is_document = block["type"].string_or() == "document";
    const json::Node source = block["source"];
    const json::Node content = (is_document ? source : block)["content"];
    w.begin_object();
    if (is_document) {
        w.key("document").begin_object().field("format", "txt");
        w.field("name",
            std::string_view(bedrock_name(block["title"].string_or(), number)));
        w.key("source").begin_object();
        if (!content.is_array()) {
            w.field("text", source["data"].string_or(content.string_or()));
        }
    } else {
        w.key("searchResult").begin_object();
        w.field("source", source.string_or());
        w.field("title", block["title"].string_or());
    }
    if (content.is_array()) {
        w.key("content").begin_array();
        for (const json::Node piece : content.items()) {
            w.begin_object().field("text", piece["text"].string_or());
            w.end_object();
        }
        w.end_array();
    }
    if (is_document) {
        w.end_object();
    }
    write_bedrock_wishes(w, block);
    w.end_object().end_object();
}

} // namespace ai_proxy::provider
