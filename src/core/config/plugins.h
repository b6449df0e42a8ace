#pragma once

#include "core/config/rules.h"
#include "core/limit/key_rules.h"
#include "core/prompt/context_limit.h"
#include "core/prompt/rules.h"
#include "core/route/model_mapper.h"
#include "core/route/model_router.h"

#include <memory>

namespace ai_proxy::config {

struct AuthPlugin;

// ai-proxy: the provider that is active; "": none is.
struct AiProxy {
    std::string provider;
    std::string place; // file and line, for errors found later
};

// cluster-key-rate-limit and ai-token-ratelimit.
struct KeyLimit {
    limit::KeyRules rules;
    uint16_t redis = 0; // index in Gateway::redis
    uint16_t rejected_code = 429;
    std::string rejected_msg = "Too many requests";
    bool show_limit_quota_header = false; // of requests
};

// ai-quota.
struct Quota {
    std::string key_prefix = "chat_quota:";
    std::string admin_consumer;
    std::string admin_path = "/quota"; // behind the path of chats
    uint16_t redis = 0;                // index in Gateway::redis
};

// The plugins of a location, from files or not at all.
struct Plugins {
    std::shared_ptr<const Rules<AiProxy>> ai_proxy;
    std::shared_ptr<const Rules<route::ModelRouter>> model_router;
    std::shared_ptr<const Rules<route::ModelMapper>> model_mapper;
    std::shared_ptr<const AuthPlugin> key_auth, jwt_auth;
    std::shared_ptr<const Rules<prompt::Templates>> prompt_template;
    std::shared_ptr<const Rules<prompt::Decorations>> prompt_decorator;
    std::shared_ptr<const Rules<prompt::ContextLimit>> context_limit;
    std::shared_ptr<const Rules<Quota>> quota;
    std::shared_ptr<const Rules<KeyLimit>> token_limit, request_limit;

    // Literal names of models, for the bounded label set.
    [[nodiscard]] std::vector<std::string_view> models() const;
};

} // namespace ai_proxy::config
