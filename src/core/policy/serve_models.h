#pragma once

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/dialect/model_list.h"
#include "core/policy/serve.h"

#include <cstdint>
#include <vector>

namespace ai_proxy::policy {

// The lists that providers gave, as a worker keeps them.
struct ModelLists {
    struct List {
        std::vector<dialect::Model> models;
        int64_t expires = 0; // UNIX seconds
        int64_t asked = 0;   // when somebody last went to ask, 0: nobody is
    };
    std::vector<List> lists; // by provider

    [[nodiscard]] List& of(uint16_t provider);
};

// Answers a list of models, or one of them: those of the configuration and,
// where the location wants it, those of its providers.  A provider that fails
// is left out.
[[nodiscard]] async::Task<Outcome> serve_models(
    async::Scope& scope, Exchange& exchange, ModelLists& lists);

} // namespace ai_proxy::policy
