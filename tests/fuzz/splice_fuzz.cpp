#include "core/json/reader.h"
#include "core/json/splice.h"
#include "core/json/writer.h"

#include "input.h"

#include <string>

using namespace ai_proxy;

namespace {

std::string compact(json::Node node)
{
    std::string out;
    json::append_value(out, node);
    return out;
}

std::string compact(std::string_view text)
{
    json::Parser parser;
    const auto root = parser.parse(text);
    fuzz::require(root.ok(), "a raw value is JSON");
    return compact(*root);
}

// What the members but one of an object amount to.
std::string others(json::Node root, std::string_view key)
{
    std::string out;
    for (const json::Member member : root.members()) {
        if (member.key != key) {
            json::append_string(out, member.key);
            json::append_value(out, member.value);
        }
    }
    return out;
}

void edit(json::Node root, std::string_view text, std::string_view key)
{
    json::Parser parser;
    auto splice = json::Splice::scan(text.data(), text.size());
    splice->set(key, "[0]");
    auto edited = splice->text();
    auto read = parser.parse(edited);
    fuzz::require(read.ok(), "the edited text is JSON");
    fuzz::require(compact((*read)[key]) == "[0]", "the value is set");
    fuzz::require(others(*read, key) == others(root, key), "others are kept");

    splice->remove(key);
    edited = splice->text();
    read = parser.parse(edited);
    fuzz::require(read.ok() && !(*read)[key].exists(), "the member is gone");
    fuzz::require(others(*read, key) == others(root, key), "others are kept");

    splice = json::Splice::scan(text.data(), text.size());
    splice->rename(key, "renamed");
    edited = splice->text();
    read = parser.parse(edited);
    fuzz::require(read.ok(), "the renamed text is JSON");
    if (root[key].exists()) {
        fuzz::require(compact((*read)["renamed"]) == compact(root[key]),
            "the renamed member keeps its value");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string padded(reinterpret_cast<const char*>(data), size);
    padded.append(json::kPadding, '\0');
    const std::string_view text(padded.data(), size);
    json::Parser parser;
    const auto root = parser.parse(text.data(), text.size());
    auto splice = json::Splice::scan(text.data(), text.size());
    if (!root.ok()) {
        return 0; // scan() of such a text is wrong use, but may not crash
    }
    fuzz::require(splice.ok() == root->is_object(), "objects can be scanned");
    if (!splice.ok()) {
        return 0;
    }
    fuzz::require(splice->text() == text, "an unedited text stays as it was");
    size_t left = 8;
    for (const json::Member member : root->members()) {
        if (left-- == 0) {
            break;
        }
        fuzz::require(
            compact(splice->raw(member.key)) == compact((*root)[member.key]),
            "the raw value is the parsed one");
        edit(*root, text, member.key);
    }
    edit(*root, text, "model");
    return 0;
}
