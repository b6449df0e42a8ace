#pragma once

#include "core/json/reader.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::json {

// Appends text as a JSON string with quotes; input is UTF-8 (invalid bytes are
// replaced by U+FFFD so that the output is always valid JSON).
void append_string(std::string& out, std::string_view text);
// Appends the value in compact form (depth is bounded by the parser).
void append_value(std::string& out, Node value);

// Append-only JSON writer: commas by itself, no tree, no copy.  Misuse (a
// value without a key inside an object) is a programming error and asserted.
class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    Writer& begin_object();
    Writer& end_object();
    Writer& begin_array();
    Writer& end_array();
    Writer& key(std::string_view name);

    Writer& string(std::string_view text);
    Writer& integer(int64_t number);
    Writer& number(double number); // shortest form that reads back equal
    Writer& boolean(bool value);
    Writer& null();
    Writer& value(Node node);           // compact copy of a parsed value
    Writer& raw(std::string_view json); // trusted JSON text

    // key + value in one call
    Writer& field(std::string_view name, std::string_view text)
    {
        return key(name).string(text);
    }
    Writer& field(std::string_view name, const char* text)
    {
        return key(name).string(text);
    }
    Writer& field(std::string_view name, int64_t n)
    {
        return key(name).integer(n);
    }
    Writer& field(std::string_view name, double n)
    {
        return key(name).number(n);
    }
    Writer& field(std::string_view name, bool b)
    {
        return key(name).boolean(b);
    }
    Writer& field(std::string_view name, Node n) { return key(name).value(n); }

private:
    void separate();
    void before_value();
    void open(bool is_object);
    void close(char bracket);

    std::string& out_;
    uint64_t objects_ = 0; // per level from the innermost: object, else array
    bool need_comma_ = false;
    bool after_key_ = false;
};

} // namespace ai_proxy::json
