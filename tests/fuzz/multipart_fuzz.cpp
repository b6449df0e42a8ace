#include "core/wire/multipart.h"

#include "input.h"

#include <string>

// Forms from any bytes: the first line is the content type, the rest the body.

using namespace ai_proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const size_t line = all.find('\n');
    const std::string boundary = wire::multipart_boundary(all.substr(0, line));
    fuzz::require(boundary.size() <= 70, "a boundary is short (RFC 2046)");
    if (line == std::string_view::npos || boundary.empty()) {
        return 0;
    }
    const std::string body(all.substr(line + 1));
    const wire::FormField found =
        wire::find_form_field(body, boundary, "model");
    if (found.closed) {
        fuzz::require(found.close + 2 <= body.size()
                && body.compare(found.close, 2, "--") == 0,
            "the closing delimiter is there");
    }
    if (found.count != 0) {
        fuzz::require(found.begin <= found.end && found.end <= body.size(),
            "a value is within the body");
    }
    if (!found.closed) {
        return 0;
    }
    // What is put in place of the value, or added, is found again.
    std::string changed = body;
    if (found.count != 0) {
        changed.replace(found.begin, found.end - found.begin, "other");
    } else {
        changed.insert(
            found.close, wire::form_part(boundary, "model", "other"));
    }
    const wire::FormField again =
        wire::find_form_field(changed, boundary, "model");
    fuzz::require(again.count >= 1, "the part is found again");
    if (found.count <= 1) {
        fuzz::require(std::string_view(changed).substr(
                          again.begin, again.end - again.begin)
                == "other",
            "its value is the new one");
    }
    return 0;
}
