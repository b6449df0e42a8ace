#include "core/dialect/error_writer.h"

#include "core/json/writer.h"

#include <string_view>

namespace ai_proxy::dialect {

namespace {

bool from_provider(ErrorCode code)
{
    return code == ErrorCode::upstream_status
        || code == ErrorCode::upstream_error;
}

// OpenAI's error.type: the provider's own, else what the status means, else
// what the code means.
std::string_view openai_type(const Error& error)
{
    if (!error.type.empty()) {
        return error.type;
    }
    if (!from_provider(error.code)) {
        return describe(error.code).type;
    }
    switch (error.http_status()) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return error.http_status() >= 500 ? "server_error"
                                          : "invalid_request_error";
    }
}

std::string_view anthropic_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 504:
        return "timeout_error";
    case 503:
    case 529:
        return "overloaded_error";
    default:
        return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

// google.rpc.Code of an HTTP status.
std::string_view gemini_status(int status)
{
    switch (status) {
    case 401:
        return "UNAUTHENTICATED";
    case 403:
        return "PERMISSION_DENIED";
    case 404:
        return "NOT_FOUND";
    case 409:
        return "ABORTED";
    case 429:
        return "RESOURCE_EXHAUSTED";
    case 499:
        return "CANCELLED";
    case 501:
        return "UNIMPLEMENTED";
    case 502:
    case 503:
    case 529:
        return "UNAVAILABLE";
    case 504:
        return "DEADLINE_EXCEEDED";
    default:
        return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
    }
}

std::string_view message_of(const Error& error)
{
    return error.message.empty() ? describe(error.code).name
                                 : std::string_view(error.message);
}

void string_or_null(
    json::Writer& w, std::string_view key, std::string_view text)
{
    w.key(key);
    if (text.empty()) {
        w.null();
    } else {
        w.string(text);
    }
}

// A provider that gave no code has none; the gateway's own errors have their
// name.
std::string_view code_of(const Error& error)
{
    return error.provider_code.empty() && !from_provider(error.code)
        ? describe(error.code).name
        : std::string_view(error.provider_code);
}

void write_openai_error(json::Writer& w, const Error& error)
{
    w.key("error").begin_object();
    w.field("message", message_of(error));
    w.field("type", openai_type(error));
    string_or_null(w, "param", error.param);
    string_or_null(w, "code", code_of(error));
    w.end_object();
}

void write_openai_body(std::string& out, const Error& error)
{
    json::Writer w(out);
    w.begin_object();
    write_openai_error(w, error);
    w.end_object();
}

void write_anthropic_body(std::string& out, const Error& error)
{
    json::Writer w(out);
    w.begin_object().field("type", "error").key("error").begin_object();
    w.field("type", anthropic_type(error.http_status()));
    w.field("message", message_of(error));
    w.end_object().end_object();
}

void write_gemini_body(std::string& out, const Error& error)
{
    json::Writer w(out);
    w.begin_object().key("error").begin_object();
    w.field("code", int64_t{error.http_status()});
    w.field("message", message_of(error));
    w.field("status", gemini_status(error.http_status()));
    w.end_object().end_object();
}

} // namespace

void write_error_body(std::string& out, Dialect dialect, const Error& error)
{
    switch (dialect) {
    case Dialect::openai:
        write_openai_body(out, error);
        break;
    case Dialect::anthropic:
        write_anthropic_body(out, error);
        break;
    case Dialect::gemini:
        write_gemini_body(out, error);
        break;
    }
}

void write_error_event(std::string& out, Dialect dialect, const Error& error)
{
    if (dialect == Dialect::anthropic) {
        out += "event: error\n";
    }
    out += "data: ";
    write_error_body(out, dialect, error);
    out += "\n\n";
}

void write_responses_error_event(
    std::string& out, const Error& error, int64_t sequence)
{
    out += "event: error\ndata: ";
    json::Writer w(out);
    w.begin_object().field("type", "error");
    w.field("sequence_number", sequence);
    string_or_null(w, "code", code_of(error));
    w.field("message", message_of(error));
    string_or_null(w, "param", error.param);
    write_openai_error(w, error);
    w.end_object();
    out += "\n\n";
}

} // namespace ai_proxy::dialect
