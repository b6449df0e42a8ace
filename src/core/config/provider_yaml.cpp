#include "core/config/provider_yaml.h"

#include "core/config/failover_yaml.h"
#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using yaml::Kind;
using yaml::Node;

struct Reader {
    ProviderBuilder& builder;
    yaml::Warnings& warnings;
    ProviderFailover failover;
};

void warn(Reader& reader, Node value, std::string_view text)
{
    reader.warnings.push_back(value.error(text).message);
}

// A line of a provider block that says the same.
Result<void> say(Reader& reader, Node value, const Words& words)
{
    if (auto done = reader.builder.line(words); !done) {
        return value.error(done.error().message);
    }
    return {};
}

Result<void> say_text(Reader& reader, Node value, std::string_view name)
{
    const auto text = value.text();
    if (!text) {
        return text.error();
    }
    return say(reader, value, {name, *text});
}

Result<void> say_flag(Reader& reader, Node value, std::string_view name)
{
    const auto flag = value.boolean();
    if (!flag) {
        return flag.error();
    }
    return say(reader, value, {name, *flag ? "on" : "off"});
}

// Each element on a line of its own, or all on one.
Result<void> say_texts(
    Reader& reader, Node value, std::string_view name, bool one_line)
{
    const auto texts = value.texts();
    if (!texts) {
        return texts.error();
    }
    Words words{name};
    for (size_t i = 0; i < texts->size(); ++i) {
        words.emplace_back((*texts)[i]);
        if (!one_line) {
            const Node element = value.is_sequence() ? value.at(i) : value;
            if (auto done = say(reader, element, words); !done) {
                return done;
            }
            words.pop_back();
        }
    }
    return words.size() > 1 ? say(reader, value, words) : Result<void>();
}

Result<void> say_pairs(Reader& reader, Node value, std::string_view name)
{
    if (auto done = value.expect(Kind::mapping); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        const Node member = value.at(i);
        const auto text =
            member.is_null() ? Result<std::string>("") : member.text();
        if (!text) {
            return text.error();
        }
        auto done = say(reader, member, {name, member.key(), *text});
        if (!done) {
            return done;
        }
    }
    return {};
}

// What has no line of the same shape.
struct Special {
    std::string_view name;
    Result<void> (*take)(Reader& reader, Node value);
};

Result<void> take_nothing(Reader&, Node)
{
    return {};
}

Result<void> take_dead(Reader& reader, Node value)
{
    yaml::warn_dead(reader.warnings, value);
    return {};
}

Result<void> take_timeout(Reader& reader, Node value)
{
    (void)reader;
    const auto ms = value.integer(0, 86'400'000);
    return ms ? Result<void>() : Result<void>(ms.error());
}

Result<void> take_first_byte(Reader& reader, Node value)
{
    const auto ms = value.integer(0, 86'400'000);
    if (!ms) {
        return ms.error();
    }
    const std::string word = "first_byte=" + std::to_string(*ms) + "ms";
    return *ms == 0 ? Result<void>() : say(reader, value, {"timeout", word});
}

Result<void> take_context(Reader& reader, Node value)
{
    constexpr std::string_view kFile = "file://";
    const auto url = value["fileUrl"].text();
    if (!url) {
        return url.error();
    }
    if (!url->starts_with(kFile)) {
        return value.error("a context file is read when nginx starts: put it "
                           "beside the configuration and name it as "
                           "\"file:///path\"");
    }
    const std::string path = url->substr(kFile.size());
    return say(reader, value, {"context_file", path});
}

Result<void> take_setting(Reader& reader, Node setting)
{
    if (auto done = setting.expect(Kind::mapping); !done) {
        return done;
    }
    std::string mode = "auto";
    bool overwrite = true;
    for (size_t i = 0; i < setting.size(); ++i) {
        const Node member = setting.at(i);
        if (member.key() == "mode") {
            const auto text = member.text();
            if (!text || (*text != "auto" && *text != "raw")) {
                return member.error("auto or raw is expected");
            }
            mode = *text;
        } else if (member.key() == "overwrite") {
            const auto flag = member.boolean();
            if (!flag) {
                return flag.error();
            }
            overwrite = *flag;
        } else if (member.key() != "name" && member.key() != "value") {
            return yaml::unknown_field(member);
        }
    }
    const auto name = setting["name"].text();
    if (!name || setting["value"].kind() == Kind::missing) {
        return setting.error("\"name\" and \"value\" are expected");
    }
    constexpr std::string_view kKnown[] = {
        "max_tokens", "temperature", "top_p", "seed"};
    if (mode == "auto"
        && std::find(std::begin(kKnown), std::end(kKnown), *name)
            == std::end(kKnown))
    {
        warn(reader, setting, "has no effect without \"mode: raw\"");
        return {};
    }
    mode.insert(0, "mode=");
    const std::string value = setting["value"].json();
    return say(reader, setting,
        {"custom_setting", *name, value, mode,
            overwrite ? "overwrite=on" : "overwrite=off"});
}

Result<void> take_settings(Reader& reader, Node value)
{
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        if (auto done = take_setting(reader, value.at(i)); !done) {
            return done;
        }
    }
    return {};
}

Result<void> take_base_handling(Reader& reader, Node value)
{
    const auto text = value.text();
    if (!text || (*text != "removePrefix" && *text != "prepend")) {
        return value.error("removePrefix or prepend is expected");
    }
    return say(reader, value,
        {"base_path_handling",
            *text == "prepend" ? "prepend" : "remove_prefix"});
}

// Unknown words mean passthrough.
Result<void> take_reasoning(Reader& reader, Node value)
{
    const auto text = value.text();
    if (!text) {
        return text.error();
    }
    if (!reader.builder.line({"reasoning_content_mode", *text})) {
        warn(reader, value, "passthrough, ignore or concat is expected");
    }
    return {};
}

