#include "core/route/model_map.h"

#include "core/base/text.h"

#include <algorithm>
#include <map>
#include <optional>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ai_proxy::route {

namespace {

// Bounds of what a client's model name can make a regex cost.
constexpr size_t kMaxSubject = 1024;
constexpr uint32_t kMatchLimit = 20'000;
constexpr uint32_t kDepthLimit = 1'000;
constexpr uint32_t kHeapLimitKb = 1'024;
constexpr size_t kMaxRules = 10'000;

struct FreeCode {
    void operator()(pcre2_code* p) const noexcept { pcre2_code_free(p); }
};
struct FreeMatch {
    void operator()(pcre2_match_data* p) const noexcept
    {
        pcre2_match_data_free(p);
    }
};
struct FreeContext {
    void operator()(pcre2_match_context* p) const noexcept
    {
        pcre2_match_context_free(p);
    }
};
using Code = std::unique_ptr<pcre2_code, FreeCode>;
using Match = std::unique_ptr<pcre2_match_data, FreeMatch>;
using Context = std::unique_ptr<pcre2_match_context, FreeContext>;

// A piece of a target: literal text, or a group when group >= 0.
struct Piece {
    std::string text;
    int group = -1;
};

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

std::string quoted(std::string_view text)
{
    return std::string("\"").append(text).append("\"");
}

bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

PCRE2_SPTR bytes(std::string_view text) noexcept
{
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

class Regex {
public:
    static Result<Regex> compile(
        std::string_view pattern, std::string_view target);
    // The name with all matches replaced; nullopt without a match, also when
    // a limit was reached.
    [[nodiscard]] std::optional<std::string> replace(
        std::string_view name) const;

private:
    [[nodiscard]] Result<void> read_target(std::string_view target);
    [[nodiscard]] Result<int> group(
        std::string_view name, std::string_view target) const;
    void append(std::string& out, std::string_view name,
        const PCRE2_SIZE* offsets, int groups) const;

    Code code_;
    Match match_;
    Context context_;
    std::vector<Piece> pieces_;
};

Result<Regex> Regex::compile(std::string_view pattern, std::string_view target)
{
    Regex regex;
    int error = 0;
    PCRE2_SIZE offset = 0;
    regex.code_.reset(pcre2_compile(bytes(pattern), pattern.size(),
        PCRE2_NEVER_UTF, &error, &offset, nullptr));
    if (!regex.code_) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(error, words, sizeof(words));
        return fault("invalid regex " + quoted(pattern) + ": "
            + reinterpret_cast<const char*>(words) + " at offset "
            + std::to_string(offset));
    }
    // Without JIT the interpreter does the same, slower.
    pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE);
    regex.match_.reset(
        pcre2_match_data_create_from_pattern(regex.code_.get(), nullptr));
    regex.context_.reset(pcre2_match_context_create(nullptr));
    if (!regex.match_ || !regex.context_)
        return fault("no memory for regex " + quoted(pattern));
    pcre2_set_match_limit(regex.context_.get(), kMatchLimit);
    pcre2_set_depth_limit(regex.context_.get(), kDepthLimit);
    pcre2_set_heap_limit(regex.context_.get(), kHeapLimitKb);
    if (auto done = regex.read_target(target); !done)
        return done.error();
    return regex;
}

Result<int> Regex::group(std::string_view name, std::string_view target) const
{
    std::string text(name);
    int number = -1;
    if (!name.empty() && is_digit(name[0])) {
        auto n = parse_uint(name);
        uint32_t count = 0;
        pcre2_pattern_info(code_.get(), PCRE2_INFO_CAPTURECOUNT, &count);
        if (n && *n <= count)
            number = static_cast<int>(*n);
    } else {
        number = pcre2_substring_number_from_name(
            code_.get(), reinterpret_cast<PCRE2_SPTR>(text.c_str()));
    }
    if (number < 0)
        return fault("no group \"" + text + "\" for target " + quoted(target));
    return number;
}

// "$1", "${1}", "${name}", "$$".
Result<void> Regex::read_target(std::string_view target)
{
    std::string_view rest = target;
    while (!rest.empty()) {
        size_t dollar = std::min(rest.find('$'), rest.size());
        if (dollar > 0)
            pieces_.push_back({std::string(rest.substr(0, dollar)), -1});
        rest.remove_prefix(dollar);
        if (rest.empty())
            break;
        rest.remove_prefix(1);
        if (rest.starts_with('$')) {
            pieces_.push_back({"$", -1});
            rest.remove_prefix(1);
            continue;
        }
        std::string_view name;
        size_t used = 0;
        if (rest.starts_with('{')) {
            used = rest.find('}');
            if (used == std::string_view::npos)
                return fault("unclosed \"${\" in target " + quoted(target));
            name = rest.substr(1, used - 1);
            ++used;
        } else {
            while (used < rest.size() && is_digit(rest[used]))
                ++used;
            name = rest.substr(0, used);
        }
        if (name.empty())
            return fault("\"$\" without a group in target " + quoted(target)
                + " (\"$$\" is a dollar sign)");
        auto number = group(name, target);
        if (!number)
            return number.error();
        pieces_.push_back({{}, *number});
        rest.remove_prefix(used);
    }
    return {};
}

