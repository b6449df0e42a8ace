#pragma once

#include "core/base/result.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Configuration documents in YAML: a tree whose nodes know where they stand,
// so that every error names file, line and field.
namespace ai_proxy::config::yaml {

inline constexpr size_t kMostBytes = 1024 * 1024; // of a file
inline constexpr size_t kMostNodes = 100'000;     // aliases resolved
inline constexpr size_t kMostDepth = 64;

enum class Kind : uint8_t { missing, scalar, sequence, mapping };

// What the document keeps of a node.
struct Item {
    Kind kind = Kind::missing;
    bool plain = false; // a scalar without quotes
    uint32_t line = 0;  // from 1
    uint32_t index = 0; // in a sequence
    std::string key;    // in a mapping
    std::string text;   // of a scalar; of the root: the name of the file
    const Item* parent = nullptr;
    std::vector<Item*> items;
};

// A node of a document, or a member that is not there; lives as long as the
// document.
class Node {
public:
    Node() = default;
    explicit Node(const Item* item) noexcept : item_(item) {}

    [[nodiscard]] Kind kind() const noexcept
    {
        return item_ != nullptr ? item_->kind : Kind::missing;
    }
    [[nodiscard]] bool is_mapping() const noexcept
    {
        return kind() == Kind::mapping;
    }
    [[nodiscard]] bool is_sequence() const noexcept
    {
        return kind() == Kind::sequence;
    }
    [[nodiscard]] bool is_scalar() const noexcept
    {
        return kind() == Kind::scalar;
    }
    // No value was written ("x:", "x: null", "x: ~").
    [[nodiscard]] bool is_null() const noexcept;
    // Neither missing nor null.
    [[nodiscard]] bool has_value() const noexcept
    {
        return item_ != nullptr && !is_null();
    }

    [[nodiscard]] size_t size() const noexcept
    {
        return item_ != nullptr ? item_->items.size() : 0;
    }
    // Elements of a sequence, members of a mapping in their order.
    [[nodiscard]] Node at(size_t i) const noexcept
    {
        return Node(item_->items[i]);
    }
    [[nodiscard]] Node operator[](std::string_view key) const noexcept;
    // Of a member; "" elsewhere.
    [[nodiscard]] std::string_view key() const noexcept
    {
        return item_ != nullptr ? std::string_view(item_->key) : "";
    }
    [[nodiscard]] uint32_t line() const noexcept
    {
        return item_ != nullptr ? item_->line : 0;
    }
    [[nodiscard]] const Item* item() const noexcept { return item_; }

    // Any scalar but null, as it was written.
    [[nodiscard]] Result<std::string> text() const;
    // true, yes, on and their opposites, in quotes too.
    [[nodiscard]] Result<bool> boolean() const;
    // A whole number from least to most, in quotes too.
    [[nodiscard]] Result<int64_t> integer(int64_t least, int64_t most) const;
    [[nodiscard]] Result<double> number(double least, double most) const;
    // A sequence of texts, or one text.
    [[nodiscard]] Result<std::vector<std::string>> texts() const;
    // Is it what is expected?
    [[nodiscard]] Result<void> expect(Kind kind) const;
    // As JSON: plain scalars have the types of YAML.
    [[nodiscard]] std::string json() const;

    // "a.b[2].c", "" for the whole document.
    [[nodiscard]] std::string path() const;
    // "FILE:LINE: field "a.b[2].c": what is wrong"
    [[nodiscard]] Error error(std::string_view wrong) const;

private:
    const Item* item_ = nullptr;
};

class Document {
public:
    Document() = default;
    Document(Document&&) noexcept = default;
    Document& operator=(Document&&) noexcept = default;

    // name: of the file, for errors.  An empty document is an empty mapping.
    // Errors: what libyaml finds; bounds; a key that stands twice; an alias of
    // what is not there; a second document.
    [[nodiscard]] static Result<Document> parse(
        std::string name, std::string_view text);

    [[nodiscard]] Node root() const noexcept { return Node(root_); }
    // A mapping of under's members with those of over in their place.
    [[nodiscard]] Node merged(Node over, Node under);
    // A mapping without the members whose names are unwanted.
    [[nodiscard]] Node without(
        Node mapping, bool (*unwanted)(std::string_view name));
    // An empty mapping that stands where node does.
    [[nodiscard]] Node empty_at(Node node);

private:
    friend class Composer;

    std::deque<Item> items_;
    Item* root_ = nullptr;
};

// One member of a mapping and who takes its value.
template <class T>
struct Field {
    std::string_view name;
    // nullptr: the member is known and has no effect.
    Result<void> (*set)(T& to, Node value);
};

using Warnings = std::vector<std::string>;

// Says that the member has no effect.
void warn_dead(Warnings& warnings, Node member);
[[nodiscard]] Error unknown_field(Node member);

// Hands each member of a mapping to its row; null is as good as absent.
template <class T, size_t count>
[[nodiscard]] Result<void> read_fields(
    const Field<T> (&table)[count], T& to, Node mapping, Warnings& warnings)
{
    if (auto done = mapping.expect(Kind::mapping); !done) {
        return done;
    }
    for (size_t i = 0; i < mapping.size(); ++i) {
        const Node member = mapping.at(i);
        const Field<T>* row = nullptr;
        for (const Field<T>& field : table) {
            row = field.name == member.key() ? &field : row;
        }
        if (row == nullptr) {
            return unknown_field(member);
        }
        if (row->set == nullptr) {
            warn_dead(warnings, member);
        } else if (member.has_value()) {
            if (auto done = row->set(to, member); !done) {
                return done;
            }
        }
    }
    return {};
}

// Setters of rows, for members of plain types.
template <auto member, class T>
[[nodiscard]] Result<void> set_text(T& to, Node value)
{
    auto text = value.text();
    if (!text) {
        return std::move(text).error();
    }
    to.*member = std::move(*text);
    return {};
}

template <auto member, class T>
[[nodiscard]] Result<void> set_flag(T& to, Node value)
{
    const auto flag = value.boolean();
    if (!flag) {
        return flag.error();
    }
    to.*member = *flag;
    return {};
}

template <auto member, int64_t least, int64_t most, class T>
[[nodiscard]] Result<void> set_integer(T& to, Node value)
{
    const auto n = value.integer(least, most);
    if (!n) {
        return n.error();
    }
    using Number = std::remove_reference_t<decltype(to.*member)>;
    to.*member = static_cast<Number>(*n);
    return {};
}

template <auto member, class T>
[[nodiscard]] Result<void> set_texts(T& to, Node value)
{
    auto texts = value.texts();
    if (!texts) {
        return std::move(texts).error();
    }
    to.*member = std::move(*texts);
    return {};
}

} // namespace ai_proxy::config::yaml
