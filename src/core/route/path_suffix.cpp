#include "core/route/path_suffix.h"

#include <algorithm>

namespace ai_proxy::route {

PathSuffixes::PathSuffixes()
    : suffixes_{"/completions", "/embeddings", "/images/generations",
        "/audio/speech", "/fine_tuning/jobs", "/moderations",
        "/image-synthesis", "/video-synthesis", "/rerank", "/messages",
        "/responses"}
{
}

void PathSuffixes::replace(std::vector<std::string> suffixes, bool star)
{
    all_ = star
        && std::find(suffixes.begin(), suffixes.end(), "*") != suffixes.end();
    suffixes_ = std::move(suffixes);
}

bool PathSuffixes::cover(std::string_view path) const noexcept
{
    return all_
        || std::any_of(suffixes_.begin(), suffixes_.end(),
            [path](std::string_view end) { return path.ends_with(end); });
}

} // namespace ai_proxy::route
