#pragma once

#include "core/json/reader.h"

#include <cstdint>
#include <string>
#include <string_view>

// Where a provider found what it says, as OpenAI's annotations: url_citation
// for what has an address, else file_citation.  What OpenAI has no member for
// stands beside its own: "content" is the text that was cited, "location" its
// place in the source, as Anthropic's API tells it.
namespace ai_proxy::provider {

struct Citation {
    std::string_view url;
    bool page = false; // the URL is a page's, however it looks
    std::string_view title;
    std::string_view id;       // of a document
    std::string_view content;  // of the source
    int64_t index = 0;         // of the document among those of the request
    std::string location = {}; // JSON object, or ""
};

// The characters of the answer that it stands for.
struct Span {
    int64_t begin = 0, end = 0;
};

// Appends an item of a JSON array, but for its end.
void begin_citation(std::string& items, const Citation& citation);
void end_citation(std::string& items, Span span);

} // namespace ai_proxy::provider
