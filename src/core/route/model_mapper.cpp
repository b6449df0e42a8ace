#include "core/route/model_mapper.h"

namespace ai_proxy::route {

void ModelMapper::add(std::string_view from, std::string_view to)
{
    if (from == "*") {
        otherwise_ = to;
    } else if (from.ends_with('*')) {
        prefixes_.insert_or_assign(std::string(from), std::string(to));
    } else {
        exact_.insert_or_assign(std::string(from), std::string(to));
    }
}

std::string_view ModelMapper::map(std::string_view model) const noexcept
{
    const auto or_same = [model](std::string_view target) {
        return target.empty() ? model : target;
    };
    if (!model.empty()) {
        if (const auto hit = exact_.find(model); hit != exact_.end()) {
            return or_same(hit->second);
        }
        for (const auto& [from, to] : prefixes_) {
            const std::string_view prefix(from.data(), from.size() - 1);
            if (model.starts_with(prefix)) {
                return or_same(to);
            }
        }
    }
    return or_same(otherwise_ ? std::string_view(*otherwise_) : "");
}

std::vector<std::string_view> ModelMapper::names() const
{
    std::vector<std::string_view> all;
    for (const auto& [from, to] : exact_) {
        all.push_back(from);
        all.push_back(to);
    }
    for (const auto& [from, to] : prefixes_) {
        all.push_back(to);
    }
    if (otherwise_) {
        all.push_back(*otherwise_);
    }
    return all;
}

} // namespace ai_proxy::route
