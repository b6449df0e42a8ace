#include "core/config/yaml.h"

#include <algorithm>
#include <map>
#include <set>

#include <yaml.h>

// From libyaml's events to the tree of a document.

namespace ai_proxy::config::yaml {

namespace {

class Parser {
public:
    explicit Parser(std::string_view text)
    {
        ok_ = yaml_parser_initialize(&parser_) == 1;
        if (ok_) {
            yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
            yaml_parser_set_input_string(&parser_,
                reinterpret_cast<const unsigned char*>(text.data()),
                text.size());
        }
    }
    ~Parser()
    {
        if (ok_) {
            yaml_parser_delete(&parser_);
        }
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    [[nodiscard]] bool next(yaml_event_t& event) noexcept
    {
        return ok_ && yaml_parser_parse(&parser_, &event) == 1;
    }
    [[nodiscard]] std::string problem() const
    {
        return ok_ && parser_.problem != nullptr ? parser_.problem
                                                 : "no memory";
    }
    [[nodiscard]] size_t line() const noexcept
    {
        return parser_.problem_mark.line + 1;
    }

private:
    yaml_parser_t parser_;
    bool ok_ = false;
};

struct Event {
    yaml_event_t raw{};
    Event() = default;
    ~Event() { yaml_event_delete(&raw); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    [[nodiscard]] uint32_t line() const noexcept
    {
        return static_cast<uint32_t>(raw.start_mark.line + 1);
    }
};

std::string_view view(const yaml_char_t* text) noexcept
{
    return text != nullptr ? reinterpret_cast<const char*>(text) : "";
}

bool is_known_tag(std::string_view tag) noexcept
{
    constexpr std::string_view kKnown[] = {"", "!", "tag:yaml.org,2002:str",
        "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
        "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null",
        "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"};
    return std::find(std::begin(kKnown), std::end(kKnown), tag)
        != std::end(kKnown);
}

} // namespace

// Builds one document.
class Composer {
public:
    Composer(Document& document, std::string name)
        : document_(document), name_(std::move(name))
    {
    }

    Result<void> run(std::string_view text);

private:
    struct Level {
        Item* item = nullptr;
        std::string key; // of the value that comes next
        bool has_key = false;
        bool merge = false; // the key was "<<"
        std::vector<Item*> merged;
        std::set<std::string, std::less<>> keys;
    };
    struct Anchor {
        Item* item;
        bool open; // the node has not ended
    };

    Result<void> take(const Event& event);
    Result<void> scalar(const Event& event);
    Result<void> begin(const Event& event, Kind kind, const yaml_char_t* anchor,
        const yaml_char_t* tag);
    Result<void> alias(const Event& event);
    Result<void> place(Item* item);
    Result<void> place_key(std::string key, bool plain, uint32_t line);
    Result<void> end();
    Result<void> merge_in(Level& level);
    void note_anchor(const yaml_char_t* anchor, Item* item, bool open);
    Result<Item*> make(Kind kind, uint32_t line);
    Result<Item*> copy(const Item& from, size_t depth);
    [[nodiscard]] Error fault(size_t line, std::string_view text) const
    {
        return make_error(ErrorCode::invalid_request,
            name_ + ":" + std::to_string(line) + ": " + std::string(text));
    }

