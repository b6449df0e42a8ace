#include "core/policy/prompt_prefix.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace ai_proxy::policy {

namespace {

// A hash over the texts of values, as far as there is room; eight bytes at a
// time, for prompts are long.
class Prefix {
public:
    explicit Prefix(size_t bytes) noexcept : left_(bytes) {}

    void add(std::string_view text) noexcept
    {
        text = text.substr(0, left_);
        left_ -= text.size();
        empty_ = empty_ && text.empty();
        const size_t length = text.size();
        for (; text.size() >= sizeof(uint64_t);
             text.remove_prefix(sizeof(uint64_t))) {
            uint64_t eight = 0;
            std::memcpy(&eight, text.data(), sizeof(eight));
            mix(eight);
        }
        uint64_t rest = 0;
        if (!text.empty()) {
            std::memcpy(&rest, text.data(), text.size());
        }
        mix(rest ^ uint64_t{length} << 56);
    }

    // Bounded by the depth of a document.
    void add(json::Node value) noexcept
    {
        if (left_ == 0) {
            return;
        }
        if (const auto text = value.string()) {
            add(*text);
        } else if (value.is_array()) {
            for (const json::Node item : value.items()) {
                add(item);
            }
        } else if (value.is_object()) {
            for (const json::Member member : value.members()) {
                // Marks where a prompt cache may end move with each turn.
                if (member.key != "cache_control") {
                    mix(member.key.size());
                    add(member.value);
                }
            }
        }
    }

    [[nodiscard]] uint64_t take() const noexcept
    {
        return empty_ ? 0 : std::max<uint64_t>(hash_, 1);
    }

private:
    void mix(uint64_t word) noexcept
    {
        hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15ull;
        hash_ ^= hash_ >> 32;
    }

    uint64_t hash_ = 0xcbf29ce484222325ull;
    size_t left_;
    bool empty_ = true;
};

// What stands before the first question, and that.
void add_turns(Prefix& prefix, json::Node turns) noexcept
{
    if (turns.is_string()) {
        prefix.add(turns);
        return;
    }
    for (const json::Node turn : turns.items()) {
        prefix.add(turn);
        const std::string_view role = turn["role"].string_or();
        if (role != "system" && role != "developer") {
            return;
        }
    }
}

} // namespace

uint64_t prompt_prefix(json::Node body, size_t bytes) noexcept
{
    Prefix prefix(bytes);
    for (const std::string_view name : {"tools", "system", "instructions",
             "systemInstruction", "system_instruction"})
    {
        prefix.add(body[name]);
    }
    for (const std::string_view name :
        {"messages", "contents", "input", "prompt"}) {
        add_turns(prefix, body[name]);
    }
    return prefix.take();
}

} // namespace ai_proxy::policy
