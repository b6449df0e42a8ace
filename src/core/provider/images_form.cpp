#include "core/provider/images_form.h"

#include "core/base/text.h"

#include <optional>
#include <utility>

namespace ai_proxy::provider {

namespace {

constexpr int64_t kMostImages = 10;
constexpr int64_t kMostPixels = 8192;
constexpr size_t kMostSources = 16;

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
std::optional<ImageSource> read_source(json::Node image) noexcept
{
    std::string_view url = image["image_url"].string_or();
    constexpr std::string_view kData = "data:", kBase64 = ";base64,";
    const size_t mark = url.find(kBase64);
    if (!url.starts_with(kData) || mark == std::string_view::npos) {
        return std::nullopt;
    }
    return ImageSource{url.substr(kData.size(), mark - kData.size()),
        url.substr(mark + kBase64.size())};
}

// What OpenAI's masks mean, no other vendor's mean.
Result<void> read_sources(json::Node body, ImageRequest& out)
{
    if (body["mask"].has_value()) {
        return field_fault("mask", "cannot be said to the provider");
    }
    for (const json::Node image : body["images"].items()) {
        const auto source = read_source(image);
        if (!source) {
            return field_fault("images", "must be sent with the request");
        }
        if (out.sources.size() == kMostSources) {
            return field_fault("images", "are too many");
        }
        out.sources.push_back(*source);
    }
    if (out.sources.empty() && body["images"].has_value()) {
        return field_fault("images", "must be an array of images");
    }
    return {};
}

} // namespace

Error field_fault(std::string_view field, std::string_view what)
{
    return make_error(ErrorCode::invalid_request,
        std::string(field) + " " + std::string(what), std::string(field));
}

Result<ImageRequest> read_images(json::Node body)
{
    ImageRequest out;
    out.raw = body;
    if (auto read = read_sources(body, out); !read) {
        return std::move(read).error();
    }
    out.prompt = body["prompt"].string_or();
    if (out.prompt.empty() && out.sources.empty()) {
        return field_fault("prompt", "must be a text");
    }
    if (body["stream"].boolean().value_or(false)) {
        return field_fault("stream", "is not known to the provider's images");
    }
    if (const json::Node n = body["n"]; n.has_value()) {
        out.n = n.integer().value_or(0);
        if (out.n < 1 || out.n > kMostImages) {
            return field_fault("n", "must be an integer from 1 to 10");
        }
    }
    out.quality = body["quality"].string_or();
    out.format = body["output_format"].string_or();
    const json::Node size = body["size"];
    if (size.has_value() && size.string_or() != "auto") {
        out.size = size.string_or();
        if (!read_size(out.size, out)) {
            return field_fault("size", "must be WIDTHxHEIGHT or auto");
        }
    }
    return out;
}

ImagesWriter::ImagesWriter(std::string& out, int64_t created) : w_(out)
{
    w_.begin_object().field("created", created);
    w_.key("data").begin_array();
}

void ImagesWriter::add(std::string_view name, std::string_view image)
{
    if (!image.empty()) {
        any_ = true;
        w_.begin_object().field(name, image).end_object();
    }
}

Result<void> ImagesWriter::finish(
    const chat::Usage& usage, std::string_view why)
{
    if (!any_) {
        std::string text = "the provider made no image";
        text.append(why.empty() ? "" : ": ").append(why);
        Error error = make_error(ErrorCode::upstream_error, std::move(text));
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

} // namespace ai_proxy::provider
