#include "core/json/splice.h"

#include "core/json/cursor.h"
#include "core/json/writer.h"

namespace ai_proxy::json {
namespace {

constexpr size_t npos = std::string_view::npos;

unsigned hex4(std::string_view digits) noexcept
{
    unsigned code = 0;
    for (const char c : digits) {
        const auto digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        code = code << 4 | unsigned(digit);
    }
    return code;
}

// Decodes one escape at the front of raw into at most four bytes of out.
size_t decode_escape(std::string_view& raw, char* out) noexcept
{
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    const size_t index = kLetters.find(raw[1]);
    if (index != npos) {
        out[0] = kBytes[index];
        raw.remove_prefix(2);
        return 1;
    }
    unsigned code = hex4(raw.substr(2, 4));
    raw.remove_prefix(6);
    if (code >= 0xD800 && code < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10)
            + (hex4(raw.substr(2, 4)) - 0xDC00);
        raw.remove_prefix(6);
    }
    if (code < 0x80) {
        out[0] = char(code);
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = char(0x80 | (code & 0x3F));
        code >>= 6;
    }
    constexpr unsigned kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = char(kLead[length] | code);
    return length;
}

// Whether a valid string's inner text stands for key.
bool spells(std::string_view raw, std::string_view key) noexcept
{
    if (raw.find('\\') == npos) {
        return raw == key;
    }
    while (!raw.empty()) {
        char bytes[4] = {raw.front()};
        size_t n = 1;
        if (raw.front() == '\\') {
            n = decode_escape(raw, bytes);
        } else {
            raw.remove_prefix(1);
        }
        const std::string_view part(bytes, n);
        if (!key.starts_with(part)) {
            return false;
        }
        key.remove_prefix(n);
    }
    return key.empty();
}

std::string quoted(std::string_view key)
{
    std::string out;
    append_string(out, key);
    return out;
}

Error no_object()
{
    return make_error(
        ErrorCode::invalid_json, "invalid JSON: the top level is no object");
}

} // namespace

Result<Splice> Splice::scan(const char* text, size_t length)
{
    Splice splice;
    splice.text_ = {text, length};
    splice.slots_.reserve(8);
    Cursor cursor(text, length);
    if (cursor.space() != '{') {
        return no_object();
    }
    cursor.step();
    while (cursor.space() == '"') {
        Slot slot;
        slot.key_begin = cursor.at();
        cursor.string();
        slot.key = splice.text_.substr(
            slot.key_begin + 1, cursor.at() - slot.key_begin - 2);
        cursor.space();
        cursor.step(); // the colon
        cursor.space();
        slot.value_begin = cursor.at();
        cursor.value();
        slot.value_end = cursor.at();
        splice.slots_.push_back(std::move(slot));
        if (cursor.space() == ',') {
            cursor.step();
        }
    }
    if (cursor.peek() != '}') {
        return no_object();
    }
    splice.close_ = cursor.at();
    return splice;
}

std::string_view Splice::name(const Slot& slot) noexcept
{
    const std::string_view renamed = slot.new_key;
    return renamed.empty() ? slot.key : renamed.substr(1, renamed.size() - 2);
}

const Splice::Slot* Splice::find(std::string_view key) const noexcept
{
    for (const Slot& slot : slots_) {
        if (!slot.removed && spells(name(slot), key)) {
            return &slot;
        }
    }
    return nullptr;
}

Splice::Slot* Splice::claim(std::string_view key) noexcept
{
    Slot* first = nullptr;
    for (Slot& slot : slots_) {
        if (slot.removed || !spells(name(slot), key)) {
            continue;
        }
        if (first == nullptr) {
            first = &slot;
        } else {
            slot.removed = true;
        }
    }
    return first;
}

bool Splice::has(std::string_view key) const noexcept
{
    return find(key) != nullptr;
}

std::string_view Splice::raw(std::string_view key) const noexcept
{
    const Slot* slot = find(key);
    if (slot == nullptr) {
        return {};
    }
    if (slot->replaced) {
        return slot->new_value;
    }
    return text_.substr(slot->value_begin, slot->value_end - slot->value_begin);
}

void Splice::set(std::string_view key, std::string raw_json)
{
    Slot* slot = claim(key);
    if (slot == nullptr) {
        slot = &slots_.emplace_back();
        slot->key_begin = slot->value_begin = slot->value_end = close_;
        slot->new_key = quoted(key);
        slot->added = true;
    }
    slot->new_value = std::move(raw_json);
    slot->replaced = true;
}

void Splice::rename(std::string_view key, std::string_view new_key)
{
    if (key == new_key) {
        return;
    }
    std::string name = quoted(new_key);
    if (Slot* slot = claim(key)) {
        remove(new_key);
        slot->new_key = std::move(name);
    }
}

void Splice::remove(std::string_view key)
{
    if (Slot* slot = claim(key)) {
        slot->removed = true;
    }
}

std::vector<std::string_view> Splice::pieces() const
{
    std::vector<std::string_view> out;
    out.reserve(8);
    const auto add = [&](std::string_view piece) {
        if (piece.empty()) {
            return;
        }
        if (!out.empty()
            && out.back().data() + out.back().size() == piece.data()
            && piece.data() > text_.data()
            && piece.data() < text_.data() + text_.size())
        {
            out.back() = {out.back().data(), out.back().size() + piece.size()};
        } else {
            out.push_back(piece);
        }
    };
    const auto between = [&](size_t begin, size_t end) {
        return text_.substr(begin, end - begin);
    };

    const bool empty = slots_.empty() || slots_.front().added;
    add(between(0, empty ? close_ : slots_.front().key_begin));
    bool first = true;
    size_t gap = 0; // end of the member before, as sent
    for (const Slot& slot : slots_) {
        if (!slot.removed) {
            if (!first) {
                add(slot.added ? "," : between(gap, slot.key_begin));
            }
            first = false;
            const size_t name_end = slot.key_begin + slot.key.size() + 2;
            if (slot.added) {
                add(slot.new_key);
                add(":");
            } else if (slot.new_key.empty()) {
                add(between(slot.key_begin, slot.value_begin));
            } else {
                add(slot.new_key);
                add(between(name_end, slot.value_begin));
            }
            add(slot.replaced ? std::string_view(slot.new_value)
                              : between(slot.value_begin, slot.value_end));
        }
        gap = slot.added ? gap : slot.value_end;
    }
    add(between(empty ? close_ : gap, text_.size()));
    return out;
}

std::string Splice::text() const
{
    const auto all = pieces();
    size_t length = 0;
    for (const std::string_view piece : all) {
        length += piece.size();
    }
    std::string out;
    out.reserve(length);
    for (const std::string_view piece : all) {
        out += piece;
    }
    return out;
}

} // namespace ai_proxy::json
