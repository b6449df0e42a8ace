#include "core/dialect/openai_error.h"

#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/dialect/error_codes.h"
#include "core/json/writer.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string>

namespace ai_proxy::dialect {

namespace {

// A message is for people: what is longer is cut.
constexpr size_t kMaxMessage = 4096;
constexpr size_t kMaxPlainText = 512;

std::string cut(std::string_view text, size_t limit)
{
    text = trim(text);
    if (text.size() > limit) {
        size_t end = limit;
        while (
            end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
            --end;
        }
        text = text.substr(0, end);
    }
    return std::string(text);
}

// A string as it is, a number in decimal.
std::string scalar(json::Node node)
{
    if (const auto text = node.string()) {
        return cut(*text, 256);
    }
    if (const auto number = node.integer()) {
        return std::to_string(*number);
    }
    return {};
}

bool truthy(json::Node error)
{
    return (error.is_object() && error.size() > 0)
        || !error.string_or().empty();
}

// FastAPI's validation errors: [{"loc":["body","seed"],"msg":"..."}].
std::string join_details(json::Node details)
{
    std::string out;
    for (const json::Node detail : details.items()) {
        if (!out.empty()) {
            out += "; ";
        }
        const json::Node loc = detail["loc"];
        for (size_t i = 0; i < loc.size(); ++i) {
            out += i == 0 ? "" : ".";
            out += scalar(loc.at(i));
        }
        if (loc.size() > 0) {
            out += ": ";
        }
        out += detail["msg"].string_or(detail.string_or());
    }
    return out;
}

// Text wherever a vendor puts it: a string, details, or an object around one.
std::string message_text(json::Node node)
{
    if (const auto text = node.string()) {
        return cut(*text, kMaxMessage);
    }
    if (node.is_array()) {
        return cut(join_details(node), kMaxMessage);
    }
    if (node.is_object()) {
        for (const std::string_view key : {"message", "detail", "msg"}) {
            std::string inner = message_text(node[key]);
            if (!inner.empty()) {
                return inner;
            }
        }
        std::string raw;
        json::append_value(raw, node);
        return cut(raw, kMaxMessage);
    }
    return {};
}

std::string first_text(
    json::Node object, std::initializer_list<std::string_view> keys)
{
    for (const std::string_view key : keys) {
        std::string text = message_text(object[key]);
        if (!text.empty()) {
            return text;
        }
    }
    return {};
}

std::string first_scalar(
    json::Node object, std::initializer_list<std::string_view> keys)
{
    for (const std::string_view key : keys) {
        std::string text = scalar(object[key]);
        if (!text.empty()) {
            return text;
        }
    }
    return {};
}

// The status an error inside a 2xx answer stands for, when it says so.
uint16_t own_status(json::Node error, json::Node body)
{
    for (const json::Node place :
        {error["status_code"], error["http_code"], error["status"],
            error["code"], body["status_code"], body["status"], body["code"]})
    {
        auto number = place.integer();
        if (const auto text = place.string()) {
            if (const auto parsed = parse_uint(*text)) {
                number = *parsed <= 599 ? int64_t(*parsed) : 0;
            }
        }
        if (number && *number >= 400 && *number <= 599) {
            return static_cast<uint16_t>(*number);
        }
    }
    return 0;
}

// A code at the top level that means failure: not 0, not "ok".
bool is_failure(json::Node code)
{
    if (const auto number = code.integer()) {
        return *number != 0 && *number != 200;
    }
    const std::string_view text = code.string_or();
    return !text.empty() && text != "0" && text != "200" && text != "OK"
        && !iequals(text, "success");
}

// {"code","message"} or {"code","msg"} where an answer should be.
bool is_bare_code(json::Node body)
{
    for (const std::string_view answer : {"choices", "output", "data", "result",
             "results", "object", "embeddings", "id"})
    {
        if (body[answer].has_value()) {
            return false;
        }
    }
    return is_failure(body["code"])
        && !(body["message"].string_or().empty()
            && body["msg"].string_or().empty());
}

bool is_failed_choice(json::Node choice)
{
    return truthy(choice["error"])
        || choice["finish_reason"].string_or() == "error";
}

// One pass over the members: most answers have none of those that errors are
// told by.
bool may_report_error(json::Node body)
{
    constexpr std::string_view kMarks[] = {"ErrorMsg", "Response", "base_resp",
        "code", "error", "error_code", "success", "x_groq"};
    for (const auto [key, value] : body.members()) {
        if (key == "choices") {
            for (const json::Node choice : value.items()) {
                if (is_failed_choice(choice)) {
                    return true;
                }
            }
        } else if (std::find(std::begin(kMarks), std::end(kMarks), key)
            != std::end(kMarks))
        {
            return true;
        }
    }
    return false;
}

// Whose codes an error under 200 has.
CodeFamily family_of(json::Node body)
{
    if (body["base_resp"].is_object()) {
        return CodeFamily::minimax;
    }
    if (body["error_code"].exists()) {
        return CodeFamily::baidu;
    }
    if (body["Response"].is_object() || body["ErrorMsg"].is_object()) {
        return CodeFamily::tencent;
    }
    if (body["sid"].exists() || body["header"]["sid"].exists()) {
        return CodeFamily::spark;
    }
    if (body["msg"].exists()) {
        return CodeFamily::coze;
    }
    return body["request_id"].exists() && !body["error"].exists()
        ? CodeFamily::dashscope
        : CodeFamily::words;
}

uint16_t status_in_table(json::Node body, const Error& error)
{
    const CodeFamily family = family_of(body);
    for (const std::string_view word :
        {std::string_view(error.provider_code), std::string_view(error.type)})
    {
        if (const uint16_t status = status_of_code(family, word)) {
            return status;
        }
    }
    return 0;
}

// The error object, wherever it is.
json::Node find_error(json::Node body)
{
    for (const json::Node place :
        {body["error"], body["x_groq"]["error"], body["response"]["error"],
            body["Response"]["Error"], body["ErrorMsg"], body["errors"].at(0)})
    {
        if (truthy(place)) {
            return place;
        }
    }
    for (const json::Node choice : body["choices"].items()) {
        if (truthy(choice["error"])) {
            return choice["error"];
        }
    }
    return {};
}

std::string status_message(int status)
{
    return status > 0
        ? "The provider answered with status " + std::to_string(status) + "."
        : "The provider reported an error.";
}

// An HTML page says nothing but its title; other text is shown.
std::string from_text(int status, std::string_view text)
{
    text = trim(text);
    if (text.empty()) {
        return status_message(status);
    }
    if (text.front() != '<') {
        // A cut or binary body is no message.
        if (text.front() == '{' || text.front() == '[') {
            return status_message(status);
        }
        return cut(text, kMaxPlainText);
    }
    const size_t begin = text.find("<title>");
    const size_t end = text.find("</title>");
    std::string out = status_message(status);
    if (begin != std::string_view::npos && end != std::string_view::npos
        && begin + 7 < end)
    {
        out.insert(out.size() - 1,
            ": " + cut(text.substr(begin + 7, end - begin - 7), 200));
    }
    return out;
}

void read_object(Error& out, json::Node error)
{
    out.message = first_text(
        error, {"message", "detail", "msg", "Message", "Msg", "error"});
    out.type = first_scalar(error, {"type", "error_type"});
    out.param = scalar(error["param"]);
    out.provider_code = first_scalar(error, {"code", "Code"});
    if (out.type.empty() && error["status"].is_string()) {
        out.type = scalar(error["status"]); // Google's "RESOURCE_EXHAUSTED"
    }
}

// Vendors that put message and code at the top level.
void read_top(Error& out, json::Node body)
{
    const json::Node base = body["base_resp"];
    if (out.message.empty()) {
        out.message = first_text(
            body, {"message", "error_msg", "msg", "detail", "error"});
    }
    if (out.message.empty()) {
        out.message = message_text(base["status_msg"]);
    }
    if (out.provider_code.empty()) {
        out.provider_code = first_scalar(body, {"code", "error_code"});
    }
    if (out.provider_code.empty() && base.is_object()) {
        out.provider_code = scalar(base["status_code"]);
    }
    if (out.type.empty() && body["type"].string_or() != "error") {
        out.type = first_scalar(body, {"type", "error_type"});
    }
    if (out.param.empty()) {
        out.param = scalar(body["param"]);
    }
}

} // namespace

bool reports_error(json::Node body)
{
    if (!may_report_error(body)) {
        return false;
    }
    if (truthy(body["error"]) && body["object"].string_or() != "response") {
        return true;
    }
    if (truthy(body["x_groq"]["error"])) {
        return true;
    }
    for (const json::Node choice : body["choices"].items()) {
        if (is_failed_choice(choice)) {
            return true;
        }
    }
    const json::Node tencent = body["Response"];
    return body["base_resp"]["status_code"].integer().value_or(0) != 0
        || is_failure(body["error_code"]) || truthy(tencent["Error"])
        || truthy(body["ErrorMsg"])
        || (body["success"].boolean() == false && truthy(body["errors"].at(0)))
        || (body["sid"].exists() && is_failure(body["code"]))
        || is_bare_code(body);
}

Error read_openai_error(int status, json::Node body, std::string_view text)
{
    Error out = make_error(
        status >= 300 ? ErrorCode::upstream_status : ErrorCode::upstream_error,
        {});
    if (body.is_array()) {
        body = body.at(0);
    }
    const json::Node error = find_error(body);
    if (error.is_object()) {
        read_object(out, error);
    } else if (error.is_string()) {
        out.message = cut(error.string_or(), kMaxMessage);
    }
    read_top(out, body);
    if (out.message.empty()) {
        out.message =
            body.is_object() ? status_message(status) : from_text(status, text);
    }
    if (status >= 300) {
        out.status = static_cast<uint16_t>(status);
        return out;
    }
    out.status = own_status(error, body);
    if (out.status == 0) {
        out.status = status_in_table(body, out);
    }
    return out;
}

} // namespace ai_proxy::dialect
