#include "core/redis/command.h"

#include "core/redis/slot.h"

#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <utility>

namespace ai_proxy::redis {

namespace {

constexpr std::string_view kByName = "EVALSHA";
constexpr std::string_view kWhole = "EVAL";

void append_word(std::string& out, std::string_view word)
{
    std::array<char, 24> size; // "$", a number, CR LF
    size[0] = '$';
    char* end =
        std::to_chars(size.data() + 1, size.data() + 22, word.size()).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(size.data(), static_cast<size_t>(end - size.data()));
    out.append(word).append("\r\n");
}

std::string sha1_hex(std::string_view text)
{
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
        digest.data());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (unsigned char byte : digest) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

} // namespace

Script::Script(std::string text)
    : text_(std::move(text)), sha1_(sha1_hex(text_))
{
}

Command::Command(std::string_view name)
{
    add(name);
}

Command::Command(
    const Script& script, std::initializer_list<std::string_view> keys)
    : script_(&script)
{
    constexpr size_t kUsual = 256; // a key of ours and its numbers
    tail_.reserve(kUsual);
    add(keys.size());
    for (std::string_view key : keys) {
        add_key(key);
    }
}

void Command::add_key(std::string_view key)
{
    add(key);
    if (key_end_ == 0) {
        key_end_ = tail_.size() - 2;
        key_begin_ = key_end_ - key.size();
    }
}

void Command::add(std::string_view word)
{
    append_word(tail_, word);
    words_++;
}

void Command::write(std::string& out, bool whole) const
{
    const uint32_t words = words_ + (script_ != nullptr ? 2 : 0);
    out.append("*").append(std::to_string(words)).append("\r\n");
    if (script_ != nullptr) {
        append_word(out, whole ? kWhole : kByName);
        append_word(out, whole ? script_->text() : script_->sha1());
    }
    out.append(tail_);
}

size_t Command::size(bool whole) const noexcept
{
    constexpr size_t kFrame = 64; // the lengths, and the verb of a script
    const size_t script = script_ == nullptr ? 0
        : whole                              ? script_->text().size()
                                             : script_->sha1().size();
    return tail_.size() + script + kFrame;
}

std::optional<uint16_t> Command::slot() const noexcept
{
    if (key_end_ == 0) {
        return std::nullopt;
    }
    return key_slot(
        std::string_view(tail_).substr(key_begin_, key_end_ - key_begin_));
}

std::string Command::text() const
{
    std::string out(script_ != nullptr ? kByName : std::string_view());
    std::string_view rest = tail_;
    while (!rest.empty()) {
        size_t length = 0;
        size_t at = 1;
        for (; rest[at] != '\r'; at++) {
            length = length * 10 + static_cast<size_t>(rest[at] - '0');
        }
        out.append(out.empty() ? "" : " ").append(rest.substr(at + 2, length));
        rest.remove_prefix(at + 2 + length + 2);
    }
    return out;
}

} // namespace ai_proxy::redis
