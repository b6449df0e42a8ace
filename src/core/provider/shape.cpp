#include "core/provider/shape.h"

#include "core/json/splice.h"
#include "core/json/writer.h"

#include <algorithm>
#include <span>
#include <vector>

namespace ai_proxy::provider {
namespace {

using json::Node;

std::string_view role(Node message) noexcept
{
    return message["role"].string_or();
}

bool is_system(Node message) noexcept
{
    return role(message) == "system" || role(message) == "developer";
}

// The text of a message whose content is a string or one text part.
std::string_view text_of(Node message) noexcept
{
    const Node content = message["content"];
    return content.size() == 1 ? content.at(0)["text"].string_or()
                               : content.string_or();
}

// Index of the last user message that is a cleanup command; -1 for none.
int64_t cleanup_at(const Options& options, Node messages)
{
    int64_t found = -1, index = 0;
    for (const Node message : messages.items()) {
        const auto& commands = options.context_cleanup_commands;
        if (role(message) == "user"
            && std::find(commands.begin(), commands.end(), text_of(message))
                != commands.end())
        {
            found = index;
        }
        index++;
    }
    return found;
}

// Nothing but role and content, so that two become one without loss.
bool is_plain(Node message)
{
    for (const json::Member member : message.members()) {
        if (member.key != "role" && member.key != "content") {
            return false;
        }
    }
    return message["content"].is_string() || message["content"].is_array();
}

bool merges(Node a, Node b)
{
    return (role(a) == "user" || role(a) == "assistant") && role(a) == role(b)
        && is_plain(a) && is_plain(b);
}

void write_parts(json::Writer& w, Node content)
{
    if (content.is_string()) {
        w.begin_object().field("type", "text");
        w.field("text", content.string_or()).end_object();
    }
    for (const Node part : content.items()) {
        w.value(part);
    }
}

void write_merged(json::Writer& w, std::span<const Node> run)
{
    const bool strings = std::all_of(run.begin(), run.end(),
        [](Node message) { return message["content"].is_string(); });
    w.begin_object().field("role", role(run.front())).key("content");
    if (strings) {
        std::string text;
        for (const Node message : run) {
            text += text.empty() ? "" : "\n\n";
            text += message["content"].string_or();
        }
        w.string(text);
    } else {
        w.begin_array();
        for (const Node message : run) {
            write_parts(w, message["content"]);
        }
        w.end_array();
    }
    w.end_object();
}

void write_message(json::Writer& w, Node message, bool rename)
{
    if (!rename || role(message) != "developer") {
        w.value(message);
        return;
    }
    w.begin_object();
    for (const json::Member member : message.members()) {
        if (member.key == "role") {
            w.field("role", "system");
        } else {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
}

// Messages that stay, in their order.
std::vector<Node> kept(const Options& options, Node messages, bool& changed)
{
    const int64_t cut = options.context_cleanup_commands.empty()
        ? -1
        : cleanup_at(options, messages);
    std::vector<Node> out;
    int64_t index = 0;
    for (const Node message : messages.items()) {
        const bool before = index < cut && !is_system(message);
        if (before || index == cut) {
            changed = true;
        } else {
            out.push_back(message);
        }
        index++;
    }
    return out;
}

size_t length_of_run(const Options& options, std::span<const Node> messages)
{
    size_t length = 1;
    while (options.merge_consecutive_messages && length < messages.size()
        && merges(messages[length - 1], messages[length]))
    {
        length++;
    }
    return length;
}

// The messages as JSON text; "" when they stay as they are.
std::string edited(const Options& options, std::string_view context,
    std::span<const Node> messages, bool changed)
{
    const bool rename = options.developer_role == false;
    size_t systems = 0;
    while (systems < messages.size() && is_system(messages[systems])) {
        systems++;
    }
    std::string out;
    json::Writer w(out);
    w.begin_array();
    for (size_t i = 0; i <= messages.size();) {
        if (i == systems && !context.empty()) {
            w.begin_object().field("role", "system");
            w.field("content", context).end_object();
            changed = true;
        }
        if (i == messages.size()) {
            break;
        }
        const size_t run = length_of_run(options, messages.subspan(i));
        if (run > 1) {
            write_merged(w, messages.subspan(i, run));
            changed = true;
        } else {
            changed = changed || (rename && role(messages[i]) == "developer");
            write_message(w, messages[i], rename);
        }
        i += run;
    }
    w.end_array();
    return changed ? out : std::string();
}

bool has_path(Node node, std::span<const std::string> path)
{
    for (const std::string& name : path) {
        node = node[name];
    }
    return node.exists();
}

// The value of a member with the setting inside it.
void write_setting(json::Writer& w, Node old, std::span<const std::string> path,
    std::string_view value)
{
    if (path.empty()) {
        w.raw(value);
        return;
    }
    w.begin_object();
    bool found = false;
    for (const json::Member member : old.members()) {
        w.key(member.key);
        if (member.key == path[0]) {
            found = true;
            write_setting(w, member.value, path.subspan(1), value);
        } else {
            w.value(member.value);
        }
    }
    if (!found) {
        w.key(path[0]);
        write_setting(w, {}, path.subspan(1), value);
    }
    w.end_object();
}

void apply(const CustomSetting& setting, Node body, json::Splice& splice)
{
    std::span<const std::string> path = setting.path;
    std::string_view name = path[0];
    // The newer of two names for one thing is the one that counts.
    if (path.size() == 1 && name == "max_tokens"
        && body["max_completion_tokens"].has_value())
    {
        name = "max_completion_tokens";
        if (!setting.overwrite) {
            return;
        }
    }
    if (!setting.overwrite && has_path(body, path)) {
        return;
    }
    std::string value;
    json::Writer w(value);
    write_setting(w, body[name], path.subspan(1), setting.value);
    splice.set(name, std::move(value));
}

} // namespace

bool shapes(const Options& options) noexcept
{
    return !options.custom_settings.empty()
        || !options.context_cleanup_commands.empty()
        || options.merge_consecutive_messages || !options.context.empty()
        || !options.moonshot_file_id.empty() || options.developer_role == false;
}

Result<std::string> shape_chat(const Options& options, std::string_view context,
    std::string_view text, json::Node body)
{
    auto splice = json::Splice::scan(text.data(), text.size());
    if (!splice) {
        return std::move(splice).error();
    }
    for (const CustomSetting& setting : options.custom_settings) {
        apply(setting, body, *splice);
    }
    const Node messages = body["messages"];
    if (messages.is_array()) {
        bool changed = false;
        const std::vector<Node> left = kept(options, messages, changed);
        const bool question = std::any_of(left.begin(), left.end(),
            [](Node message) { return !is_system(message); });
        if (changed && !question) {
            return make_error(ErrorCode::invalid_request,
                "no message follows the command that clears the context",
                "messages");
        }
        std::string made = edited(options, context, left, changed);
        if (!made.empty()) {
            splice->set("messages", std::move(made));
        }
    }
    return splice->text();
}

} // namespace ai_proxy::provider
