#include "core/base/regex.h"

#include "core/base/text.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ai_proxy {

namespace {

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

} // namespace

struct Regex::Compiled {
    std::unique_ptr<pcre2_code, FreeCode> code;
    std::unique_ptr<pcre2_match_data, FreeMatch> match;
    std::unique_ptr<pcre2_match_context, FreeContext> context;
    bool utf = false;
};

Regex::Regex() : compiled_(std::make_unique<Compiled>())
{
}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Result<Regex> Regex::compile(
    std::string_view pattern, std::string_view target, const Limits& limits)
{
    Regex regex;
    Compiled& c = *regex.compiled_;
    c.utf = limits.utf;
    int error = 0;
    PCRE2_SIZE offset = 0;
    c.code.reset(pcre2_compile(bytes(pattern), pattern.size(),
        limits.utf ? PCRE2_UTF : PCRE2_NEVER_UTF, &error, &offset, nullptr));
    if (!c.code) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(error, words, sizeof(words));
        return fault("invalid regex " + quoted(pattern) + ": "
            + reinterpret_cast<const char*>(words) + " at offset "
            + std::to_string(offset));
    }
    // Without JIT the interpreter does the same, slower.
    pcre2_jit_compile(c.code.get(), PCRE2_JIT_COMPLETE);
    c.match.reset(pcre2_match_data_create_from_pattern(c.code.get(), nullptr));
    c.context.reset(pcre2_match_context_create(nullptr));
    if (!c.match || !c.context)
        return fault("no memory for regex " + quoted(pattern));
    pcre2_set_match_limit(c.context.get(), limits.match);
    pcre2_set_depth_limit(c.context.get(), limits.depth);
    pcre2_set_heap_limit(c.context.get(), limits.heap_kb);
    if (auto done = regex.read_target(target); !done)
        return done.error();
    return regex;
}

Result<Regex> Regex::compile(std::string_view pattern, const Limits& limits)
{
    return compile(pattern, {}, limits);
}

bool Regex::finds(std::string_view text) const noexcept
{
    return pcre2_match(compiled_->code.get(), bytes(text), text.size(), 0, 0,
               compiled_->match.get(), compiled_->context.get())
        > 0;
}

Result<int> Regex::group(std::string_view name, std::string_view target) const
{
    std::string text(name);
    int number = -1;
    if (!name.empty() && is_digit(name[0])) {
        auto n = parse_uint(name);
        uint32_t count = 0;
        pcre2_pattern_info(
            compiled_->code.get(), PCRE2_INFO_CAPTURECOUNT, &count);
        if (n && *n <= count)
            number = static_cast<int>(*n);
    } else {
        number = pcre2_substring_number_from_name(
            compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.c_str()));
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

void Regex::append(std::string& out, std::string_view text,
    const size_t* offsets, int groups) const
{
    for (const Piece& piece : pieces_) {
        if (piece.group < 0) {
            out += piece.text;
            continue;
        }
        auto i = static_cast<size_t>(piece.group) * 2;
        if (piece.group < groups && offsets[i] != PCRE2_UNSET
            && offsets[i] <= offsets[i + 1]) // "\K" in a lookahead
            out += text.substr(offsets[i], offsets[i + 1] - offsets[i]);
    }
}

Regex::Outcome Regex::replace(std::string_view text, std::string& out) const
{
    out.clear();
    size_t at = 0, copied = 0;
    bool any = false;
    // An empty match right behind a match does not count, as in RE2.
    uint32_t options = 0, checked = 0;
    while (at <= text.size()) {
        int rc = pcre2_match(compiled_->code.get(), bytes(text), text.size(),
            at, options | checked, compiled_->match.get(),
            compiled_->context.get());
        checked = PCRE2_NO_UTF_CHECK;
        if (rc == PCRE2_ERROR_NOMATCH) {
            if (options == 0)
                break;
            options = 0;
            ++at;
            while (compiled_->utf && at < text.size()
                && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U)
                ++at;
            continue;
        }
        const PCRE2_SIZE* offsets =
            pcre2_get_ovector_pointer(compiled_->match.get());
        if (rc <= 0 || offsets[0] < copied || offsets[1] < offsets[0])
            return Outcome::limit;
        any = true;
        out += text.substr(copied, offsets[0] - copied);
        append(out, text, offsets, rc);
        at = copied = offsets[1];
        options = PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED;
    }
    if (!any)
        return Outcome::none;
    out.append(text.substr(std::min(copied, text.size())));
    return Outcome::replaced;
}

} // namespace ai_proxy
