#include "core/dialect/responses_tools.h"

#include "core/chat/allowed_tools.h"
#include "core/dialect/tool_names.h"
#include "core/dialect/web_search.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::dialect {

namespace {

bool is_search(json::Node tool)
{
    return tool["type"].string_or().starts_with("web_search");
}

bool is_callable(json::Node tool)
{
    const std::string_view type = tool["type"].string_or();
    return type == "function" || type == "custom";
}

bool has_grammar(json::Node tool)
{
    return tool["format"]["type"].string_or() == "grammar";
}

// Beside its own words: what its namespace is for, and the grammar that no
// provider holds the model to.
std::string description(json::Node tool, json::Node space)
{
    std::string text(space["description"].string_or());
    const auto more = [&text](std::string_view words) {
        text += text.empty() || words.empty() ? "" : "\n\n";
        text += words;
    };
    more(tool["description"].string_or());
    if (has_grammar(tool)) {
        const json::Node format = tool["format"];
        std::string grammar = "The input follows this ";
        grammar += format["syntax"].string_or("lark");
        grammar += " grammar:\n";
        grammar += format["definition"].string_or();
        more(grammar);
    }
    return text;
}

// A text is the one member of a function's arguments.
constexpr std::string_view kInputSchema =
    R"({"type":"object","properties":{"input":{"type":"string"}},)"
    R"("required":["input"]})";

} // namespace

std::string flat_tool_name(std::string_view space, std::string_view name)
{
    std::string flat(space);
    flat.append(space.empty() ? "" : "__").append(name);
    return fitting_tool_name(flat);
}

ResponsesTools::ResponsesTools(json::Node body, chat::Dropped* dropped)
    : body_(body), dropped_(dropped)
{
    collect(body["tools"], "tools");
    size_t index = 0;
    for (const json::Node item : body["input"].items()) {
        if (item["type"].string_or() == "additional_tools") {
            collect(
                item["tools"], "input[" + std::to_string(index) + "].tools");
        }
        ++index;
    }
}

void ResponsesTools::drop(std::string place) const
{
    if (dropped_ != nullptr) {
        dropped_->add(std::move(place));
    }
}

void ResponsesTools::collect(json::Node list, const std::string& place)
{
    size_t index = 0;
    for (const json::Node tool : list.items()) {
        const std::string here = place + "[" + std::to_string(index++) + "]";
        if (is_search(tool)) {
            search_ = tool;
        } else if (is_callable(tool)) {
            add(tool, {}, here);
        } else if (tool["type"].string_or() == "namespace") {
            collect_space(tool, here);
        } else {
            drop(here + ".type");
        }
    }
}

void ResponsesTools::collect_space(json::Node space, const std::string& place)
{
    size_t index = 0;
    for (const json::Node tool : space["tools"].items()) {
        const std::string here =
            place + ".tools[" + std::to_string(index++) + "]";
        if (is_callable(tool)) {
            add(tool, space, here);
        } else {
            drop(here + ".type");
        }
    }
}

void ResponsesTools::add(
    json::Node tool, json::Node space, const std::string& place)
{
    if (has_grammar(tool)) {
        drop(place + ".format");
    }
    Tool one{tool, space,
        flat_tool_name(space["name"].string_or(), tool["name"].string_or()),
        tool["type"].string_or() == "custom"};
    // Told again it takes the other's place.
    const auto same = std::find_if(tools_.begin(), tools_.end(),
        [&one](const Tool& other) { return other.sent == one.sent; });
    if (same != tools_.end()) {
        *same = std::move(one);
    } else {
        tools_.push_back(std::move(one));
    }
}

// Does tool_choice leave the search among what may be called?
bool ResponsesTools::may_search() const
{
    const json::Node choice = body_["tool_choice"];
    if (choice["type"].string_or() != "allowed_tools") {
        return choice.string_or() != "none";
    }
    for (const json::Node tool : choice["tools"].items()) {
        if (is_search(tool)) {
            return true;
        }
    }
    return false;
}

void ResponsesTools::write(json::Writer& w) const
{
    if (search_.is_object() && may_search()) {
        write_web_search(w, search_);
    }
    if (tools_.empty()) {
        return;
    }
    w.key("tools").begin_array();
    for (const Tool& one : tools_) {
        w.begin_object().field("type", "function");
        w.key("function").begin_object();
        w.field("name", std::string_view(one.sent));
        const std::string text = description(one.tool, one.space);
        if (!text.empty()) {
            w.field("description", std::string_view(text));
        }
        if (one.custom) {
            w.key("parameters").raw(kInputSchema);
        } else {
            for (const std::string_view name : {"parameters", "strict"}) {
                if (one.tool[name].has_value()) {
                    w.field(name, one.tool[name]);
                }
            }
        }
        w.end_object().end_object();
    }
    w.end_array();
    write_choice(w);
    if (const auto flag = body_["parallel_tool_calls"].boolean(); flag) {
        w.field("parallel_tool_calls", *flag);
    }
}

// A choice need not name the namespace.
std::string ResponsesTools::chosen_name(json::Node choice) const
{
    const std::string_view name = choice["name"].string_or();
    const std::string_view space = choice["namespace"].string_or();
    for (const Tool& one : tools_) {
        if (space.empty() && one.tool["name"].string_or() == name) {
            return one.sent;
        }
    }
    return flat_tool_name(space, name);
}

void ResponsesTools::write_choice(json::Writer& w) const
{
    const json::Node choice = body_["tool_choice"];
    const std::string_view type = choice["type"].string_or();
    if (choice.is_string()) {
        w.field("tool_choice", choice);
    } else if (is_callable(choice)) {
        w.key("tool_choice").begin_object().field("type", "function");
        w.key("function").begin_object();
        w.field("name", std::string_view(chosen_name(choice)));
        w.end_object().end_object();
    } else if (type == "allowed_tools") {
        write_allowed(w, choice);
    } else if (choice.has_value()) {
        drop("tool_choice.type");
    }
}

// Beside functions only the search is left of the tools.
void ResponsesTools::write_allowed(json::Writer& w, json::Node choice) const
{
    std::vector<std::string> names;
    size_t i = 0;
    for (const json::Node tool : choice["tools"].items()) {
        if (is_callable(tool)) {
            names.push_back(chosen_name(tool));
        } else if (tool["type"].string_or() == "namespace") {
            for (const Tool& one : tools_) {
                if (one.space["name"].string_or() == tool["name"].string_or()) {
                    names.push_back(one.sent);
                }
            }
        } else if (!search_.is_object() || !is_search(tool)) {
            drop("tool_choice.tools[" + std::to_string(i) + "]");
        }
        i++;
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    chat::write_allowed_tools(w, choice["mode"].string_or("auto"), views);
}

std::string ResponsesTools::names() const
{
    std::string out;
    for (const Tool& one : tools_) {
        if (!one.custom && one.sent == one.tool["name"].string_or()) {
            continue;
        }
        out += out.empty() ? "[" : ",";
        json::Writer w(out);
        w.begin_object().field("sent", std::string_view(one.sent));
        w.field("name", one.tool["name"].string_or());
        w.field("namespace", one.space["name"].string_or());
        w.field("custom", one.custom).end_object();
    }
    out += out.empty() ? "" : "]";
    return out;
}

} // namespace ai_proxy::dialect
