#pragma once

#include "core/chat/usage.h"
#include "core/dialect/api.h"
#include "core/json/reader.h"

#include <cstddef>
#include <memory>
#include <string>

namespace ai_proxy::policy {

// Of a stream that is passed on as it came: what is open in it, so that it can
// be ended between two events as if the bound of its tokens were reached.
class EarlyEnd {
public:
    EarlyEnd() = default;
    EarlyEnd(const EarlyEnd&) = delete;
    EarlyEnd& operator=(const EarlyEnd&) = delete;
    virtual ~EarlyEnd() = default;

    virtual void note(json::Node event) = 0;
    // Has the answer begun, and has it not told its end yet?
    [[nodiscard]] virtual bool is_possible() const noexcept = 0;
    // Appends the last events.
    virtual void write(std::string& out, const chat::Usage& usage) = 0;
};

struct EarlyEndContext {
    dialect::Api api = dialect::Api::unknown;
    bool show_usage = false; // chat: the client asked for the usage chunk
    bool json_array = false; // gemini: the stream is one JSON array
};

// nullptr: streams of this API cannot be ended so.
[[nodiscard]] std::unique_ptr<EarlyEnd> make_early_end(
    const EarlyEndContext& context);
[[nodiscard]] std::unique_ptr<EarlyEnd> make_responses_end();

} // namespace ai_proxy::policy
