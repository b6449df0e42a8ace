#pragma once

#include "core/chat/dropped.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <string>
#include <string_view>
#include <vector>

// The tools of a Responses request as chat's functions.
namespace ai_proxy::dialect {

// What a function is called where there are no namespaces.
[[nodiscard]] std::string flat_tool_name(
    std::string_view space, std::string_view name);

// All that a request declares: in tools, in namespaces there, and in items of
// type additional_tools.
class ResponsesTools {
public:
    // dropped: gets what chat cannot say; nullptr: nobody asks.
    ResponsesTools(json::Node body, chat::Dropped* dropped);

    // web_search_options, tools, tool_choice and parallel_tool_calls.
    void write(json::Writer& w) const;
    // The list of kToolNames (tool_names.h); "": no name needs it.
    [[nodiscard]] std::string names() const;

private:
    struct Tool {
        json::Node tool, space; // space: the namespace around it
        std::string sent;       // its name for the provider
        bool custom = false;
    };
    void drop(std::string place) const;
    void collect(json::Node list, const std::string& place);
    void collect_space(json::Node space, const std::string& place);
    void add(json::Node tool, json::Node space, const std::string& place);
    [[nodiscard]] bool may_search() const;
    [[nodiscard]] std::string chosen_name(json::Node choice) const;
    void write_choice(json::Writer& w) const;
    void write_allowed(json::Writer& w, json::Node choice) const;

    json::Node body_;
    chat::Dropped* dropped_;
    std::vector<Tool> tools_;
    json::Node search_; // the tool that asks for one
};

} // namespace ai_proxy::dialect
