#include "core/config/consumers.h"

#include "core/base/text.h"
#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

constexpr size_t kMaxModels = 1000;
constexpr size_t kMaxClaims = 64;
constexpr uint64_t kMaxSkew = 24ull * 3600 * 1000;

bool is_text(std::string_view text) noexcept
{
    return !text.empty() && text.size() <= 1024
        && std::all_of(text.begin(), text.end(),
            [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

} // namespace

// The setters of the fields, with a name that lets them in.
struct ConsumerFields {
    static Result<void> key(ConsumerBuilder& b, const Words& w)
    {
        auto text = resolve_secret(w[1], b.secrets_, w[0]);
        if (!text) {
            return std::move(text).error();
        }
        if (const auto fault = key_fault(*text); !fault.empty()) {
            return config_error("invalid \"key\": " + std::string(fault));
        }
        const consumer::Consumer* owner =
            b.consumers_.keys.add(Secret(std::move(*text)), b.consumer_);
        if (owner == &b.consumer_) {
            return config_error("\"key\" is duplicate");
        }
        if (owner != nullptr) {
            return config_error(
                "\"key\" is that of consumer \"" + owner->name + "\" too");
        }
        b.has_key_ = true;
        return {};
    }

    static Result<void> models(ConsumerBuilder& b, const Words& w)
    {
        for (size_t i = 1; i < w.size(); ++i) {
            if (!is_text(w[i])) {
                return invalid_value(w[i], w[0]);
            }
            auto& models = b.consumer_.models;
            if (std::find(models.begin(), models.end(), w[i]) != models.end()) {
                return config_error(
                    "\"" + std::string(w[i]) + "\" in \"models\" is duplicate");
            }
            if (models.size() == kMaxModels) {
                return config_error("too many words in \"models\"");
            }
            models.emplace_back(w[i]);
        }
        return {};
    }

    static Result<void> jwks(ConsumerBuilder& b, const Words& w)
    {
        auto text = resolve_secret(w[1], b.secrets_, w[0]);
        if (!text) {
            return std::move(text).error();
        }
        auto set = b.consumers_.key_set(*text);
        if (!set) {
            return config_error("invalid \"jwt_jwks\": " + set.error().message);
        }
        b.rules_.keys = std::move(*set);
        if (b.rules_.keys->weak()) {
            b.warning_ = "a key of \"jwt_jwks\" is a secret of less than 32 "
                         "bytes: who has a token can guess it";
        }
        return {};
    }

    static Result<void> issuer(ConsumerBuilder& b, const Words& w)
    {
        if (!is_text(w[1])) {
            return invalid_value(w[1], w[0]);
        }
        b.rules_.issuer = w[1];
        return {};
    }

    static Result<void> audience(ConsumerBuilder& b, const Words& w)
    {
        for (size_t i = 1; i < w.size(); ++i) {
            if (!is_text(w[i])) {
                return invalid_value(w[i], w[0]);
            }
            b.rules_.audiences.emplace_back(w[i]);
        }
        return {};
    }

    static Result<void> claim(ConsumerBuilder& b, const Words& w)
    {
        for (size_t i = 1; i < w.size(); ++i) {
            if (!is_text(w[i])) {
                return invalid_value(w[i], w[0]);
            }
        }
        if (b.rules_.claims.size() + w.size() > kMaxClaims) {
            return config_error("too many \"jwt_claim\"");
        }
        for (size_t i = 2; i < w.size(); ++i) {
            b.rules_.claims.emplace_back(w[1], w[i]);
        }
        return {};
    }

    static Result<void> skew(ConsumerBuilder& b, const Words& w)
    {
        const auto time = parse_duration_ms(w[1]);
        if (!time || *time > kMaxSkew || *time % 1000 != 0) {
            return invalid_value(
                w[1], w[0], "whole seconds up to a day are expected");
        }
        b.rules_.skew_seconds = static_cast<int64_t>(*time / 1000);
        return {};
    }

    static Result<void> header(ConsumerBuilder& b, const Words& w)
    {
        if (!is_text(w[1])) {
            return invalid_value(w[1], w[0]);
        }
        if (!may_tell(w[2])) {
            return invalid_value(w[2], w[0],
                "a name of a header field is expected that nothing else uses");
        }
        bool override_client = true;
        if (w.size() == 4) {
            if (w[3] != "override=on" && w[3] != "override=off") {
                return config_error("unknown parameter \"" + std::string(w[3])
                    + "\" in \"jwt_header\" (override=on or override=off)");
            }
            override_client = w[3] == "override=on";
        }
        if (b.rules_.headers.size() == kMaxClaims) {
            return config_error("too many \"jwt_header\"");
        }
        b.rules_.headers.push_back(
            {std::string(w[1]), std::string(w[2]), override_client});
        return {};
    }
};

namespace {

constexpr size_t kAny = kAnyNumber;

// clang-format off
constexpr ConsumerBuilder::Row kConsumerFields[] = {
    {"key", 1, 1, true, ConsumerFields::key},
    {"models", 1, kAny, true, ConsumerFields::models},
    {"jwt_jwks", 1, 1, false, ConsumerFields::jwks},
    {"jwt_issuer", 1, 1, false, ConsumerFields::issuer},
    {"jwt_audience", 1, kAny, false, ConsumerFields::audience},
    {"jwt_claim", 2, kAny, true, ConsumerFields::claim},
    {"jwt_clock_skew", 1, 1, false, ConsumerFields::skew},
    {"jwt_header", 2, 3, true, ConsumerFields::header},
};
// clang-format on

} // namespace

ConsumerBuilder::ConsumerBuilder(
    std::string_view name, SecretSource secrets, Consumers& consumers)
    : secrets_(std::move(secrets)), consumers_(consumers),
      consumer_(consumers.named(name))
{
}

Result<void> ConsumerBuilder::line(const Words& words)
{
    const auto row =
        std::find_if(std::begin(kConsumerFields), std::end(kConsumerFields),
            [&words](const Row& r) { return r.name == words[0]; });
    const std::string name(words[0]);
    if (row == std::end(kConsumerFields)) {
        return config_error("unknown field \"" + name + "\"");
    }
    if (words.size() - 1 < row->least || words.size() - 1 > row->most) {
        return config_error("invalid number of arguments in \"" + name + "\"");
    }
    const bool known =
        std::find(seen_.begin(), seen_.end(), row->name) != seen_.end();
    if (known && !row->repeats) {
        return config_error("\"" + name + "\" is duplicate");
    }
    seen_.push_back(row->name);
    return row->set(*this, words);
}

Result<void> ConsumerBuilder::finish()
{
    if (rules_.keys == nullptr) {
        for (const std::string_view name : seen_) {
            if (name.starts_with("jwt_")) {
                return config_error(
                    "\"" + std::string(name) + "\" needs \"jwt_jwks\"");
            }
        }
        return {};
    }
    rules_.consumer = &consumer_;
    consumers_.tokens.push_back(std::move(rules_));
    return {};
}

} // namespace ai_proxy::config
