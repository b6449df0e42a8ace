#include "core/config/fields_vendors.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::config {
namespace {

// One of the words; upper and lower case are the same.
Result<void> store_word(std::string& to, const Words& w,
    std::initializer_list<std::string_view> words, std::string_view expected)
{
    for (std::string_view word : words)
        if (iequals(word, w[1])) {
            to = word;
            return {};
        }
    return invalid_value(w[1], w[0], expected);
}

// A secret of Tencent's, which are all of one length; it is never repeated.
Result<void> store_tencent(std::optional<Secret>& to, size_t length,
    const SecretSource& secrets, const Words& w)
{
    auto text = resolve_secret(w[1], secrets, w[0]);
    if (!text)
        return text.error();
    const bool bad = std::any_of(text->begin(), text->end(), [](char c) {
        auto u = static_cast<unsigned char>(c);
        return u <= 0x20 || u >= 0x7f;
    });
    if (bad || text->size() != length)
        return config_error("\"" + std::string(w[0]) + "\" must have "
            + std::to_string(length) + " characters");
    to.emplace(std::move(*text));
    return {};
}

} // namespace

Result<void> set_bot_type(FieldContext& c, const Words& w)
{
    return store_word(c.provider.options.bot_type, w,
        {"chat", "agent", "completion", "workflow"},
        "chat, agent, completion or workflow is expected");
}

Result<void> set_minimax_type(FieldContext& c, const Words& w)
{
    std::string word;
    if (auto done = store_word(word, w, {"v2", "pro"}, "v2 or pro is expected");
        !done)
        return done;
    c.provider.options.minimax_pro = word == "pro";
    return {};
}

Result<void> set_hunyuan_auth_id(FieldContext& c, const Words& w)
{
    return store_tencent(c.provider.options.hunyuan_auth_id, 36, c.secrets, w);
}

Result<void> set_hunyuan_auth_key(FieldContext& c, const Words& w)
{
    return store_tencent(c.provider.options.hunyuan_auth_key, 32, c.secrets, w);
}

// Part of a path: no separators, nothing to encode.
Result<void> set_account(FieldContext& c, const Words& w)
{
    constexpr size_t kLongest = 64;
    const bool good = !w[1].empty() && w[1].size() <= kLongest
        && std::all_of(w[1].begin(), w[1].end(), [](char ch) {
               const char l = lower(ch);
               return (l >= 'a' && l <= 'z') || (ch >= '0' && ch <= '9')
                   || ch == '_' || ch == '-';
           });
    if (!good)
        return invalid_value(w[1], w[0], "letters and digits are expected");
    c.provider.options.cloudflare_account_id = w[1];
    return {};
}

} // namespace ai_proxy::config
