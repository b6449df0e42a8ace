#include "core/config/yaml.h"

#include "core/base/text.h"
#include "core/json/writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ai_proxy::config::yaml {

namespace {

enum class Scalar : uint8_t { null, boolean, number, text };

bool is_null_word(std::string_view text) noexcept
{
    return text.empty() || text == "~" || text == "null" || text == "Null"
        || text == "NULL";
}

// As written in lower case, capitals, or with a capital first letter.
bool is_word(std::string_view text, std::string_view word) noexcept
{
    if (!iequals(text, word)) {
        return false;
    }
    const auto is_lower = [](char c) { return c == lower(c); };
    const std::string_view rest = text.substr(1);
    return std::all_of(rest.begin(), rest.end(), is_lower)
        || std::none_of(text.begin(), text.end(), is_lower);
}

// YAML 1.1's words, which are Kubernetes' too.
std::optional<bool> boolean_of(std::string_view text) noexcept
{
    for (std::string_view word : {"true", "yes", "on", "y"}) {
        if (is_word(text, word)) {
            return true;
        }
    }
    for (std::string_view word : {"false", "no", "off", "n"}) {
        if (is_word(text, word)) {
            return false;
        }
    }
    return std::nullopt;
}

std::optional<double> number_of(std::string_view text) noexcept
{
    const bool minus = text.starts_with('-');
    if (minus || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0o")) {
        base = text[1] == 'x' ? 16 : 8;
        text.remove_prefix(2);
    }
    if (text.empty() || text[0] == '-' || text[0] == '+') {
        return std::nullopt;
    }
    const char* end = text.data() + text.size();
    double value = 0;
    if (base != 10) {
        uint64_t whole = 0;
        const auto [stop, code] =
            std::from_chars(text.data(), end, whole, base);
        if (stop != end || code != std::errc()) {
            return std::nullopt;
        }
        value = static_cast<double>(whole);
    } else {
        const auto [stop, code] = std::from_chars(text.data(), end, value);
        if (stop != end || code != std::errc() || !std::isfinite(value)) {
            return std::nullopt;
        }
    }
    return minus ? -value : value;
}

Scalar type_of(const Item& item) noexcept
{
    if (!item.plain) {
        return Scalar::text;
    }
    if (is_null_word(item.text)) {
        return Scalar::null;
    }
    if (boolean_of(item.text)) {
        return Scalar::boolean;
    }
    return number_of(item.text) ? Scalar::number : Scalar::text;
}

std::string plain_number(double value)
{
    std::string text = std::to_string(value);
    while (text.ends_with('0')) {
        text.pop_back();
    }
    if (text.ends_with('.')) {
        text.pop_back();
    }
    return text;
}

// Members are never deeper than kMostDepth.
void append_json(json::Writer& out, const Item& item)
{
    switch (item.kind) {
    case Kind::mapping:
        out.begin_object();
        for (const Item* member : item.items) {
            out.key(member->key);
            append_json(out, *member);
        }
        out.end_object();
        return;
    case Kind::sequence:
        out.begin_array();
        for (const Item* element : item.items) {
            append_json(out, *element);
        }
        out.end_array();
        return;
    case Kind::missing:
        out.null();
        return;
    case Kind::scalar:
        break;
    }
    switch (type_of(item)) {
    case Scalar::null:
        out.null();
        return;
    case Scalar::boolean:
        out.boolean(*boolean_of(item.text));
        return;
    case Scalar::number: {
        constexpr double kWhole = 9007199254740992.0; // 2^53
        const double value = *number_of(item.text);
        if (std::floor(value) == value && std::fabs(value) < kWhole) {
            out.integer(static_cast<int64_t>(value));
        } else {
            out.number(value);
        }
        return;
    }
    case Scalar::text:
        out.string(item.text);
        return;
    }
}

} // namespace

bool Node::is_null() const noexcept
{
    return kind() == Kind::scalar && type_of(*item_) == Scalar::null;
}

Node Node::operator[](std::string_view key) const noexcept
{
    if (is_mapping()) {
        for (const Item* member : item_->items) {
            if (member->key == key) {
                return Node(member);
            }
        }
    }
    return {};
}

std::string Node::path() const
{
    std::string path;
    for (const Item* at = item_; at != nullptr && at->parent != nullptr;
         at = at->parent)
    {
        std::string step = at->key;
        if (at->parent->kind == Kind::sequence) {
            step = "[" + std::to_string(at->index) + "]";
        } else if (at->parent->parent != nullptr) {
            step.insert(0, ".");
        }
        path.insert(0, step);
    }
    return path;
}

