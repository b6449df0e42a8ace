#include "core/provider/bedrock_documents.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::provider {

namespace {

// Of the 200 bytes that the API takes; a number may come behind.
constexpr size_t kLongestName = 190;

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

void write_location(json::Writer& w, json::Node citation)
{
    for (const BedrockLocation& kind : kBedrockLocations) {
        if (citation["type"].string_or() != kind.type) {
            continue;
        }
        w.key("location").begin_object().key(kind.member).begin_object();
        w.field(kind.index, citation[kind.claude_index].integer().value_or(0));
        w.field("start", citation[kind.begin].integer().value_or(0));
        w.field("end", citation[kind.end].integer().value_or(0));
        w.end_object().end_object();
    }
}

void write_citation(json::Writer& w, json::Node citation)
{
    w.begin_object();
    // A search result has its title and source, a document its title.
    const json::Node title = citation["document_title"].has_value()
        ? citation["document_title"]
        : citation["title"];
    if (title.has_value()) {
        w.field("title", title);
    }
    const json::Node source = citation["source"].has_value()
        ? citation["source"]
        : citation["file_id"];
    if (source.has_value()) {
        w.field("source", source);
    }
    w.key("sourceContent").begin_array().begin_object();
    w.field("text", citation["cited_text"].string_or());
    w.end_object().end_array();
    write_location(w, citation);
    w.end_object();
}

std::string plain_name(std::string_view filename)
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
    return name;
}

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

std::string BedrockNames::next(std::string_view filename)
{
    ++documents_;
    std::string name = plain_name(filename);
    if (name.empty()) {
        name = "Document " + std::to_string(documents_);
    }
    std::string key = name;
    std::transform(key.begin(), key.end(), key.begin(), lower);
    size_t& last = taken_[key];
    if (last == 0) {
        last = 1;
        return name;
    }
    std::string end;
    do {
        end = " " + std::to_string(++last);
    } while (!taken_.try_emplace(key + end, 1).second);
    return name + end;
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

void write_bedrock_citations(
    json::Writer& w, std::string_view text, json::Node citations)
{
    w.begin_object().key("citationsContent").begin_object();
    w.key("content").begin_array().begin_object();
    w.field("text", text).end_object().end_array();
    w.key("citations").begin_array();
    for (const json::Node citation : citations.items()) {
        write_citation(w, citation);
    }
    w.end_array().end_object().end_object();
}

void write_bedrock_block(json::Writer& w, json::Node block, BedrockNames& names)
{
    const bool is_document = block["type"].string_or() == "document";
    const json::Node source = block["source"];
    const json::Node content = (is_document ? source : block)["content"];
    w.begin_object();
    if (is_document) {
        w.key("document").begin_object().field("format", "txt");
        w.field(
            "name", std::string_view(names.next(block["title"].string_or())));
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
