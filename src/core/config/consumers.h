#pragma once

#include "core/base/result.h"
#include "core/config/words.h"
#include "core/consumer/policy.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ai_proxy::config {

// What proves who it is, to those who look there.
struct Credentials {
    explicit Credentials(const consumer::SipKey& seed) : keys(seed) {}
    consumer::KeyRing keys;
    std::vector<consumer::TokenRules> tokens;
};

// All consumers of the configuration, whoever brings their credentials.
struct Consumers {
    explicit Consumers(const consumer::SipKey& key = {}) : seed(key), keys(key)
    {
    }

    consumer::SipKey seed; // of the key rings
    std::vector<std::unique_ptr<consumer::Consumer>> all;
    // Of ai_proxy_consumer blocks.
    consumer::KeyRing keys;
    std::vector<consumer::TokenRules> tokens;
    // Of plugins.
    std::vector<std::unique_ptr<Credentials>> others;
    // Of locations.
    std::vector<std::unique_ptr<consumer::Policy>> policies;

    [[nodiscard]] consumer::Consumer* find(std::string_view name) noexcept;
    // Made if there is none.
    [[nodiscard]] consumer::Consumer& named(std::string_view name);
    // Parsed once for all who have the same text.
    [[nodiscard]] Result<std::shared_ptr<const consumer::JwkSet>> key_set(
        const std::string& text);

private:
    std::vector<std::pair<std::string, std::shared_ptr<const consumer::JwkSet>>>
        key_sets_;
};

// A key as clients can send it: printable, no blanks.  "": it is one, else why
// not.
[[nodiscard]] std::string_view key_fault(std::string_view key) noexcept;
[[nodiscard]] bool is_field_name(std::string_view name) noexcept;
// May a claim be told in a header field of this name?  Not in those that nginx
// or a provider reads.
[[nodiscard]] bool may_tell(std::string_view name) noexcept;

// Fills one ai_proxy_consumer block line by line.
class ConsumerBuilder {
public:
    ConsumerBuilder(
        std::string_view name, SecretSource secrets, Consumers& consumers);
    // A secret that is dangerously short, or nothing, after finish().
    [[nodiscard]] std::string_view warning() const noexcept { return warning_; }
    [[nodiscard]] Result<void> line(const Words& words);
    [[nodiscard]] Result<void> finish();

    struct Row {
        std::string_view name;
        size_t least, most; // number of arguments
        bool repeats;
        Result<void> (*set)(ConsumerBuilder& builder, const Words& words);
    };

private:
    friend struct ConsumerFields;
    SecretSource secrets_;
    Consumers& consumers_;
    consumer::Consumer& consumer_;
    consumer::TokenRules rules_;
    bool has_key_ = false;
    std::string_view warning_;
    std::vector<std::string_view> seen_;
};

// ai_proxy_auth.
struct AuthRule {
    bool key = false, jwt = false; // neither: off
    std::vector<consumer::Place> places;
    std::string realm;
};
// words without the directive's own name.
[[nodiscard]] Result<AuthRule> parse_auth(const Words& words);

} // namespace ai_proxy::config
