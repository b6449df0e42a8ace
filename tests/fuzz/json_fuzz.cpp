#include "core/json/reader.h"
#include "core/json/writer.h"

#include "input.h"

#include <string>

using namespace ai_proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::string quoted = "[";
    json::append_string(quoted, text);
    quoted += ']';
    json::Parser parser;
    fuzz::require(parser.parse(quoted).ok(), "any bytes become a JSON string");

    const auto root = parser.parse(text);
    if (!root.ok()) {
        const std::string& message = root.error().message;
        fuzz::require(root.error().code == ErrorCode::invalid_json
                && message.find("not acceptable") == std::string::npos,
            "the fault is named");
        return 0;
    }
    (void)json::check_unique_keys(*root).ok();
    std::string once;
    json::append_value(once, *root);
    json::Parser second;
    const auto again = second.parse(once);
    fuzz::require(again.ok(), "what is written can be read");
    std::string twice;
    json::append_value(twice, *again);
    fuzz::require(once == twice, "writing keeps every value");
    return 0;
}
