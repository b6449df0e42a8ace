#include "core/provider/images.h"

#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/provider/bedrock.h"
#include "core/provider/gemini.h"
#include "core/provider/images_form.h"
#include "core/provider/vendor.h"
#include "core/provider/vertex.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace ai_proxy::provider {
namespace {

constexpr std::string_view kGoogleWords[] = {
    "prompt", "n", "size", "response_format", "images"};
constexpr std::string_view kGoogleOwn[] = {
    "personGeneration", "negativePrompt", "seed", "safetySetting"};
constexpr std::string_view kBedrockWords[] = {"prompt", "n", "size", "quality",
    "output_format", "response_format", "images"};
constexpr std::string_view kBedrockOwn[] = {"negative_prompt", "negativeText",
    "cfgScale", "seed", "similarityStrength", "strength"};

// What a variation is asked for with where everything is asked for in words.
constexpr std::string_view kVary = "Make a variation of this image.";

// They come as base64: there is no place to put them for a URL.
Result<ImageRequest> read_cloud_images(
    json::Node body, const EncodeContext& context)
{
    drop_if(context, "response_format",
        body["response_format"].string_or() == "url");
    return read_images(body);
}

constexpr std::array<ImageAspect, 5> kImagenAspects{
    {{"1:1", 1}, {"4:3", 4.0 / 3}, {"3:4", 3.0 / 4}, {"16:9", 16.0 / 9},
        {"9:16", 9.0 / 16}}};
constexpr std::array<ImageAspect, 10> kGeminiAspects{
    {{"1:1", 1}, {"4:3", 4.0 / 3}, {"3:4", 3.0 / 4}, {"16:9", 16.0 / 9},
        {"9:16", 9.0 / 16}, {"3:2", 3.0 / 2}, {"2:3", 2.0 / 3},
        {"5:4", 5.0 / 4}, {"4:5", 4.0 / 5}, {"21:9", 21.0 / 9}}};

bool is_imagen(std::string_view model) noexcept
{
    return model.find("imagen") != std::string_view::npos
        || model.find("imagegeneration") != std::string_view::npos;
}

// "2K" and "4K" are asked for by their pixels; less is every model's default.
std::string_view resolution(const ImageRequest& request) noexcept
{
    const int64_t longest = std::max(request.width, request.height);
    return longest >= 4096 ? "4K" : longest >= 2048 ? "2K" : "";
}

std::string imagen_body(const ImageRequest& request)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().key("instances").begin_array();
    w.begin_object();
    w.field("prompt", request.prompt.empty() ? kVary : request.prompt);
    if (!request.sources.empty()) {
        int64_t id = 0;
        w.key("referenceImages").begin_array();
        for (const ImageSource& source : request.sources) {
            w.begin_object().field("referenceType", "REFERENCE_TYPE_RAW");
            w.field("referenceId", ++id);
            w.key("referenceImage").begin_object();
            w.field("bytesBase64Encoded", source.data).end_object();
            w.end_object();
        }
        w.end_array();
    }
    w.end_object().end_array().key("parameters").begin_object();
    w.field("sampleCount", request.n);
    if (!request.sources.empty()) {
        w.field("editMode", "EDIT_MODE_DEFAULT");
    }
    if (request.width != 0) {
        w.field("aspectRatio", nearest(kImagenAspects, request));
    }
    if (const auto pixels = resolution(request); !pixels.empty()) {
        w.field("sampleImageSize", pixels);
    }
    write_own(w, request.raw, kGoogleOwn);
    w.end_object().end_object();
    return body;
}

