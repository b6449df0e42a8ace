#include "core/policy/realtime.h"

#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/base/text.h"
#include "core/json/reader.h"
#include "core/usage/merge.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <array>

namespace ai_proxy::policy {

namespace {

bool is_kept(std::string_view pair) noexcept
{
    constexpr std::array<std::string_view, 4> kOurs{
        "model", "deployment", "api-key", "key"};
    const std::string_view name =
        pair.substr(0, std::min(pair.find('='), pair.size()));
    return !pair.empty()
        && std::none_of(kOurs.begin(), kOurs.end(),
            [name](std::string_view ours) { return iequals(name, ours); });
}

// Browsers cannot set header fields: they name their key as a subprotocol.
std::string subprotocols(std::string_view value, bool own_key)
{
    constexpr std::string_view kKey = "openai-insecure-api-key.";
    std::string out;
    while (!value.empty()) {
        const size_t end = std::min(value.find(','), value.size());
        const std::string_view name = trim(value.substr(0, end));
        value.remove_prefix(std::min(end + 1, value.size()));
        if (name.empty() || (own_key && istarts_with(name, kKey))) {
            continue;
        }
        out += out.empty() ? "" : ", ";
        out += name;
    }
    return out;
}

bool is_clean(std::string_view value) noexcept
{
    return std::none_of(value.begin(), value.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u < 0x20 || u == 0x7f;
    });
}

} // namespace

std::string realtime_model(std::string_view query)
{
    const auto model = query_value(query, "model");
    return form_decode(
        model ? *model : query_value(query, "deployment").value_or(""));
}

std::string realtime_query(std::string_view query)
{
    std::string kept;
    while (!query.empty()) {
        const size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (is_kept(pair)) {
            kept += kept.empty() ? "" : "&";
            kept += pair;
        }
    }
    return kept;
}

void add_realtime_model(
    const provider::Options& options, std::string_view model, std::string& path)
{
    if (model.empty()) {
        return;
    }
    const std::string_view where =
        std::string_view(path).substr(0, std::min(path.find('?'), path.size()));
    const bool deployment = options.type->name == "azure"
        && where.find("/openai/v1/") == std::string_view::npos;
    path += path.find('?') == std::string::npos ? '?' : '&';
    path += deployment ? "deployment=" : "model=";
    path += percent_encode(model);
}

// Without extensions: usage is read in what the provider says, and could not be
// in compressed frames.
void add_handshake(
    const ClientHead& head, bool own_key, provider::Outbound& out)
{
    out.header("Connection", "Upgrade");
    out.header("Upgrade", "websocket");
    for (const Header& field : head.headers) {
        if (!is_clean(field.value)) {
            continue;
        }
        if (iequals(field.name, "sec-websocket-key")
            || iequals(field.name, "sec-websocket-version"))
        {
            out.header(field.name, field.value);
        } else if (iequals(field.name, "sec-websocket-protocol")) {
            const std::string names = subprotocols(field.value, own_key);
            if (!names.empty()) {
                out.header(field.name, names);
            }
        }
    }
}

void RealtimeUsage::take(std::string_view message)
{
    // Most messages are pieces of audio.
    if (message.find("response.done") == std::string_view::npos) {
        return;
    }
    json::Parser parser;
    const auto event = parser.parse(message);
    if (event && (*event)["type"].string_or() == "response.done") {
        usage::add(sum_, usage::read_openai((*event)["response"]["usage"]));
    }
}

void RealtimeUsage::feed(std::string_view bytes)
{
    reader_.feed(bytes, [this](std::string_view text) { take(text); });
}

} // namespace ai_proxy::policy
