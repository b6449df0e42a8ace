#pragma once

#include "core/chat/request.h"
#include "core/json/writer.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

// Documents as Bedrock's Converse takes them (AWS's "DocumentBlock" and
// "SearchResultBlock").
namespace ai_proxy::provider {

// By the media type, else by the end of the file's name; "" when neither
// tells.
[[nodiscard]] std::string_view bedrock_format(const chat::Part& part) noexcept;

// Names of the documents of one request.  The API takes letters, digits, single
// spaces, hyphens and brackets, and each name once, whatever its case: a
// document has its number for a name if it has none, and one behind its name if
// that is taken.  A conversation that goes on changes no name of its documents.
class BedrockNames {
public:
    [[nodiscard]] std::string next(std::string_view filename);

private:
    // In small letters, with the last number that was tried behind it.
    std::map<std::string, size_t> taken_;
    size_t documents_ = 0;
};

// Context and citations of chat::Part::claude_block, which Claude takes alone.
void write_bedrock_wishes(json::Writer& w, json::Node block);

// A place in a document: Converse's name of it, its members besides "start"
// and "end", and those of Anthropic.
struct BedrockLocation {
    std::string_view member, index, type, claude_index, begin, end;
};
inline constexpr BedrockLocation kBedrockLocations[] = {
    {"documentChar", "documentIndex", "char_location", "document_index",
        "start_char_index", "end_char_index"},
    {"documentPage", "documentIndex", "page_location", "document_index",
        "start_page_number", "end_page_number"},
    {"documentChunk", "documentIndex", "content_block_location",
        "document_index", "start_block_index", "end_block_index"},
    {"searchResultLocation", "searchResultIndex", "search_result_location",
        "search_result_index", "start_block_index", "end_block_index"},
};

// An answer's text with its citations in Anthropic's form (AWS's
// "CitationsContentBlock").
void write_bedrock_citations(
    json::Writer& w, std::string_view text, json::Node citations);

// A whole chat::Part::claude_block.
void write_bedrock_block(
    json::Writer& w, json::Node block, BedrockNames& names);

} // namespace ai_proxy::provider