Result<void> take_hiclaw(Reader& reader, Node value)
{
    const auto flag = value.boolean();
    if (!flag) {
        return flag.error();
    }
    if (!*flag) {
        return {};
    }
    for (std::string_view name :
        {"merge_consecutive_messages", "promote_thinking_on_empty"})
    {
        if (auto done = say(reader, value, {name, "on"}); !done) {
            return done;
        }
    }
    return {};
}

Result<void> take_schema(Reader& reader, Node value)
{
    if (auto done = value.expect(Kind::mapping); !done) {
        return done;
    }
    const std::string text = value.json();
    return say(
        reader, value, {"custom_setting", "response_format", text, "mode=raw"});
}

Result<void> take_budget(Reader& reader, Node value)
{
    const auto n = value.integer(-1, 10'000'000);
    if (!n) {
        return n.error();
    }
    const std::string text = std::to_string(*n);
    return *n == 0 ? Result<void>()
                   : say(reader, value, {"gemini_thinking_budget", text});
}

Result<void> take_additional(Reader& reader, Node value)
{
    if (auto done = value.expect(Kind::mapping); !done) {
        return done;
    }
    const std::string text = value.json();
    return say(reader, value, {"bedrock_additional_fields", text});
}

Result<void> take_cache_points(Reader& reader, Node value)
{
    if (auto done = value.expect(Kind::mapping); !done) {
        return done;
    }
    Words words{"bedrock_prompt_cache_point_positions"};
    for (size_t i = 0; i < value.size(); ++i) {
        const auto flag = value.at(i).boolean();
        if (!flag) {
            return flag.error();
        }
        if (*flag) {
            words.push_back(value.at(i).key());
        }
    }
    if (words.size() == 1) {
        words.emplace_back("none");
    }
    return say(reader, value, words);
}

Result<void> take_refresh(Reader& reader, Node value)
{
    const auto seconds = value.integer(0, 1800);
    if (!seconds) {
        return seconds.error();
    }
    const std::string text = std::to_string(*seconds) + "s";
    return say(reader, value, {"vertex_token_refresh_ahead", text});
}

Result<void> take_failover(Reader& reader, Node value)
{
    return read_failover(value, reader.failover, reader.warnings);
}

Result<void> take_retry(Reader& reader, Node value)
{
    return read_retry(value, reader.failover, reader.warnings);
}

constexpr Special kSpecial[] = {
    {"id", take_nothing},
    {"type", take_nothing},
    {"timeout", take_timeout},
    {"firstByteTimeout", take_first_byte},
    {"context", take_context},
    {"customSettings", take_settings},
    {"basePathHandling", take_base_handling},
    {"reasoningContentMode", take_reasoning},
    {"hiclawMode", take_hiclaw},
    {"responseJsonSchema", take_schema},
    {"failover", take_failover},
    {"retryOnFailure", take_retry},
    {"geminiThinkingBudget", take_budget},
    {"bedrockAdditionalFields", take_additional},
    {"bedrockPromptCachePointPositions", take_cache_points},
    {"vertexTokenRefreshAhead", take_refresh},
    // Declared, and read by nobody.
    {"subPath", take_dead},
    {"authHeaderKey", take_dead},
    {"vertexGeminiSafetySetting", take_dead},
    // Higress never fetches the file.
    {"moonshotFileId", take_dead},
    // Its place is in the key.
    {"vertexAuthServiceName", take_dead},
};

Result<void> take_field(Reader& reader, const Field& field, Node value)
{
    if (field.syntax == "on | off") {
        return say_flag(reader, value, field.name);
    }
    if (field.repeats && field.most == 2) {
        return say_pairs(reader, value, field.name);
    }
    if (field.repeats) {
        return say_texts(reader, value, field.name, field.most != 1);
    }
    return say_text(reader, value, field.name);
}

Result<void> take_member(Reader& reader, Node member, std::string_view type)
{
    const auto known = std::find_if(std::begin(kSpecial), std::end(kSpecial),
        [&](const Special& s) { return s.name == member.key(); });
    const auto field =
        std::find_if(fields().begin(), fields().end(), [&](const Field& f) {
            // What Higress does not have goes by our name.
            return member.key() == (f.yaml_name.empty() ? f.name : f.yaml_name);
        });
    const bool is_special = known != std::end(kSpecial);
    const bool is_field = field != fields().end();
    if (!is_special && !is_field) {
        return yaml::unknown_field(member);
    }
    if (!member.has_value()) {
        return {};
    }
    if (is_field && !belongs(*field, type)) {
        warn(reader, member,
            "has no effect for type \"" + std::string(type) + "\"");
        return {};
    }
    return is_special ? known->take(reader, member)
                      : take_field(reader, *field, member);
}

} // namespace

Result<std::unique_ptr<Provider>> read_provider(Node object, std::string name,
    const SecretSource& secrets, yaml::Warnings& warnings)
{
    if (auto done = object.expect(Kind::mapping); !done) {
        return std::move(done).error();
    }
    ProviderBuilder builder(std::move(name), secrets);
    Reader reader{builder, warnings, {}};
    const Node type = object["type"];
    if (!type.has_value()) {
        return object.error("\"type\" is missing");
    }
    if (auto done = say_text(reader, type, "type"); !done) {
        return std::move(done).error();
    }
    for (size_t i = 0; i < object.size(); ++i) {
        if (auto done = take_member(reader, object.at(i), *type.text()); !done)
        {
            return std::move(done).error();
        }
    }
    auto provider = builder.finish();
    if (!provider) {
        return object.error(provider.error().message);
    }
    apply(reader.failover, **provider);
    return provider;
}

} // namespace ai_proxy::config