void Regex::append(std::string& out, std::string_view name,
    const PCRE2_SIZE* offsets, int groups) const
{
    for (const Piece& piece : pieces_) {
        if (piece.group < 0) {
            out += piece.text;
            continue;
        }
        auto i = static_cast<size_t>(piece.group) * 2;
        if (piece.group < groups && offsets[i] != PCRE2_UNSET
            && offsets[i] <= offsets[i + 1]) // "\K" in a lookahead
            out += name.substr(offsets[i], offsets[i + 1] - offsets[i]);
    }
}

std::optional<std::string> Regex::replace(std::string_view name) const
{
    std::string out;
    size_t at = 0, copied = 0;
    bool any = false;
    // An empty match right behind a match does not count, as in RE2.
    uint32_t options = 0;
    while (at <= name.size()) {
        int rc = pcre2_match(code_.get(), bytes(name), name.size(), at, options,
            match_.get(), context_.get());
        if (rc == PCRE2_ERROR_NOMATCH) {
            if (options == 0)
                break;
            options = 0;
            ++at;
            continue;
        }
        const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(match_.get());
        if (rc <= 0 || offsets[0] < copied || offsets[1] < offsets[0])
            return std::nullopt;
        any = true;
        out += name.substr(copied, offsets[0] - copied);
        append(out, name, offsets, rc);
        at = copied = offsets[1];
        options = PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED;
    }
    if (!any)
        return std::nullopt;
    return out.append(name.substr(std::min(copied, name.size())));
}

} // namespace

struct ModelMap::Rules {
    struct Prefix {
        std::string prefix, target;
    };
    struct Pattern {
        std::string key, target;
        Regex regex;
    };
    std::map<std::string, std::string, std::less<>> exact;
    std::vector<Prefix> prefixes; // longest first
    std::vector<Pattern> patterns;
    std::optional<std::string> otherwise;

    [[nodiscard]] size_t size() const noexcept
    {
        return exact.size() + prefixes.size() + patterns.size();
    }
};

ModelMap::ModelMap() : rules_(std::make_unique<Rules>())
{
}
ModelMap::~ModelMap() = default;
ModelMap::ModelMap(ModelMap&&) noexcept = default;
ModelMap& ModelMap::operator=(ModelMap&&) noexcept = default;

namespace {

Error duplicate(std::string_view from)
{
    return fault("model " + quoted(from) + " is duplicate");
}

std::string or_name(std::string_view target, std::string_view model)
{
    return std::string(target.empty() ? model : target);
}

} // namespace

Result<void> ModelMap::add(std::string_view from, std::string_view to)
{
    Rules& rules = *rules_;
    if (from.empty() || from == "~")
        return fault("empty model name in the model map");
    if (rules.size() >= kMaxRules)
        return fault("too many entries in the model map");
    if (from == "*") {
        if (rules.otherwise)
            return duplicate(from);
        rules.otherwise = to;
        return {};
    }
    if (from[0] == '~') {
        for (const Rules::Pattern& known : rules.patterns)
            if (known.key == from)
                return duplicate(from);
        auto regex = Regex::compile(from.substr(1), to);
        if (!regex)
            return regex.error();
        rules.patterns.push_back(
            {std::string(from), std::string(to), std::move(*regex)});
        return {};
    }
    size_t star = from.find('*');
    if (star == std::string_view::npos) {
        bool added = rules.exact.emplace(from, to).second;
        return added ? Result<void>() : Result<void>(duplicate(from));
    }
    if (star + 1 != from.size())
        return fault("\"*\" inside " + quoted(from)
            + " (only the last character can be one)");
    std::string_view prefix = from.substr(0, star);
    auto place = rules.prefixes.begin();
    for (; place != rules.prefixes.end(); ++place) {
        if (place->prefix == prefix)
            return duplicate(from);
        if (place->prefix.size() < prefix.size())
            break;
    }
    rules.prefixes.insert(place, {std::string(prefix), std::string(to)});
    return {};
}

bool ModelMap::empty() const noexcept
{
    return rules_->size() == 0 && !rules_->otherwise;
}

std::string ModelMap::map(std::string_view model) const
{
    const Rules& rules = *rules_;
    if (auto hit = rules.exact.find(model); hit != rules.exact.end())
        return or_name(hit->second, model);
    for (const Rules::Prefix& rule : rules.prefixes)
        if (model.starts_with(rule.prefix))
            return or_name(rule.target, model);
    if (model.size() <= kMaxSubject)
        for (const Rules::Pattern& rule : rules.patterns)
            if (auto text = rule.regex.replace(model))
                return rule.target.empty() ? std::string(model)
                                           : or_name(*text, model);
    return or_name(rules.otherwise ? *rules.otherwise : "", model);
}

std::vector<std::string_view> ModelMap::exact_names() const
{
    std::vector<std::string_view> all;
    for (const auto& rule : rules_->exact)
        all.push_back(rule.first);
    return all;
}

std::vector<std::string_view> ModelMap::names() const
{
    std::vector<std::string_view> all;
    for (const auto& [from, to] : rules_->exact) {
        all.push_back(from);
        all.push_back(to);
    }
    for (const Rules::Prefix& rule : rules_->prefixes)
        all.push_back(rule.target);
    if (rules_->otherwise)
        all.push_back(*rules_->otherwise);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (!all.empty() && all.front().empty())
        all.erase(all.begin());
    return all;
}

} // namespace ai_proxy::route
