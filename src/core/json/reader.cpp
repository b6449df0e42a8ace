#include "core/json/reader.h"

#include "core/json/fault.h"
#include "core/json/wide_numbers.h"

#include <algorithm>
#include <bit>
#include <new>
#include <string>
#include <vector>

#include <simdjson.h>

namespace ai_proxy::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using ArrayIterator = simdjson::dom::array::iterator;
using ObjectIterator = simdjson::dom::object::iterator;

static_assert(kPadding >= simdjson::SIMDJSON_PADDING);

// simdjson's handles are all one reference to the tape.
template <class Handle>
Handle handle_of(const Node::Place& place) noexcept
{
    return std::bit_cast<Handle>(place);
}

template <class Handle>
Node::Place place_of(const Handle& handle) noexcept
{
    return std::bit_cast<Node::Place>(handle);
}

// simdjson's count of a container saturates here.
constexpr size_t kCountLimit = 0xFFFFFF;

template <class Range>
size_t count(Range range, size_t known) noexcept
{
    if (known < kCountLimit) {
        return known;
    }
    size_t n = 0;
    for (auto it = range.begin(); it != range.end(); ++it) {
        n++;
    }
    return n;
}

Error duplicate(std::string_view key)
{
    // A key longer than this is shown by its beginning, cut at a character.
    constexpr size_t kShown = 64;
    const bool cut = key.size() > kShown;
    if (cut) {
        size_t n = kShown;
        while (n > 0 && (static_cast<unsigned char>(key[n]) & 0xC0) == 0x80) {
            n--;
        }
        key = key.substr(0, n);
    }
    std::string message = "invalid JSON: duplicate key \"";
    message += key;
    message += cut ? "...\"" : "\"";
    return make_error(ErrorCode::invalid_json, std::move(message));
}

// Looks for equal keys in each object of a tree in one pass; linear for small
// objects, n log n for big ones.  The tree is as deep as the parser allows.
class KeyCheck {
public:
    KeyCheck() { keys_.reserve(32); }

    bool unique(const simdjson::dom::element& value)
    {
        simdjson::dom::array array;
        simdjson::dom::object members;
        switch (value.type()) {
        case element_type::ARRAY:
            if (value.get(array) == simdjson::SUCCESS) {
                for (const auto item : array) {
                    if (!unique(item)) {
                        return false;
                    }
                }
            }
            return true;
        case element_type::OBJECT:
            return value.get(members) != simdjson::SUCCESS || object(members);
        case element_type::INT64:
        case element_type::UINT64:
        case element_type::DOUBLE:
        case element_type::STRING:
        case element_type::BOOL:
        case element_type::NULL_VALUE:
            break;
        }
        return true;
    }

    [[nodiscard]] std::string_view repeated() const { return repeated_; }

private:
    static constexpr size_t kSmall = 8;

    // The keys of an object stand on those of the objects around it.
    bool object(simdjson::dom::object members)
    {
        const size_t base = keys_.size();
        for (const auto& member : members) {
            keys_.push_back(member.key);
            if (!unique(member.value)) {
                return false;
            }
        }
        const bool good = distinct(base);
        keys_.resize(base);
        return good;
    }

    bool distinct(size_t base)
    {
        const auto begin = keys_.begin() + ptrdiff_t(base);
        const auto end = keys_.end();
        if (keys_.size() - base > kSmall) {
            std::sort(begin, end);
            const auto it = std::adjacent_find(begin, end);
            repeated_ = it == end ? repeated_ : *it;
            return it == end;
        }
        for (auto it = begin; it != end; ++it) {
            if (std::find(begin, it, *it) != it) {
                repeated_ = *it;
                return false;
            }
        }
        return true;
    }

    std::vector<std::string_view> keys_;
    std::string_view repeated_;
};

} // namespace

Node::Node(simdjson::dom::element e) noexcept : place_(place_of(e))
{
}

simdjson::dom::element Node::element() const noexcept
{
    return handle_of<simdjson::dom::element>(place_);
}

bool Node::is_null() const noexcept
{
    return exists() && element().is_null();
}

bool Node::is_string() const noexcept
{
    return exists() && element().is_string();
}

bool Node::is_object() const noexcept
{
    return exists() && element().is_object();
}

bool Node::is_array() const noexcept
{
    return exists() && element().is_array();
}

bool Node::is_number() const noexcept
{
    return exists() && element().is_number();
}

bool Node::is_bool() const noexcept
{
    return exists() && element().is_bool();
}

Node Node::operator[](std::string_view key) const noexcept
{
    simdjson::dom::object object;
    simdjson::dom::element found;
    if (!exists() || element().get_object().get(object) != simdjson::SUCCESS
        || object.at_key(key).get(found) != simdjson::SUCCESS)
    {
        return {};
    }
    return Node(found);
}

Node Node::at(size_t index) const noexcept
{
    simdjson::dom::array array;
    simdjson::dom::element found;
    if (!exists() || element().get_array().get(array) != simdjson::SUCCESS
        || array.at(index).get(found) != simdjson::SUCCESS)
    {
        return {};
    }
    return Node(found);
}