    Document& document_;
    std::string name_;
    std::vector<Level> levels_;
    std::map<std::string, Anchor, std::less<>> anchors_;
    size_t nodes_ = 0, bytes_ = 0;
    size_t documents_ = 0;
    bool done_ = false;
};

Result<void> Composer::run(std::string_view text)
{
    if (text.size() > kMostBytes) {
        return fault(1,
            "the file is larger than " + std::to_string(kMostBytes) + " bytes");
    }
    Parser parser(text);
    while (!done_) {
        Event event;
        if (!parser.next(event.raw)) {
            return fault(parser.line(), parser.problem());
        }
        if (auto taken = take(event); !taken) {
            return taken;
        }
    }
    // Nothing, or only "---".
    Item*& root = document_.root_;
    if (root == nullptr || Node(root).is_null()) {
        auto made = make(Kind::mapping, 1);
        if (!made) {
            return std::move(made).error();
        }
        root = *made;
    }
    if (root->kind != Kind::mapping) {
        return fault(root->line, "a mapping is expected");
    }
    root->text = name_;
    return {};
}

Result<void> Composer::take(const Event& event)
{
    switch (event.raw.type) {
    case YAML_STREAM_END_EVENT:
        done_ = true;
        return {};
    case YAML_DOCUMENT_START_EVENT:
        documents_++;
        anchors_.clear();
        return {};
    case YAML_SCALAR_EVENT:
        return scalar(event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(event, Kind::sequence,
            event.raw.data.sequence_start.anchor,
            event.raw.data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return begin(event, Kind::mapping, event.raw.data.mapping_start.anchor,
            event.raw.data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end();
    case YAML_ALIAS_EVENT:
        return alias(event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return {};
    }
    return {};
}

Result<Item*> Composer::make(Kind kind, uint32_t line)
{
    if (++nodes_ > kMostNodes) {
        return fault(line,
            "the document has more than " + std::to_string(kMostNodes)
                + " nodes");
    }
    Item& item = document_.items_.emplace_back();
    item.kind = kind;
    item.line = line;
    return &item;
}

Result<void> Composer::place_key(std::string key, bool plain, uint32_t line)
{
    Level& level = levels_.back();
    level.merge = plain && key == "<<";
    if (!level.keys.insert(key).second) {
        return fault(line, "the key \"" + key + "\" stands twice");
    }
    level.key = std::move(key);
    level.has_key = true;
    return {};
}

Result<void> Composer::place(Item* item)
{
    if (levels_.empty()) {
        if (documents_ > 1 && !Node(item).is_null()) {
            return fault(item->line,
                "the file has more than one document, one is expected");
        }
        if (documents_ == 1) {
            document_.root_ = item;
        }
        return {};
    }
    Level& level = levels_.back();
    item->parent = level.item;
    if (level.item->kind == Kind::sequence) {
        item->index = static_cast<uint32_t>(level.item->items.size());
    } else if (level.merge) {
        level.has_key = level.merge = false;
        level.merged.push_back(item);
        return {};
    } else {
        item->key = std::move(level.key);
        level.has_key = false;
    }
    level.item->items.push_back(item);
    return {};
}

void Composer::note_anchor(const yaml_char_t* anchor, Item* item, bool open)
{
    if (anchor != nullptr) {
        anchors_.insert_or_assign(
            std::string(view(anchor)), Anchor{item, open});
    }
}

Result<void> Composer::scalar(const Event& event)
{
    const auto& data = event.raw.data.scalar;
    const std::string_view tag = view(data.tag);
    if (!is_known_tag(tag)) {
        return fault(event.line(),
            "the tag \"" + std::string(tag) + "\" is not supported");
    }
    std::string text(reinterpret_cast<const char*>(data.value), data.length);
    if (text.find('\0') != std::string::npos) {
        return fault(event.line(), "a text holds a zero byte");
    }
    const bool key = !levels_.empty()
        && levels_.back().item->kind == Kind::mapping
        && !levels_.back().has_key;
    if (key && data.anchor == nullptr) {
        return place_key(std::move(text), data.style == YAML_PLAIN_SCALAR_STYLE,
            event.line());
    }
    if (key) {
        return fault(event.line(), "a key has an anchor");
    }
    auto item = make(Kind::scalar, event.line());
    if (!item) {
        return std::move(item).error();
    }
    (*item)->plain = data.style == YAML_PLAIN_SCALAR_STYLE
        && (tag.empty() || (tag != "!" && !tag.ends_with(":str")));
    (*item)->text = std::move(text);
    note_anchor(data.anchor, *item, false);
    return place(*item);
}

Result<void> Composer::begin(const Event& event, Kind kind,
    const yaml_char_t* anchor, const yaml_char_t* tag)
{
    if (!is_known_tag(view(tag))) {
        return fault(event.line(),
            "the tag \"" + std::string(view(tag)) + "\" is not supported");
    }
    if (levels_.size() == kMostDepth) {
        return fault(event.line(), "the document is nested too deeply");
    }
    if (!levels_.empty() && levels_.back().item->kind == Kind::mapping
        && !levels_.back().has_key)
    {
        return fault(event.line(), "a key must be a single value");
    }
    auto item = make(kind, event.line());
    if (!item) {
        return std::move(item).error();
    }
    note_anchor(anchor, *item, true);
    if (auto placed = place(*item); !placed) {
        return placed;
    }
    levels_.emplace_back().item = *item;
    return {};
}

Result<void> Composer::end()
{
    if (auto merged = merge_in(levels_.back()); !merged) {
        return merged;
    }
    Item* item = levels_.back().item;
    levels_.pop_back();
    for (auto& [name, anchor] : anchors_) {
        if (anchor.item == item) {
            anchor.open = false;
        }
    }
    return {};
}

// "<<": members that the mapping lacks come from another one, or from the
// first of several that has them.
Result<void> Composer::merge_in(Level& level)
{
    std::vector<Item*> sources;
    for (Item* item : level.merged) {
        if (item->kind == Kind::sequence) {
            sources.insert(
                sources.end(), item->items.begin(), item->items.end());
        } else {
            sources.push_back(item);
        }
    }
    for (Item* source : sources) {
        if (source->kind != Kind::mapping) {
            return fault(source->line, "\"<<\" must name mappings");
        }
        for (Item* member : source->items) {
            if (level.keys.insert(member->key).second) {
                member->parent = level.item;
                level.item->items.push_back(member);
            }
        }
    }
    return {};
}

Result<Item*> Composer::copy(const Item& from, size_t depth)
{
    bytes_ += from.text.size() + from.key.size();
    if (depth > kMostDepth || bytes_ > kMostBytes) {
        return fault(from.line, "the aliases make the document too large");
    }
    auto made = make(from.kind, from.line);
    if (!made) {
        return made;
    }
    Item& item = **made;
    item.plain = from.plain;
    item.key = from.key;
    item.text = from.text;
    item.index = from.index;
    for (const Item* child : from.items) {
        auto inner = copy(*child, depth + 1);
        if (!inner) {
            return inner;
        }
        (*inner)->parent = &item;
        item.items.push_back(*inner);
    }
    return &item;
}

Result<void> Composer::alias(const Event& event)
{
    const std::string_view name = view(event.raw.data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end() || found->second.open) {
        return fault(event.line(),
            "the alias \"" + std::string(name) + "\" names nothing before it");
    }
    if (!levels_.empty() && levels_.back().item->kind == Kind::mapping
        && !levels_.back().has_key)
    {
        return fault(event.line(), "a key must not be an alias");
    }
    auto item = copy(*found->second.item, levels_.size());
    if (!item) {
        return std::move(item).error();
    }
    (*item)->key.clear();
    (*item)->index = 0;
    return place(*item);
}

Result<Document> Document::parse(std::string name, std::string_view text)
{
    Document document;
    Composer composer(document, std::move(name));
    if (auto done = composer.run(text); !done) {
        return std::move(done).error();
    }
    return document;
}

} // namespace ai_proxy::config::yaml
