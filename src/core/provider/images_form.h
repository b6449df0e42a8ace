#pragma once

#include "core/base/result.h"
#include "core/chat/usage.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// OpenAI's form of asking for images and of giving them, for vendors that have
// another.
namespace ai_proxy::provider {

// A picture that is to be edited.
struct ImageSource {
    std::string_view media_type, data; // base64
};

// Views live as long as the body that was read.
struct ImageRequest {
    std::string_view prompt;
    std::string_view size; // as sent; "" and "auto" leave it to the model
    int64_t width = 0, height = 0;
    int64_t n = 1;
    std::string_view quality;
    std::string_view format; // output_format
    std::vector<ImageSource> sources;
    json::Node raw;
};

// Of the client's request, edits and variations with "images" as data URLs.
// Error invalid_request for what is not OpenAI's form, for a mask and for a
// stream, which only OpenAI has.
[[nodiscard]] Result<ImageRequest> read_images(json::Node body);

// "FIELD WHAT", of a member that the provider cannot take so.
[[nodiscard]] Error field_fault(std::string_view field, std::string_view what);

struct ImageAspect {
    std::string_view name; // "16:9"
    double ratio;
};

// The nearest of what a model can do; the request has a size.
template <size_t n>
std::string_view nearest(const std::array<ImageAspect, n>& known,
    const ImageRequest& request) noexcept
{
    const double wanted = static_cast<double>(request.width)
        / static_cast<double>(request.height);
    const auto off = [wanted](const ImageAspect& a) {
        return a.ratio > wanted ? a.ratio / wanted : wanted / a.ratio;
    };
    return std::min_element(known.begin(), known.end(),
        [&off](const ImageAspect& a, const ImageAspect& b) {
            return off(a) < off(b);
        })
        ->name;
}

// Writes OpenAI's answer.
class ImagesWriter {
public:
    // created: seconds since 1970.
    ImagesWriter(std::string& out, int64_t created);
    // One image; an empty one is none.
    void add(std::string_view base64) { add("b64_json", base64); }
    void add_url(std::string_view url) { add("url", url); }
    // why: what the vendor says when there is no image, which is an error.
    [[nodiscard]] Result<void> finish(
        const chat::Usage& usage, std::string_view why);

private:
    void add(std::string_view name, std::string_view image);

    json::Writer w_;
    bool any_ = false;
};

} // namespace ai_proxy::provider