Error Node::error(std::string_view wrong) const
{
    const Item* root = item_;
    while (root != nullptr && root->parent != nullptr) {
        root = root->parent;
    }
    std::string text;
    if (root != nullptr) {
        text = root->text + ":" + std::to_string(item_->line) + ": ";
    }
    if (const std::string where = path(); !where.empty()) {
        text += "field \"" + where + "\": ";
    }
    return make_error(ErrorCode::invalid_request, text.append(wrong));
}

Result<void> Node::expect(Kind wanted) const
{
    if (kind() == wanted) {
        return {};
    }
    return error(wanted == Kind::mapping ? "a mapping is expected"
            : wanted == Kind::sequence   ? "a list is expected"
                                         : "a single value is expected");
}

Result<std::string> Node::text() const
{
    if (!is_scalar() || is_null()) {
        return error("a text is expected");
    }
    return item_->text;
}

Result<bool> Node::boolean() const
{
    const auto value =
        is_scalar() ? boolean_of(item_->text) : std::optional<bool>();
    if (!value) {
        return error("true or false is expected");
    }
    return *value;
}

Result<double> Node::number(double least, double most) const
{
    const auto value =
        is_scalar() ? number_of(item_->text) : std::optional<double>();
    if (!value || *value < least || *value > most) {
        return error("a number from " + plain_number(least) + " to "
            + plain_number(most) + " is expected");
    }
    return *value;
}

Result<int64_t> Node::integer(int64_t least, int64_t most) const
{
    const auto wrong = [&] {
        return error("a number from " + std::to_string(least) + " to "
            + std::to_string(most) + " is expected");
    };
    if (!is_scalar()) {
        return wrong();
    }
    int64_t whole = 0;
    const std::string& text = item_->text;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, whole);
    if (stop != end || code != std::errc()) {
        constexpr double kWhole = 9007199254740992.0; // 2^53
        const auto value = number_of(text);
        if (!value || std::floor(*value) != *value
            || std::fabs(*value) > kWhole) {
            return wrong();
        }
        whole = static_cast<int64_t>(*value);
    }
    if (whole < least || whole > most) {
        return wrong();
    }
    return whole;
}

Result<std::vector<std::string>> Node::texts() const
{
    std::vector<std::string> all;
    if (is_scalar()) {
        auto one = text();
        if (!one) {
            return std::move(one).error();
        }
        all.push_back(std::move(*one));
        return all;
    }
    if (auto done = expect(Kind::sequence); !done) {
        return std::move(done).error();
    }
    for (size_t i = 0; i < size(); ++i) {
        auto one = at(i).text();
        if (!one) {
            return std::move(one).error();
        }
        all.push_back(std::move(*one));
    }
    return all;
}

std::string Node::json() const
{
    std::string out;
    json::Writer writer(out);
    if (item_ != nullptr) {
        append_json(writer, *item_);
    } else {
        writer.null();
    }
    return out;
}

Node Document::merged(Node over, Node under)
{
    Item& made = items_.emplace_back(*over.item());
    if (over.is_mapping() && under.is_mapping()) {
        for (size_t i = 0; i < under.size(); ++i) {
            const Node member = under.at(i);
            if (over[member.key()].kind() == Kind::missing) {
                made.items.push_back(under.item()->items[i]);
            }
        }
    }
    return Node(&made);
}

Node Document::without(Node mapping, bool (*unwanted)(std::string_view name))
{
    Item& made = items_.emplace_back(*mapping.item());
    std::erase_if(made.items,
        [unwanted](const Item* member) { return unwanted(member->key); });
    return Node(&made);
}

Node Document::empty_at(Node node)
{
    Item& made = items_.emplace_back();
    made.kind = Kind::mapping;
    made.line = node.line();
    made.key = node.key();
    if (const Item* item = node.item()) {
        made.text = item->parent == nullptr ? item->text : "";
        made.parent = item->parent;
        made.index = item->index;
    }
    return Node(&made);
}

void warn_dead(Warnings& warnings, Node member)
{
    warnings.push_back(member.error("has no effect").message);
}

Error unknown_field(Node member)
{
    return member.error("unknown field");
}

} // namespace ai_proxy::config::yaml
