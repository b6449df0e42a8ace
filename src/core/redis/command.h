#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// What is said to a Redis server: RESP arrays of words.
namespace ai_proxy::redis {

// A Lua script and the name Redis has for it.  Whoever makes commands of it
// keeps it as long as an operation may be under way: a part of the
// configuration, or a constant.
class Script {
public:
    explicit Script(std::string text);
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] std::string_view sha1() const noexcept { return sha1_; }

private:
    std::string text_;
    std::string sha1_; // 40 hexadecimal digits
};

class Command;
struct Reply;
// Of the reply to a command that nobody waits for any longer: what undoes it,
// nullopt: it did nothing.
using TakeBack = std::function<std::optional<Command>(const Reply& reply)>;

// One command, ready to be sent.  Its first key decides which node of a
// cluster gets it.
class Command {
public:
    explicit Command(std::string_view name);
    // EVALSHA; where the server does not know the script, EVAL takes its place.
    Command(const Script& script, std::initializer_list<std::string_view> keys);

    void add_key(std::string_view key);
    void add(std::string_view word);
    template <std::integral Number>
    void add(Number number)
    {
        std::array<char, 24> text;
        char* end =
            std::to_chars(text.data(), text.data() + text.size(), number).ptr;
        add(std::string_view(text.data(), end));
    }

    // The bytes; whole: of a script its text instead of its name.
    void write(std::string& out, bool whole = false) const;
    // At most so many bytes are written.
    [[nodiscard]] size_t size(bool whole = false) const noexcept;
    // nullopt: it has no key, any node will do.
    [[nodiscard]] std::optional<uint16_t> slot() const noexcept;
    [[nodiscard]] const Script* script() const noexcept { return script_; }

    void set_take_back(TakeBack take_back)
    {
        take_back_ = std::move(take_back);
    }
    [[nodiscard]] const TakeBack& take_back() const noexcept
    {
        return take_back_;
    }

    // "GET key", "EVALSHA 1 key 5" (without the script's name): for tests.
    [[nodiscard]] std::string text() const;

private:
    std::string tail_; // words as they are sent, without a script and its verb
    size_t key_begin_ = 0; // the first key, in the tail
    size_t key_end_ = 0;   // 0: there is none
    uint32_t words_ = 0;
    const Script* script_ = nullptr;
    TakeBack take_back_;
};

// command("INCRBY", key, 5); words are texts or integers.
template <class... Words>
[[nodiscard]] Command command(
    std::string_view name, std::string_view key, const Words&... words)
{
    Command made(name);
    made.add_key(key);
    (made.add(words), ...);
    return made;
}

// call(script, {key, other_key}, 5, "x")
template <class... Words>
[[nodiscard]] Command call(const Script& script,
    std::initializer_list<std::string_view> keys, const Words&... words)
{
    Command made(script, keys);
    (made.add(words), ...);
    return made;
}

} // namespace ai_proxy::redis
