#include "core/consumer/consumer.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::consumer {

bool Consumer::may_use(std::string_view model) const noexcept
{
    return models.empty()
        || std::any_of(
            models.begin(), models.end(), [model](const std::string& glob) {
                return glob_match(glob, model);
            });
}

const Consumer* KeyRing::add(Secret key, const Consumer& consumer)
{
    if (const Consumer* known = find(key.reveal()); known != nullptr) {
        return known;
    }
    const uint64_t hash = siphash(seed_, key.reveal());
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), hash,
        [](const Entry& e, uint64_t h) { return e.hash < h; });
    entries_.insert(place, Entry{hash, std::move(key), &consumer});
    return nullptr;
}

const Consumer* KeyRing::find(std::string_view key) const noexcept
{
    const uint64_t hash = siphash(seed_, key);
    auto entry = std::lower_bound(entries_.begin(), entries_.end(), hash,
        [](const Entry& e, uint64_t h) { return e.hash < h; });
    for (; entry != entries_.end() && entry->hash == hash; ++entry) {
        if (entry->key.equals(key)) {
            return entry->consumer;
        }
    }
    return nullptr;
}

} // namespace ai_proxy::consumer
