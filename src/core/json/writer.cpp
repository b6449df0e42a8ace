#include "core/json/writer.h"

#include <cassert>
#include <charconv>
#include <cmath>

#include <simdjson.h>

namespace ai_proxy::json {
namespace {

template <class Number>
void append_number(std::string& out, Number number)
{
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
    out.append(text, size_t(end - text));
}

void append_double(std::string& out, double number)
{
    if (std::isfinite(number)) {
        append_number(out, number);
    } else {
        out += "null";
    }
}

// A double stays one to its reader: 1.0, not 1.
void append_parsed_double(std::string& out, double number)
{
    const size_t begin = out.size();
    append_double(out, number);
    if (out.find_first_of(".en", begin) == std::string::npos) {
        out += ".0";
    }
}

} // namespace

void append_value(std::string& out, Node value)
{
    if (!value.exists()) {
        out += "null";
        return;
    }
    using simdjson::dom::element_type;
    const simdjson::dom::element element = value.element();
    switch (element.type()) {
    case element_type::OBJECT: {
        char before = '{';
        for (const Member member : value.members()) {
            out += before;
            append_string(out, member.key);
            out += ':';
            append_value(out, member.value);
            before = ',';
        }
        out += before == '{' ? "{}" : "}";
        return;
    }
    case element_type::ARRAY: {
        char before = '[';
        for (const Node item : value.items()) {
            out += before;
            append_value(out, item);
            before = ',';
        }
        out += before == '[' ? "[]" : "]";
        return;
    }
    case element_type::STRING:
        append_string(out, value.string_or());
        return;
    case element_type::INT64:
        append_number(out, int64_t(element));
        return;
    case element_type::UINT64:
        append_number(out, uint64_t(element));
        return;
    case element_type::DOUBLE:
        append_parsed_double(out, double(element));
        return;
    case element_type::BOOL:
        out += bool(element) ? "true" : "false";
        return;
    case element_type::NULL_VALUE:
        out += "null";
        return;
    }
}

void Writer::separate()
{
    if (need_comma_) {
        out_ += ',';
    }
    need_comma_ = true;
}

void Writer::open(bool is_object)
{
    before_value();
    out_ += is_object ? '{' : '[';
    objects_ = objects_ << 1 | uint64_t(is_object);
    need_comma_ = false;
    after_key_ = false;
}

void Writer::close(char bracket)
{
    assert(!after_key_);
    out_ += bracket;
    objects_ >>= 1;
    need_comma_ = true;
}

void Writer::before_value()
{
    assert(after_key_ || (objects_ & 1) == 0);
    separate();
    after_key_ = false;
}

Writer& Writer::begin_object()
{
    open(true);
    return *this;
}

Writer& Writer::end_object()
{
    close('}');
    return *this;
}

Writer& Writer::begin_array()
{
    open(false);
    return *this;
}

Writer& Writer::end_array()
{
    close(']');
    return *this;
}

Writer& Writer::key(std::string_view name)
{
    assert(!after_key_);
    separate();
    append_string(out_, name);
    out_ += ':';
    need_comma_ = false;
    after_key_ = true;
    return *this;
}

Writer& Writer::string(std::string_view text)
{
    before_value();
    append_string(out_, text);
    return *this;
}

Writer& Writer::integer(int64_t number)
{
    before_value();
    append_number(out_, number);
    return *this;
}

Writer& Writer::number(double number)
{
    before_value();
    append_double(out_, number);
    return *this;
}

Writer& Writer::boolean(bool value)
{
    before_value();
    out_ += value ? "true" : "false";
    return *this;
}

Writer& Writer::null()
{
    before_value();
    out_ += "null";
    return *this;
}

Writer& Writer::value(Node node)
{
    before_value();
    append_value(out_, node);
    return *this;
}

Writer& Writer::raw(std::string_view json)
{
    before_value();
    out_ += json;
    return *this;
}

} // namespace ai_proxy::json
