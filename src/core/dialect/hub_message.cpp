#include "core/dialect/hub_message.h"

#include "core/chat/signer.h"
#include "core/dialect/tool_names.h"

#include <utility>

namespace ai_proxy::dialect {

namespace {

void comma(std::string& list)
{
    if (!list.empty()) {
        list += ',';
    }
}

void data_url_text(
    std::string& out, std::string_view media_type, std::string_view data)
{
    std::string url = "data:";
    url += media_type;
    url += ";base64,";
    url += data;
    json::append_string(out, url);
}

} // namespace

void HubMessage::begin_part(std::string_view type)
{
    comma(parts_);
    parts_ += R"({"type":")";
    parts_ += type;
    parts_ += '"';
}

void HubMessage::end_part(json::Node cache_control)
{
    if (cache_control.is_object()) {
        is_plain_ = false;
        parts_ += R"(,"cache_control":)";
        json::append_value(parts_, cache_control);
    }
    if (!claude_block_.empty()) {
        is_plain_ = false;
        parts_ += R"(,"claude_block":)";
        parts_ += std::exchange(claude_block_, {});
    }
    parts_ += '}';
}

void HubMessage::claude_block(json::Node block, std::string_view without)
{
    json::Writer w(claude_block_);
    w.begin_object();
    for (const json::Member member : block.members()) {
        if (member.key != without) {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
}

void HubMessage::text(std::string_view text, json::Node cache_control)
{
    if (text.empty()) {
        return;
    }
    // Roles whose texts are one: the blocks of a system prompt are paragraphs,
    // those of an answer go on where the one before ended.
    if (!plain_.empty() && role_ == "system") {
        plain_ += "\n\n";
    } else if (!plain_.empty() && role_ == "tool") {
        plain_ += '\n';
    } else if (!plain_.empty() && role_ != "assistant") {
        is_plain_ = false;
    }
    plain_ += text;
    begin_part("text");
    parts_ += R"(,"text":)";
    json::append_string(parts_, text);
    end_part(cache_control);
}

void HubMessage::image_url(
    std::string_view url, std::string_view detail, json::Node cache_control)
{
    is_plain_ = false;
    begin_part("image_url");
    parts_ += R"(,"image_url":{"url":)";
    json::append_string(parts_, url);
    if (!detail.empty()) {
        parts_ += R"(,"detail":)";
        json::append_string(parts_, detail);
    }
    parts_ += '}';
    end_part(cache_control);
}

void HubMessage::image(std::string_view media_type, std::string_view data,
    std::string_view detail, json::Node cache_control)
{
    std::string url = "data:";
    url += media_type;
    url += ";base64,";
    url += data;
    image_url(url, detail, cache_control);
}

void HubMessage::audio(std::string_view format, std::string_view data)
{
    is_plain_ = false;
    begin_part("input_audio");
    parts_ += R"(,"input_audio":{"data":)";
    json::append_string(parts_, data);
    parts_ += R"(,"format":)";
    json::append_string(parts_, format);
    parts_ += '}';
    end_part({});
}

void HubMessage::file(std::string_view media_type, std::string_view data,
    std::string_view name, json::Node cache_control)
{
    is_plain_ = false;
    begin_part("file");
    parts_ += R"(,"file":{"file_data":)";
    data_url_text(parts_, media_type, data);
    // OpenAI wants a name beside the data.
    parts_ += R"(,"filename":)";
    json::append_string(parts_, name.empty() ? "document.pdf" : name);
    parts_ += '}';
    end_part(cache_control);
}

void HubMessage::file_url(std::string_view url, std::string_view media_type,
    std::string_view name, json::Node cache_control)
{
    is_plain_ = false;
    begin_part("file");
    parts_ += R"(,"file":{"file_url":)";
    json::append_string(parts_, url);
    if (!media_type.empty()) {
        parts_ += R"(,"format":)";
        json::append_string(parts_, media_type);
    }
    if (!name.empty()) {
        parts_ += R"(,"filename":)";
        json::append_string(parts_, name);
    }
    parts_ += '}';
    end_part(cache_control);
}

void HubMessage::file_id(std::string_view id, json::Node cache_control)
{
    is_plain_ = false;
    begin_part("file");
    parts_ += R"(,"file":{"file_id":)";
    json::append_string(parts_, id);
    parts_ += '}';
    end_part(cache_control);
}

void HubMessage::refusal(std::string_view text)
{
    if (text.empty()) {
        return;
    }
    is_plain_ = false;
    begin_part("refusal");
    parts_ += R"(,"refusal":)";
    json::append_string(parts_, text);
    end_part({});
}

void HubMessage::thinking(std::string_view text, std::string_view signature)
{
    reasoning_ += text;
    const size_t begin = blocks_.size();
    add_thinking(text, signature);
    if (signature.starts_with(chat::kGoogleCallMark)) {
        of_call_ = {begin, size(), std::string(text),
            std::string(chat::unmarked(signature))};
    }
}

// Google signs calls; where only thoughts can be signed, thoughts before the
// call have its signature.
std::string HubMessage::signature_before()
{
    if (of_call_.signature.empty() || of_call_.size_behind != size()) {
        return {};
    }
    blocks_.resize(of_call_.begin);
    if (!of_call_.text.empty()) {
        add_thinking(of_call_.text, {});
    }
    return std::exchange(of_call_.signature, {});
}

void HubMessage::add_thinking(std::string_view text, std::string_view signature)
{
    comma(blocks_);
    blocks_ += R"({"type":"thinking","thinking":)";
    json::append_string(blocks_, text);
    blocks_ += R"(,"signature":)";
    json::append_string(blocks_, signature);
    blocks_ += '}';
}

void HubMessage::redacted(std::string_view data)
{
    comma(blocks_);
    blocks_ += R"({"type":"redacted_thinking","data":)";
    json::append_string(blocks_, data);
    blocks_ += '}';
}

void HubMessage::call(std::string_view id, std::string_view name,
    std::string_view arguments, std::string_view signature)
{
    const std::string before = signature_before();
    if (signature.empty()) {
        signature = before;
    }
    comma(calls_);
    calls_ += R"({"id":)";
    json::append_string(calls_, id);
    calls_ += R"(,"type":"function","function":{"name":)";
    json::append_string(calls_, fitting_tool_name(name));
    calls_ += R"(,"arguments":)";
    json::append_string(calls_, arguments);
    calls_ += '}';
    if (!signature.empty()) {
        calls_ += R"(,"extra_content":{"google":{"thought_signature":)";
        json::append_string(calls_, signature);
        calls_ += "}}";
    }
    calls_ += '}';
}

void HubMessage::answers(std::string_view call_id, bool is_error)
{
    call_id_ = call_id;
    is_error_ = is_error;
}

void HubMessage::write(json::Writer& w) const
{
    w.begin_object().field("role", role_);
    if (role_ == "tool") {
        w.field("tool_call_id", std::string_view(call_id_));
    }
    w.key("content");
    if (is_plain_ && (!plain_.empty() || role_ == "tool")) {
        w.string(plain_);
    } else if (!parts_.empty()) {
        w.raw("[" + parts_ + "]");
    } else if (role_ == "assistant") {
        w.null();
    } else {
        w.string("");
    }
    if (is_error_) {
        w.field("is_error", true);
    }
    if (!reasoning_.empty()) {
        w.field("reasoning_content", std::string_view(reasoning_));
    }
    if (!blocks_.empty()) {
        w.key("thinking_blocks").raw("[" + blocks_ + "]");
    }
    if (!calls_.empty()) {
        w.key("tool_calls").raw("[" + calls_ + "]");
    }
    w.end_object();
}

} // namespace ai_proxy::dialect
