#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::chat {

// What of a client's request a target cannot express.  Normally it is left
// out, as the documentation says; with ai_proxy_strict the request is refused
// and names the first of them.
class Dropped {
public:
    // field: its path as OpenAI's chat or the caller's dialect spells it
    // ("logit_bias", "tools[2].type").
    void add(std::string_view field)
    {
        if (fields_.size() < kMax
            && std::find(fields_.begin(), fields_.end(), field)
                == fields_.end())
        {
            fields_.emplace_back(field);
        }
    }
    void add(const Dropped& other)
    {
        for (const std::string& field : other.fields_) {
            add(field);
        }
    }
    void clear() noexcept { fields_.clear(); }

    [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
    [[nodiscard]] const std::vector<std::string>& fields() const noexcept
    {
        return fields_;
    }

private:
    static constexpr size_t kMax = 64;
    std::vector<std::string> fields_;
};

} // namespace ai_proxy::chat
