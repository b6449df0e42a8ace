#include "core/policy/image_form.h"

#include "core/base/text.h"
#include "core/credential/digest.h"
#include "core/json/writer.h"
#include "core/wire/multipart.h"

#include <vector>

namespace ai_proxy::policy {

namespace {

using wire::FormPart;

// "image[]" is how a form says that there are several.
bool is_image(const FormPart& part) noexcept
{
    return part.name == "image" || part.name == "image[]";
}

Error fault(std::string_view field, std::string_view what)
{
    return make_error(ErrorCode::invalid_request,
        std::string(field) + " " + std::string(what), std::string(field));
}

void write_file(json::Writer& w, const FormPart& part)
{
    std::string url = "data:";
    url += istarts_with(part.type, "image/") ? part.type : "image/png";
    url += ";base64,";
    url += credential::base64(part.value);
    w.begin_object().field("image_url", std::string_view(url)).end_object();
}

// Texts, but for what JSON has other words for.
void write_text(json::Writer& w, const FormPart& part)
{
    const std::string_view value = trim(part.value);
    if (part.name == "n") {
        if (const auto n = parse_uint(value); n && *n <= 1000) {
            w.field(part.name, static_cast<int64_t>(*n));
            return;
        }
    }
    if (value == "true" || value == "false") {
        w.field(part.name, value == "true");
        return;
    }
    w.field(part.name, part.value);
}

} // namespace

Result<std::string> read_image_form(
    std::string_view body, std::string_view boundary, bool is_edit)
{
    const std::vector<FormPart> parts = wire::form_parts(body, boundary);
    std::string out;
    json::Writer w(out);
    bool any = false, prompt = false;
    w.begin_object();
    for (const FormPart& part : parts) {
        if (part.name == "mask") {
            w.key("mask");
            write_file(w, part);
        } else if (!is_image(part) && !part.name.empty()) {
            write_text(w, part);
        }
        any = any || is_image(part);
        prompt = prompt || (part.name == "prompt" && !part.value.empty());
    }
    if (!any) {
        return fault("image", "is missing");
    }
    if (is_edit && !prompt) {
        return fault("prompt", "is missing");
    }
    w.key("images").begin_array();
    for (const FormPart& part : parts) {
        if (is_image(part)) {
            write_file(w, part);
        }
    }
    w.end_array().end_object();
    return out;
}

} // namespace ai_proxy::policy
