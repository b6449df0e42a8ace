#include "core/dialect/chat_request.h"
#include "core/json/reader.h"

#include "input.h"

using namespace ai_proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    json::Parser parser;
    const auto root = parser.parse({reinterpret_cast<const char*>(data), size});
    if (!root.ok()) {
        return 0;
    }
    (void)dialect::read_envelope(*root).ok();
    const auto checked = dialect::check_chat(*root);
    if (!checked.ok()) {
        fuzz::require(!checked.error().message.empty(), "a refusal says why");
        return 0;
    }
    const auto request = dialect::read_chat(*root);
    if (request.ok()) {
        fuzz::require(request->messages.size() == (*root)["messages"].size(),
            "no message is lost");
    }
    return 0;
}