// One user turn that asks for pictures.
Result<std::string> gemini_body(const ImageRequest& request)
{
    if (request.n != 1) {
        return field_fault("n", "must be 1 with the provider's model");
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().key("contents").begin_array().begin_object();
    w.field("role", "user").key("parts").begin_array();
    for (const ImageSource& source : request.sources) {
        w.begin_object().key("inlineData").begin_object();
        w.field("mimeType", source.media_type);
        w.field("data", source.data).end_object().end_object();
    }
    w.begin_object();
    w.field("text", request.prompt.empty() ? kVary : request.prompt);
    w.end_object();
    w.end_array().end_object().end_array();
    w.key("generationConfig").begin_object();
    w.key("responseModalities").begin_array();
    w.string("TEXT").string("IMAGE").end_array();
    if (request.width != 0) {
        w.key("imageConfig").begin_object();
        w.field("aspectRatio", nearest(kGeminiAspects, request));
        if (const auto pixels = resolution(request); !pixels.empty()) {
            w.field("imageSize", pixels);
        }
        w.end_object();
    }
    w.end_object().end_object();
    return body;
}

using PathOf = std::string (*)(
    const Options& options, std::string_view model, std::string_view action);

Result<void> encode_google_images(json::Node request,
    const EncodeContext& context, Outbound& out, PathOf path)
{
    auto asked = read_cloud_images(request, context);
    if (!asked) {
        return std::move(asked).error();
    }
    if (is_imagen(context.model)) {
        if (!asked->sources.empty() && path != vertex_model_path) {
            return field_fault(
                "image", "cannot be edited by the provider's model");
        }
        out.post_json(path(context.options, context.model, "predict"),
            imagen_body(*asked));
        return {};
    }
    auto body = gemini_body(*asked);
    if (!body) {
        return std::move(body).error();
    }
    out.post_json(path(context.options, context.model, "generateContent"),
        std::move(*body));
    return {};
}

int64_t count(json::Node number) noexcept
{
    return std::max<int64_t>(number.integer().value_or(0), 0);
}

chat::Usage google_usage(json::Node told) noexcept
{
    chat::Usage usage;
    if (told.is_object()) {
        usage.known = true;
        usage.prompt = count(told["promptTokenCount"]);
        usage.completion = count(told["candidatesTokenCount"]);
        usage.reasoning = count(told["thoughtsTokenCount"]);
        usage.completion +=
            std::min(usage.reasoning, INT64_MAX - usage.completion);
        usage.total =
            usage.prompt + std::min(usage.completion, INT64_MAX - usage.prompt);
    }
    return usage;
}

std::string_view google_reason(json::Node body) noexcept
{
    for (const json::Node reason : {body["promptFeedback"]["blockReason"],
             body["candidates"].at(0)["finishReason"],
             body["predictions"].at(0)["raiFilteredReason"]})
    {
        if (reason.is_string()) {
            return reason.string_or();
        }
    }
    return {};
}

bool is_stability(std::string_view model) noexcept
{
    return model.find("stability.") != std::string_view::npos;
}

constexpr double kStrength = 0.7;

// Stability's current models; one image a call.
Result<void> write_stability(json::Writer& w, const ImageRequest& request)
{
    constexpr std::array<ImageAspect, 9> kAspects{
        {{"1:1", 1}, {"16:9", 16.0 / 9}, {"9:16", 9.0 / 16}, {"3:2", 3.0 / 2},
            {"2:3", 2.0 / 3}, {"5:4", 5.0 / 4}, {"4:5", 4.0 / 5},
            {"21:9", 21.0 / 9}, {"9:21", 9.0 / 21}}};
    if (request.n != 1) {
        return field_fault("n", "must be 1 with the provider's model");
    }
    if (request.sources.size() > 1) {
        return field_fault("image", "must be one with the provider's model");
    }
    w.field("prompt", request.prompt.empty() ? kVary : request.prompt);
    if (!request.sources.empty()) {
        // Of the first image as much is kept as strength leaves.
        const json::Node strength = request.raw["strength"];
        w.field("mode", "image-to-image");
        w.field("image", request.sources.front().data);
        w.field("strength", strength.number().value_or(kStrength));
    } else if (request.width != 0) {
        w.field("aspect_ratio", nearest(kAspects, request));
    }
    if (request.format == "png" || request.format == "jpeg") {
        w.field("output_format", request.format);
    }
    for (const std::string_view own : {"negative_prompt", "seed"}) {
        if (request.raw[own].has_value()) {
            w.field(own, request.raw[own]);
        }
    }
    return {};
}

void write_titan(json::Writer& w, const ImageRequest& request)
{
    const bool best = request.quality == "hd" || request.quality == "high"
        || request.quality == "premium";
    const bool vary = !request.sources.empty();
    w.field("taskType", vary ? "IMAGE_VARIATION" : "TEXT_IMAGE");
    w.key(vary ? "imageVariationParams" : "textToImageParams").begin_object();
    if (vary) {
        w.key("images").begin_array();
        for (const ImageSource& source : request.sources) {
            w.string(source.data);
        }
        w.end_array();
        if (request.raw["similarityStrength"].is_number()) {
            w.field("similarityStrength", request.raw["similarityStrength"]);
        }
    }
    if (!request.prompt.empty()) {
        w.field("text", request.prompt);
    }
    if (request.raw["negativeText"].is_string()) {
        w.field("negativeText", request.raw["negativeText"]);
    }
    w.end_object().key("imageGenerationConfig").begin_object();
    w.field("numberOfImages", request.n);
    w.field("width", request.width != 0 ? request.width : int64_t{1024});
    w.field("height", request.height != 0 ? request.height : int64_t{1024});
    w.field("quality", best ? "premium" : "standard");
    for (const std::string_view own : {"cfgScale", "seed"}) {
        if (request.raw[own].is_number()) {
            w.field(own, request.raw[own]);
        }
    }
    w.end_object();
}

} // namespace

const Vocabulary kGoogleImages{kGoogleWords, kGoogleOwn};
const Vocabulary kBedrockImages{kBedrockWords, kBedrockOwn};

Result<void> encode_gemini_images(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    return encode_google_images(request, context, out, gemini_model_path);
}

Result<void> encode_vertex_images(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    return encode_google_images(request, context, out, vertex_model_path);
}

Result<void> answer_google_images(json::Node body, const EncodeContext& context,
    bool, std::string& out, chat::Usage& usage)
{
    usage = google_usage(body["usageMetadata"]);
    ImagesWriter writer(out, context.now_seconds);
    for (const json::Node made : body["predictions"].items()) {
        writer.add(made["bytesBase64Encoded"].string_or());
    }
    for (const json::Node candidate : body["candidates"].items()) {
        for (const json::Node part : candidate["content"]["parts"].items()) {
            if (!part["thought"].boolean().value_or(false)) {
                writer.add(part["inlineData"]["data"].string_or());
            }
        }
    }
    return writer.finish(usage, google_reason(body));
}

Result<void> encode_bedrock_images(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_cloud_images(request, context);
    if (!asked) {
        return std::move(asked).error();
    }
    if (auto valid = check_bedrock_model(context.model); !valid) {
        return valid;
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (is_stability(context.model)) {
        if (auto done = write_stability(w, *asked); !done) {
            return done;
        }
    } else {
        write_titan(w, *asked);
    }
    w.end_object();
    out.post_json(bedrock_model_path(context.model, "invoke"), std::move(body));
    return {};
}

Result<void> answer_bedrock_images(json::Node body,
    const EncodeContext& context, bool, std::string& out, chat::Usage&)
{
    ImagesWriter writer(out, context.now_seconds);
    for (const json::Node image : body["images"].items()) {
        writer.add(image.string_or());
    }
    const std::string_view why =
        body["error"].string_or(body["finish_reasons"].at(0).string_or());
    return writer.finish({}, why);
}

} // namespace ai_proxy::provider
