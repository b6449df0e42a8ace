#include "core/provider/images.h"

#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/provider/bedrock.h"
#include "core/provider/gemini.h"
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

constexpr int64_t kMostImages = 10;
constexpr int64_t kMostPixels = 8192;
constexpr size_t kMostSources = 16;
// What a variation is asked for with where everything is asked for in words.
constexpr std::string_view kVary = "Make a variation of this image.";

// A picture that is to be edited.
struct Source {
    std::string_view media_type, data; // base64
};

struct ImageRequest {
    std::string_view prompt;
    std::string_view size; // as sent; "" and "auto" leave it to the model
    int64_t width = 0, height = 0;
    int64_t n = 1;
    std::string_view quality;
    std::string_view format; // output_format
    std::vector<Source> sources;
    json::Node raw;
};

Error bad(std::string_view field, std::string_view what)
{
    return make_error(ErrorCode::invalid_request,
        std::string(field) + " " + std::string(what), std::string(field));
}

// "1024x1536"
bool read_size(std::string_view text, ImageRequest& out) noexcept
{
    const size_t cross = text.find('x');
    if (cross == std::string_view::npos) {
        return false;
    }
    const auto width = parse_uint(text.substr(0, cross));
    const auto height = parse_uint(text.substr(cross + 1));
    if (!width || !height || *width == 0 || *height == 0 || *width > kMostPixels
        || *height > kMostPixels)
    {
        return false;
    }
    out.width = static_cast<int64_t>(*width);
    out.height = static_cast<int64_t>(*height);
    return true;
}

// {"image_url":"data:image/png;base64,..."}
std::optional<Source> read_source(json::Node image) noexcept
{
    std::string_view url = image["image_url"].string_or();
    constexpr std::string_view kData = "data:", kBase64 = ";base64,";
    const size_t mark = url.find(kBase64);
    if (!url.starts_with(kData) || mark == std::string_view::npos) {
        return std::nullopt;
    }
    return Source{url.substr(kData.size(), mark - kData.size()),
        url.substr(mark + kBase64.size())};
}

// What OpenAI's masks mean, no other vendor's mean.
Result<void> read_sources(json::Node body, ImageRequest& out)
{
    if (body["mask"].has_value()) {
        return bad("mask", "cannot be said to the provider");
    }
    for (const json::Node image : body["images"].items()) {
        const auto source = read_source(image);
        if (!source) {
            return bad("images", "must be sent with the request");
        }
        if (out.sources.size() == kMostSources) {
            return bad("images", "are too many");
        }
        out.sources.push_back(*source);
    }
    if (out.sources.empty() && body["images"].has_value()) {
        return bad("images", "must be an array of images");
    }
    return {};
}

Result<ImageRequest> read_images(json::Node body, const EncodeContext& context)
{
    ImageRequest out;
    out.raw = body;
    if (auto read = read_sources(body, out); !read) {
        return std::move(read).error();
    }
    out.prompt = body["prompt"].string_or();
    if (out.prompt.empty() && out.sources.empty()) {
        return bad("prompt", "must be a text");
    }
    if (body["stream"].boolean().value_or(false)) {
        return bad("stream", "is not known to the provider's images");
    }
    if (const json::Node n = body["n"]; n.has_value()) {
        out.n = n.integer().value_or(0);
        if (out.n < 1 || out.n > kMostImages) {
            return bad("n", "must be an integer from 1 to 10");
        }
    }
    drop_if(context, "response_format",
        body["response_format"].string_or() == "url");
    out.quality = body["quality"].string_or();
    out.format = body["output_format"].string_or();
    const json::Node size = body["size"];
    if (size.has_value() && size.string_or() != "auto") {
        out.size = size.string_or();
        if (!read_size(out.size, out)) {
            return bad("size", "must be WIDTHxHEIGHT or auto");
        }
    }
    return out;
}

struct Aspect {
    std::string_view name;
    double ratio;
};

