#pragma once

#include "core/json/writer.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::dialect {

// One message of the hub's text (OpenAI chat and its extensions) while a
// dialect that orders things differently is read.
class HubMessage {
public:
    explicit HubMessage(std::string_view role) : role_(role) {}

    void text(std::string_view text, json::Node cache_control = {});
    void image_url(std::string_view url, std::string_view detail = {},
        json::Node cache_control = {});
    // data is base64.
    void image(std::string_view media_type, std::string_view data,
        std::string_view detail = {}, json::Node cache_control = {});
    void audio(std::string_view format, std::string_view data);
    void file(std::string_view media_type, std::string_view data,
        std::string_view name, json::Node cache_control = {});
    void file_url(std::string_view url, std::string_view media_type,
        std::string_view name, json::Node cache_control = {});
    void file_id(std::string_view id, json::Node cache_control = {});
    // chat::Part::claude_block of the next part: a block's members but
    // "without".
    void claude_block(json::Node block, std::string_view without = {});
    void refusal(std::string_view text);
    void thinking(std::string_view text, std::string_view signature);
    void redacted(std::string_view data);
    // arguments: JSON text.  Without a signature it has the one that stands
    // directly before it, marked as a call's.
    void call(std::string_view id, std::string_view name,
        std::string_view arguments, std::string_view signature = {});
    // Of role tool.
    void answers(std::string_view call_id, bool is_error);

    [[nodiscard]] bool empty() const noexcept
    {
        return parts_.empty() && blocks_.empty() && calls_.empty()
            && call_id_.empty();
    }
    void write(json::Writer& w) const;

private:
    void begin_part(std::string_view type);
    void end_part(json::Node cache_control);
    void add_thinking(std::string_view text, std::string_view signature);
    std::string signature_before();
    [[nodiscard]] size_t size() const noexcept
    {
        return parts_.size() + blocks_.size() + calls_.size();
    }

    std::string_view role_;
    std::string parts_, blocks_, calls_; // items of JSON arrays
    std::string reasoning_, call_id_;
    std::string claude_block_; // JSON text
    // The newest block whose signature is that of a call.
    struct {
        size_t begin = 0, size_behind = 0;
        std::string text, signature;
    } of_call_;
    std::string plain_; // the text, while there is nothing but text
    bool is_plain_ = true, is_error_ = false;
};

} // namespace ai_proxy::dialect
