#include "core/route/model_map.h"

#include "input.h"

#include <string>

// Rules of a map, one a line ("from to"), and after an empty line the names
// that are mapped.

using namespace ai_proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const auto line = [&rest] {
        const size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view out = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        return out;
    };
    route::ModelMap map;
    size_t rules = 0;
    for (std::string_view one = line(); !one.empty(); one = line()) {
        const size_t blank = std::min(one.find(' '), one.size());
        const auto added = map.add(
            one.substr(0, blank), one.substr(std::min(blank + 1, one.size())));
        fuzz::require(
            added.ok() || !added.error().message.empty(), "a refusal says why");
        rules += added.ok() ? 1 : 0;
    }
    fuzz::require(map.empty() == (rules == 0), "it holds what it took");
    for (int i = 0; i < 8 && !rest.empty(); ++i) {
        const std::string name(line());
        const std::string mapped = map.map(name);
        fuzz::require(map.map(name) == mapped, "a map is a function");
        fuzz::require(rules != 0 || mapped == name, "no rule, no change");
    }
    (void)map.names();
    return 0;
}
