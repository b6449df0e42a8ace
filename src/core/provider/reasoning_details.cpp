#include "core/provider/reasoning_details.h"

#include "core/chat/signer.h"
#include "core/credential/digest.h"
#include "core/provider/vendor.h"

namespace ai_proxy::provider {
namespace {

constexpr std::string_view kVendor = "vendor";
constexpr std::string_view kObject = "object";
// Where the text of an object stands.
constexpr std::string_view kTextOfDetail = "text";
constexpr std::string_view kTextOfBlock = "thinking";

void append_item(std::string& items, json::Node object, std::string_view text)
{
    const std::string_view type = object["type"].string_or();
    json::Writer w(items.append(items.empty() ? "" : ","));
    w.begin_object();
    for (const json::Member member : object.members()) {
        w.field(member.key, member.value);
    }
    if (type == "thinking") {
        w.field(kTextOfBlock, text);
    } else if (type == "reasoning.text" && !text.empty()) {
        w.field(kTextOfDetail, text);
    }
    w.end_object();
}

} // namespace

std::string wrap_reasoning(
    std::string_view vendor, json::Node object, std::string_view text_member)
{
    std::string text;
    json::Writer w(text);
    w.begin_object().field(kVendor, vendor).key(kObject).begin_object();
    for (const json::Member member : object.members()) {
        if (member.key != text_member) {
            w.field(member.key, member.value);
        }
    }
    w.end_object().end_object();
    return std::string(chat::kCompatibleMark) + credential::base64(text);
}

bool write_own_reasoning(
    json::Writer& w, std::string_view vendor, json::Node thinking_blocks)
{
    std::string details, blocks; // items of arrays
    json::Parser parser;
    for (const json::Node block : thinking_blocks.items()) {
        const std::string_view opaque =
            block["signature"].string_or(block["data"].string_or());
        if (chat::signer_of(opaque) != chat::Signer::compatible) {
            continue;
        }
        const std::string text =
            decode_base64(chat::unmarked(opaque)).value_or(std::string());
        const auto parsed = parser.parse(std::string_view(text));
        if (!parsed || (*parsed)[kVendor].string_or() != vendor) {
            continue;
        }
        const json::Node object = (*parsed)[kObject];
        const bool detail =
            object["type"].string_or().starts_with("reasoning.");
        append_item(
            detail ? details : blocks, object, block["thinking"].string_or());
    }
    if (!details.empty()) {
        w.key("reasoning_details").raw("[" + details + "]");
    }
    if (!blocks.empty()) {
        w.key("thinking_blocks").raw("[" + blocks + "]");
    }
    return !details.empty();
}

} // namespace ai_proxy::provider
