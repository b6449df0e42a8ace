#pragma once

#include "core/config/consumers.h"
#include "core/config/plugin.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The plugins key-auth and jwt-auth (features.md 22 and 23).
namespace ai_proxy::config {

// A consumer of a file.
struct AuthConsumer {
    std::string name;
    std::vector<Secret> credentials; // of key-auth
    consumer::TokenRules tokens;     // of jwt-auth, whose consumer is not set
};

// What a file says.
struct AuthPlugin {
    struct Rule {
        Matcher matcher;
        // Who may come; nullopt: the rule does not say, as if it were not there.
        std::optional<std::vector<std::string>> allow;
    };
    consumer::Voice voice = consumer::Voice::key_auth;
    std::vector<AuthConsumer> consumers;
    std::vector<consumer::Place> places; // of key-auth
    std::string realm = "MSE Gateway";
    std::optional<bool> global_auth;
    std::optional<std::vector<std::string>> allow; // of the global part
    std::vector<Rule> rules;
};

[[nodiscard]] Result<void> load_key_auth(LoadContext& context, Plugins& to);
[[nodiscard]] Result<void> load_jwt_auth(LoadContext& context, Plugins& to);

// The same with consumers of the gateway: which policy holds where.
struct AuthRules {
    std::shared_ptr<const AuthPlugin> plugin;
    const consumer::Policy* otherwise = nullptr;   // nullptr: anybody may come
    std::vector<const consumer::Policy*> policies; // by rule

    [[nodiscard]] const consumer::Policy* find(const Subject& subject) const;
    // Does the same hold for all of them, whatever the host is?
    [[nodiscard]] bool agree(const std::vector<Subject>& subjects) const;
};

// Errors: a credential that two consumers have.
[[nodiscard]] Result<std::unique_ptr<AuthRules>> compile_auth(
    std::shared_ptr<const AuthPlugin> plugin, Consumers& consumers);

} // namespace ai_proxy::config
