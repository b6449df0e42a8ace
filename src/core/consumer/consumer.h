#pragma once

#include "core/base/secret.h"
#include "core/consumer/siphash.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Who calls: names of the configuration, and the keys that prove them.
namespace ai_proxy::consumer {

struct Consumer {
    std::string name;
    std::vector<std::string> models; // globs, none: all models
    size_t index = 0;                // among the consumers of the gateway

    [[nodiscard]] bool restricted() const noexcept { return !models.empty(); }
    // May it use the model, by the name that it gave?
    [[nodiscard]] bool may_use(std::string_view model) const noexcept;
};

// Keys and whose they are.  Finding one takes the same time whether its
// beginning is right or not.
class KeyRing {
public:
    explicit KeyRing(const SipKey& seed) noexcept : seed_(seed) {}

    // Whose key it is already; nullptr: it was added.
    [[nodiscard]] const Consumer* add(Secret key, const Consumer& consumer);
    [[nodiscard]] const Consumer* find(std::string_view key) const noexcept;
    [[nodiscard]] size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        uint64_t hash;
        Secret key;
        const Consumer* consumer;
    };
    SipKey seed_;
    std::vector<Entry> entries_; // by hash
};

} // namespace ai_proxy::consumer
