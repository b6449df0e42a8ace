#include "core/dialect/tool_names.h"

#include "core/base/hash.h"
#include "core/json/writer.h"

namespace ai_proxy::dialect {

namespace {

// OpenAI, Gemini and Bedrock take 64 letters, Anthropic alone 128.
constexpr size_t kLongest = 64;

void add_name(std::string& list, std::string_view name)
{
    if (name.size() > kLongest) {
        list += list.empty() ? "" : ",";
        json::Writer w(list);
        w.begin_object();
        w.field("sent", std::string_view(fitting_tool_name(name)));
        w.field("name", name).end_object();
    }
}

} // namespace

std::string fitting_tool_name(std::string_view name)
{
    std::string out(name);
    if (out.size() > kLongest) {
        constexpr size_t digits = 16;
        out.resize(kLongest - digits - 1);
        out += '_';
        append_hex(out, fnv1a(name));
    }
    return out;
}

std::string tool_names_echo(json::Node body)
{
    std::string list;
    for (const json::Node tool : body["tools"].items()) {
        add_name(list, tool["name"].string_or());
        for (const std::string_view declared :
            {"functionDeclarations", "function_declarations"})
        {
            for (const json::Node one : tool[declared].items()) {
                add_name(list, one["name"].string_or());
            }
        }
    }
    std::string out;
    if (!list.empty()) {
        json::Writer w(out);
        w.begin_object().key(kToolNames).raw("[" + list + "]").end_object();
    }
    return out;
}

ToolNames::ToolNames(std::string_view echo)
{
    if (echo.empty()) {
        return;
    }
    json::Parser parser;
    const auto parsed = parser.parse(echo);
    if (!parsed) {
        return;
    }
    for (const json::Node one : (*parsed)[kToolNames].items()) {
        names_.push_back({std::string(one["sent"].string_or()),
            std::string(one["name"].string_or())});
    }
}

std::string_view ToolNames::told(std::string_view sent) const noexcept
{
    for (const Name& one : names_) {
        if (one.sent == sent) {
            return one.told;
        }
    }
    return sent;
}

} // namespace ai_proxy::dialect
