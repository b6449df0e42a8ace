#include "core/dialect/content_read.h"

#include "core/dialect/request_fault.h"

#include <string>

namespace ai_proxy::dialect {

namespace {

using chat::Part;
using chat::PartKind;

std::string place(size_t message, size_t part)
{
    return "messages[" + std::to_string(message) + "].content["
        + std::to_string(part) + "]";
}

// "data:image/png;base64,AAAA" (RFC 2397); false when it is none in base64.
bool split_data_url(std::string_view url, Part& part)
{
    constexpr std::string_view scheme = "data:";
    constexpr std::string_view base64 = ";base64";
    const size_t comma = url.find(',');
    if (!url.starts_with(scheme) || comma == std::string_view::npos) {
        return false;
    }
    std::string_view type = url.substr(scheme.size(), comma - scheme.size());
    if (!type.ends_with(base64)) {
        return false;
    }
    type.remove_suffix(base64.size());
    part.media_type = type.substr(0, type.find(';'));
    part.data = url.substr(comma + 1);
    return true;
}

Result<void> read_image(json::Node value, Part& part, std::string where)
{
    const std::string_view url =
        value.is_string() ? value.string_or() : value["url"].string_or();
    part.detail = value["detail"].string_or();
    part.kind = PartKind::image_url;
    if (!url.starts_with("data:")) {
        part.url = url;
        return {};
    }
    if (!split_data_url(url, part)) {
        return fault("Invalid image data URL: expected "
                     "'data:<media type>;base64,<data>'.",
            where + ".image_url.url", "invalid_value");
    }
    part.kind = PartKind::image_data;
    return {};
}

std::string_view audio_type(std::string_view format)
{
    if (format == "mp3") {
        return "audio/mpeg";
    }
    if (format == "flac") {
        return "audio/flac";
    }
    if (format == "ogg" || format == "opus") {
        return "audio/ogg";
    }
    if (format == "aac" || format == "m4a") {
        return "audio/aac";
    }
    return "audio/wav";
}

void read_file(json::Node file, Part& part)
{
    part.kind = PartKind::file;
    part.file_id = file["file_id"].string_or();
    part.filename = file["filename"].string_or(file["file_name"].string_or());
    const std::string_view data = file["file_data"].string_or();
    if (!data.empty() && !split_data_url(data, part)) {
        part.data = data;
        part.media_type = "application/pdf";
    }
    part.url = file["file_url"].string_or();
}

// Anthropic's form (a string and a signature) or Mistral's (an array of
// texts).
void read_thinking(json::Node block, std::vector<Part>& parts)
{
    const json::Node thinking = block["thinking"];
    Part part;
    part.kind = PartKind::thinking;
    part.signature = block["signature"].string_or();
    if (!thinking.is_array()) {
        part.text = thinking.string_or();
        parts.push_back(part);
        return;
    }
    for (const json::Node piece : thinking.items()) {
        part.text = piece["text"].string_or();
        parts.push_back(part);
    }
}

void read_redacted(json::Node block, std::vector<Part>& parts)
{
    Part part;
    part.kind = PartKind::redacted;
    part.data = block["data"].string_or();
    parts.push_back(part);
}

} // namespace

bool read_reasoning_block(json::Node block, std::vector<Part>& parts)
{
    const std::string_view type = block["type"].string_or();
    if (type == "thinking") {
        read_thinking(block, parts);
        return true;
    }
    if (type == "redacted_thinking") {
        read_redacted(block, parts);
        return true;
    }
    return false;
}

Result<void> read_part(
    json::Node node, std::vector<Part>& parts, size_t message, size_t index)
{
    if (read_reasoning_block(node, parts)) {
        return {};
    }
    Part part;
    part.cache_control = node["cache_control"];
    part.claude_block = node["claude_block"];
    const std::string_view type = node["type"].string_or();
    if (type == "text" || type == "input_text" || type == "output_text") {
        part.text = node["text"].string_or();
    } else if (type == "image_url") {
        if (auto r = read_image(node["image_url"], part, place(message, index));
            !r) {
            return r;
        }
    } else if (type == "input_audio") {
        part.kind = PartKind::audio;
        part.data = node["input_audio"]["data"].string_or();
        part.format = node["input_audio"]["format"].string_or("wav");
        part.media_type = audio_type(part.format);
    } else if (type == "file") {
        read_file(node["file"], part);
    } else if (type == "refusal") {
        part.kind = PartKind::refusal;
        part.text = node["refusal"].string_or();
    } else {
        std::string text = "Content part type '";
        text += type.substr(0, 64);
        text += "' cannot be sent to this provider.";
        return fault(
            std::move(text), place(message, index) + ".type", "invalid_value");
    }
    parts.push_back(part);
    return {};
}

} // namespace ai_proxy::dialect
