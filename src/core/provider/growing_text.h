#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::provider {

// A text that comes in pieces, or whole again with each event.  We ask for
// pieces (incremental_output); a model that does not know the parameter shows
// itself by events that begin with all the text before.  One that might do so
// by chance ("1", then "10") is held until the next one tells.
class GrowingText {
public:
    // What is new in the text of the next event; valid until the next call.
    // still: nothing else in the event explains a repetition.
    std::string_view next(std::string_view text, bool still = false)
    {
        if (text.empty() || mode_ == Mode::pieces) {
            return text;
        }
        if (mode_ == Mode::unknown) {
            return decide(text, still);
        }
        return suffix(text);
    }
    [[nodiscard]] size_t held() const noexcept
    {
        return before_.size() + held_.size();
    }
    // What is held, when nothing more will tell: pieces, as asked for.
    std::string_view flush()
    {
        if (held_.empty()) {
            return {};
        }
        mode_ = Mode::pieces;
        before_.clear();
        out_.swap(held_);
        held_.clear();
        return out_;
    }

private:
    enum class Mode : uint8_t { unknown, pieces, whole };
    static constexpr size_t kNoChance = 4; // bytes

    std::string_view decide(std::string_view text, bool still)
    {
        if (before_.empty()) {
            before_ = text;
            return text;
        }
        const std::string& last = held_.empty() ? before_ : held_;
        if (!text.starts_with(last)) {
            mode_ = Mode::pieces;
            before_.clear();
            out_ = held_;
            held_.clear();
            out_ += text;
            return out_;
        }
        const bool chance = held_.empty()
            && (before_.size() < kNoChance
                || (text.size() == before_.size() && !still));
        if (chance) {
            held_ = text;
            return {};
        }
        mode_ = Mode::whole;
        held_.clear();
        return suffix(text);
    }

    std::string_view suffix(std::string_view text)
    {
        const auto differ = std::mismatch(
            before_.begin(), before_.end(), text.begin(), text.end());
        const auto same = size_t(differ.first - before_.begin());
        before_ = text;
        out_ = text.substr(same);
        return out_;
    }

    Mode mode_ = Mode::unknown;
    std::string before_, held_, out_;
};

} // namespace ai_proxy::provider
