#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/provider/images_form.h"
#include "core/provider/minimax.h"
#include "core/provider/vendor.h"
#include "core/provider/vocabulary.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

// Images and speech of MiniMax.
namespace ai_proxy::provider {

namespace {

constexpr std::string_view kImageWords[] = {
    "prompt", "n", "size", "response_format"};
constexpr std::array<std::string_view, 6> kImageOwn{"aspect_ratio", "seed",
    "prompt_optimizer", "subject_reference", "aigc_watermark", "style"};
constexpr size_t kAsSent = 5; // OpenAI's style is a word

constexpr int64_t kMostImages = 9;
constexpr std::array<ImageAspect, 8> kAspects{{{"1:1", 1}, {"16:9", 16.0 / 9},
    {"4:3", 4.0 / 3}, {"3:2", 3.0 / 2}, {"2:3", 2.0 / 3}, {"3:4", 3.0 / 4},
    {"9:16", 9.0 / 16}, {"21:9", 21.0 / 9}}};

// What the model image-01 makes by pixels.
bool is_exact(int64_t side) noexcept
{
    return side >= 512 && side <= 2048 && side % 8 == 0;
}

constexpr std::string_view kSpeechWords[] = {
    "input", "voice", "response_format", "speed", "stream_format"};
// Those of the voice, then the others.
constexpr std::array<std::string_view, 8> kSpeechOwn{"vol", "pitch", "emotion",
    "language_boost", "pronunciation_dict", "timbre_weights", "voice_modify",
    "aigc_watermark"};
constexpr size_t kOfVoice = 3;

struct Sound {
    std::string_view format, media_type;
};

constexpr std::array<Sound, 4> kSounds{{{"mp3", "audio/mpeg"},
    {"wav", "audio/wav"}, {"flac", "audio/flac"}, {"pcm", "audio/pcm"}}};

constexpr double kSlowest = 0.5;
constexpr double kFastest = 2;
// What OpenAI's clients play samples without a header with.
constexpr int64_t kPcmRate = 24000;

std::optional<unsigned> hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') {
        return static_cast<unsigned>(lower - 'a') + 10;
    }
    return std::nullopt;
}

bool append_bytes(std::string& out, std::string_view hex)
{
    if (hex.size() % 2 != 0) {
        return false;
    }
    out.reserve(out.size() + hex.size() / 2);
    for (size_t i = 0; i < hex.size(); i += 2) {
        const auto high = hex_digit(hex[i]);
        const auto low = hex_digit(hex[i + 1]);
        if (!high || !low) {
            return false;
        }
        out += static_cast<char>(*high << 4 | *low);
    }
    return true;
}

} // namespace

const Vocabulary kMinimaxImages{kImageWords, kImageOwn};
const Vocabulary kMinimaxSpeech{kSpeechWords, kSpeechOwn};

std::string minimax_path(const Options& options, std::string_view path)
{
    std::string out(path);
    if (!options.minimax_group_id.empty()) {
        out += "?GroupId=" + percent_encode(options.minimax_group_id);
    }
    return out;
}

Result<void> encode_minimax_images(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_images(request);
    if (!asked) {
        return std::move(asked).error();
    }
    if (asked->n > kMostImages) {
        return field_fault("n", "must be an integer from 1 to 9");
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.field("prompt", asked->prompt).field("n", asked->n);
    w.field("response_format",
        request["response_format"].string_or() == "b64_json" ? "base64"
                                                             : "url");
    if (asked->width != 0 && !request["aspect_ratio"].has_value()) {
        if (context.model == "image-01" && is_exact(asked->width)
            && is_exact(asked->height))
        {
            w.field("width", asked->width).field("height", asked->height);
        } else {
            w.field("aspect_ratio", nearest(kAspects, *asked));
        }
    }
    const bool is_word = request["style"].is_string();
    drop_if(context, "style", is_word);
    write_own(w, request,
        std::span(kImageOwn).first(is_word ? kAsSent : kImageOwn.size()));
    w.end_object();
    out.post_json(
        minimax_path(context.options, "/v1/image_generation"), std::move(body));
    return {};
}

Result<void> answer_minimax_images(json::Node body,
    const EncodeContext& context, bool, std::string& out, chat::Usage&)
{
    ImagesWriter writer(out, context.now_seconds);
    for (const json::Node image : body["data"]["image_base64"].items()) {
        writer.add(image.string_or());
    }
    for (const json::Node image : body["data"]["image_urls"].items()) {
        writer.add_url(image.string_or());
    }
    return writer.finish({}, body["base_resp"]["status_msg"].string_or());
}

Result<void> encode_minimax_speech(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    const std::string_view text = request["input"].string_or();
    const json::Node named = request["voice"];
    const std::string_view voice =
        named.is_object() ? named["id"].string_or() : named.string_or();
    if (text.empty()) {
        return field_fault("input", "must be a text");
    }
    if (voice.empty()) {
        return field_fault("voice", "must be the name of a voice");
    }
    if (request["stream_format"].string_or() == "sse") {
        return field_fault("stream_format", "must be audio with this provider");
    }
    const std::string_view format = request["response_format"].string_or("mp3");
    if (std::none_of(kSounds.begin(), kSounds.end(),
            [format](const Sound& one) { return one.format == format; }))
    {
        return field_fault("response_format",
            "must be mp3, wav, flac or pcm with this provider");
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model).field("text", text);
    w.field("stream", false).field("output_format", "hex");
    w.key("voice_setting").begin_object().field("voice_id", voice);
    if (const auto speed = request["speed"].number(); speed) {
        const double bounded = std::clamp(*speed, kSlowest, kFastest);
        drop_if(context, "speed", bounded != *speed);
        w.field("speed", bounded);
    }
    write_own(w, request, std::span(kSpeechOwn).first(kOfVoice));
    w.end_object();
    w.key("audio_setting").begin_object().field("format", format);
    if (format == "pcm") {
        w.field("sample_rate", kPcmRate);
    }
    w.field("channel", int64_t{1}).end_object();
    write_own(w, request, std::span(kSpeechOwn).subspan(kOfVoice));
    w.end_object();
    out.post_json(minimax_path(context.options, "/v1/t2a_v2"), std::move(body));
    return {};
}

Result<void> answer_minimax_speech(
    json::Node body, const EncodeContext&, bool, std::string& out, chat::Usage&)
{
    const std::string_view sound = body["data"]["audio"].string_or();
    if (sound.empty() || !append_bytes(out, sound)) {
        return make_error(ErrorCode::upstream_invalid,
            "The provider's answer holds no sound.");
    }
    return {};
}

std::string_view minimax_sound_type(json::Node body) noexcept
{
    const std::string_view format =
        body["extra_info"]["audio_format"].string_or("mp3");
    const auto* found = std::find_if(kSounds.begin(), kSounds.end(),
        [format](const Sound& one) { return one.format == format; });
    return found != kSounds.end() ? found->media_type
                                  : "application/octet-stream";
}

} // namespace ai_proxy::provider