// The nearest of what a model can do.
template <size_t n>
std::string_view nearest(
    const std::array<Aspect, n>& known, const ImageRequest& request) noexcept
{
    const double wanted = static_cast<double>(request.width)
        / static_cast<double>(request.height);
    const auto off = [wanted](const Aspect& a) {
        return a.ratio > wanted ? a.ratio / wanted : wanted / a.ratio;
    };
    return std::min_element(known.begin(), known.end(),
        [&off](const Aspect& a, const Aspect& b) { return off(a) < off(b); })
        ->name;
}

constexpr std::array<Aspect, 5> kImagenAspects{{{"1:1", 1}, {"4:3", 4.0 / 3},
    {"3:4", 3.0 / 4}, {"16:9", 16.0 / 9}, {"9:16", 9.0 / 16}}};
constexpr std::array<Aspect, 10> kGeminiAspects{{{"1:1", 1}, {"4:3", 4.0 / 3},
    {"3:4", 3.0 / 4}, {"16:9", 16.0 / 9}, {"9:16", 9.0 / 16}, {"3:2", 3.0 / 2},
    {"2:3", 2.0 / 3}, {"5:4", 5.0 / 4}, {"4:5", 4.0 / 5}, {"21:9", 21.0 / 9}}};

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
        for (const Source& source : request.sources) {
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
    for (const std::string_view own : kGoogleOwn) {
        if (request.raw[own].has_value()) {
            w.field(own, request.raw[own]);
        }
    }
    w.end_object().end_object();
    return body;
}

// One user turn that asks for pictures.
Result<std::string> gemini_body(const ImageRequest& request)
{
    if (request.n != 1) {
        return bad("n", "must be 1 with the provider's model");
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().key("contents").begin_array().begin_object();
    w.field("role", "user").key("parts").begin_array();
    for (const Source& source : request.sources) {
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
    auto asked = read_images(request, context);
    if (!asked) {
        return std::move(asked).error();
    }
    if (is_imagen(context.model)) {
        if (!asked->sources.empty() && path != vertex_model_path) {
            return bad("image", "cannot be edited by the provider's model");
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

// Writes OpenAI's answer.
class ImagesWriter {
public:
    ImagesWriter(std::string& out, int64_t created) : w_(out)
    {
        w_.begin_object().field("created", created);
        w_.key("data").begin_array();
    }
    void add(std::string_view base64)
    {
        if (!base64.empty()) {
            any_ = true;
            w_.begin_object().field("b64_json", base64).end_object();
        }
    }
    // why: what the vendor says when there is no image.
    [[nodiscard]] Result<void> finish(
        const chat::Usage& usage, std::string_view why)
    {
        if (!any_) {
            std::string text = "the provider made no image";
            text.append(why.empty() ? "" : ": ").append(why);
            Error error =
                make_error(ErrorCode::upstream_error, std::move(text));
            error.status = 400;
            error.provider_code = "content_filter";
            return error;
        }
        w_.end_array();
        if (usage.known) {
            w_.key("usage").begin_object();
            w_.field("input_tokens", usage.prompt);
            w_.field("output_tokens", usage.completion);
            w_.field("total_tokens", usage.total).end_object();
        }
        w_.end_object();
        return {};
    }

private:
    json::Writer w_;
    bool any_ = false;
};

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
    constexpr std::array<Aspect, 9> kAspects{
        {{"1:1", 1}, {"16:9", 16.0 / 9}, {"9:16", 9.0 / 16}, {"3:2", 3.0 / 2},
            {"2:3", 2.0 / 3}, {"5:4", 5.0 / 4}, {"4:5", 4.0 / 5},
            {"21:9", 21.0 / 9}, {"9:21", 9.0 / 21}}};
    if (request.n != 1) {
        return bad("n", "must be 1 with the provider's model");
    }
    if (request.sources.size() > 1) {
        return bad("image", "must be one with the provider's model");
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
        for (const Source& source : request.sources) {
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
    auto asked = read_images(request, context);
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
