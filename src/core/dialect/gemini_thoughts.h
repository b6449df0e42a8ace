#pragma once

#include "core/chat/signer.h"
#include "core/dialect/hub_message.h"

#include <string>
#include <string_view>

namespace ai_proxy::dialect {

// Before a signature that another vendor gave its thoughts, for a client of
// Google's: it goes back to that vendor, and no signature of Google's does.
inline constexpr std::string_view kSignedElsewhere = chat::kForeignMark;

// The same before thoughts that a vendor keeps to itself.
inline constexpr std::string_view kRedactedElsewhere = "cmVkYWN0ZWQ6";

// The thoughts in a turn of the model, as a client of Google's gives it back:
// in many parts after a stream, signed on the part behind them.
class GeminiThoughts {
public:
    void add(std::string_view text)
    {
        text_ += text;
        open_ = true;
    }

    // The thoughts are over.  What is left of the signature of the next part.
    std::string_view end(HubMessage& out, std::string_view signature)
    {
        std::string own;
        if (signature.starts_with(kRedactedElsewhere)) {
            end(out, {});
            out.redacted(standard(signature.substr(kRedactedElsewhere.size())));
            return {};
        }
        if (signature.starts_with(kSignedElsewhere)) {
            // Anthropic's has no mark but this one.
            own = standard(chat::signer_of(signature)
                    ? signature
                    : signature.substr(kSignedElsewhere.size()));
            signature = {};
        }
        if (open_ || !own.empty()) {
            out.thinking(text_, own);
        }
        open_ = false;
        text_.clear();
        return signature;
    }

private:
    // Google's library for Python writes base64 in the alphabet of URLs.
    static std::string standard(std::string_view signature)
    {
        std::string out(signature);
        for (char& c : out) {
            c = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        return out;
    }

    std::string text_;
    bool open_ = false;
};

} // namespace ai_proxy::dialect
