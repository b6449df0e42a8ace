#include "core/dialect/spoken.h"

#include "core/json/reader.h"
#include "core/json/writer.h"

namespace ai_proxy::dialect {

void Spoken::add(std::string_view piece)
{
    json::Parser parser;
    const auto parsed = parser.parse(piece);
    if (!parsed || !parsed->is_object()) {
        return;
    }
    any_ = true;
    const json::Node audio = *parsed;
    if (const auto id = audio["id"].string_or(); !id.empty()) {
        id_ = id;
    }
    data_ += audio["data"].string_or();
    transcript_ += audio["transcript"].string_or();
    expires_ = audio["expires_at"].integer().value_or(expires_);
}

void Spoken::write(std::string& out) const
{
    json::Writer w(out);
    w.begin_object().field("id", std::string_view(id_));
    w.field("data", std::string_view(data_)).field("expires_at", expires_);
    w.field("transcript", std::string_view(transcript_)).end_object();
}

std::string transcript_of(std::string_view piece)
{
    json::Parser parser;
    const auto parsed = parser.parse(piece);
    return parsed ? std::string((*parsed)["transcript"].string_or())
                  : std::string();
}

} // namespace ai_proxy::dialect