size_t Node::size() const noexcept
{
    simdjson::dom::array array;
    simdjson::dom::object object;
    if (exists() && element().get_array().get(array) == simdjson::SUCCESS) {
        return count(array, array.size());
    }
    if (exists() && element().get_object().get(object) == simdjson::SUCCESS) {
        return count(object, object.size());
    }
    return 0;
}

std::optional<std::string_view> Node::string() const noexcept
{
    std::string_view text;
    if (!exists() || element().get_string().get(text) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return text;
}

std::string_view Node::string_or(std::string_view fallback) const noexcept
{
    return string().value_or(fallback);
}

std::optional<int64_t> Node::integer() const noexcept
{
    if (!exists()) {
        return std::nullopt;
    }
    int64_t whole = 0;
    if (element().get_int64().get(whole) == simdjson::SUCCESS) {
        return whole;
    }
    double real = 0;
    if (element().type() != element_type::DOUBLE
        || element().get_double().get(real) != simdjson::SUCCESS)
    {
        return std::nullopt;
    }
    // -2^63 <= real < 2^63, both exact as doubles
    constexpr double kLimit = 9223372036854775808.0;
    if (!(real >= -kLimit && real < kLimit)) {
        return std::nullopt;
    }
    whole = int64_t(real);
    if (double(whole) != real) {
        return std::nullopt;
    }
    return whole;
}

std::optional<double> Node::number() const noexcept
{
    double real = 0;
    if (!exists() || element().get_double().get(real) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return real;
}

std::optional<bool> Node::boolean() const noexcept
{
    bool value = false;
    if (!exists() || element().get_bool().get(value) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return value;
}

Node::Items Node::items() const noexcept
{
    simdjson::dom::array array;
    if (!exists() || element().get_array().get(array) != simdjson::SUCCESS) {
        return {Items::Iterator(), Items::Iterator()};
    }
    return {Items::Iterator(place_of(array.begin())),
        Items::Iterator(place_of(array.end()))};
}

Node::Members Node::members() const noexcept
{
    simdjson::dom::object object;
    if (!exists() || element().get_object().get(object) != simdjson::SUCCESS) {
        return {Members::Iterator(), Members::Iterator()};
    }
    return {Members::Iterator(place_of(object.begin())),
        Members::Iterator(place_of(object.end()))};
}

Node Node::Items::Iterator::operator*() const noexcept
{
    return Node(*handle_of<ArrayIterator>(at_));
}

Node::Items::Iterator& Node::Items::Iterator::operator++() noexcept
{
    auto it = handle_of<ArrayIterator>(at_);
    ++it;
    at_ = place_of(it);
    return *this;
}

Member Node::Members::Iterator::operator*() const noexcept
{
    const auto it = handle_of<ObjectIterator>(at_);
    return {it.key(), Node(it.value())};
}

Node::Members::Iterator& Node::Members::Iterator::operator++() noexcept
{
    auto it = handle_of<ObjectIterator>(at_);
    ++it;
    at_ = place_of(it);
    return *this;
}

Parser::Parser() = default;
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

namespace {

simdjson::error_code parse_tree(simdjson::dom::parser& parser, const char* text,
    size_t length, size_t depth, element& root)
{
    // The depth is kept when parse() makes the parser's memory grow.
    if (parser.max_depth() != depth
        && parser.allocate(std::max(length, size_t(1)), depth)
            != simdjson::SUCCESS)
    {
        throw std::bad_alloc();
    }
    const auto code = parser.parse(text, length, false).get(root);
    if (code == simdjson::MEMALLOC) {
        throw std::bad_alloc();
    }
    return code;
}

} // namespace

Result<Node> Parser::parse(const char* text, size_t length)
{
    simdjson::dom::element root;
    generation_++;
    if (!parser_) {
        parser_ = std::make_unique<simdjson::dom::parser>();
    }
    auto code = parse_tree(*parser_, text, length, kMaxDepth, root);
    if (code == simdjson::NUMBER_ERROR) {
        // Valid JSON all the same: the tree gets the nearest double.
        copy_.reserve(length + kPadding);
        copy_.assign(text, length);
        if (narrow_numbers(copy_)) {
            code = parse_tree(*parser_, copy_.data(), length, kMaxDepth, root);
        }
    }
    // simdjson counts a container with content one deeper than an empty one.
    if (code == simdjson::DEPTH_ERROR
        && !nests_deeper({text, length}, kMaxDepth)) {
        code = parse_tree(*parser_, text, length, kMaxDepth + 1, root);
    }
    if (code != simdjson::SUCCESS) {
        return make_error(ErrorCode::invalid_json,
            "invalid JSON: " + describe_fault({text, length}));
    }
    return Node(root);
}

Result<Node> Parser::parse(std::string_view text)
{
    copy_.reserve(text.size() + kPadding);
    copy_.assign(text);
    return parse(copy_.data(), copy_.size());
}

Result<void> check_unique_keys(Node root)
{
    KeyCheck check;
    if (root.exists() && !check.unique(root.element())) {
        return duplicate(check.repeated());
    }
    return {};
}

} // namespace ai_proxy::json
