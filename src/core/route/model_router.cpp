#include "core/route/model_router.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ai_proxy::route {

namespace {

// Bounds of what a question can make a regex cost.
constexpr size_t kMostQuestion = 256 * 1024;
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kDepthLimit = 1'000;
constexpr uint32_t kHeapLimitKb = 1'024;

PCRE2_SPTR bytes(std::string_view text) noexcept
{
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

} // namespace

struct ModelRouter::Pattern {
    explicit Pattern(pcre2_code* compiled)
        : code(compiled),
          match(pcre2_match_data_create_from_pattern(code, nullptr)),
          context(pcre2_match_context_create(nullptr))
    {
        if (context != nullptr) {
            pcre2_set_match_limit(context, kMatchLimit);
            pcre2_set_depth_limit(context, kDepthLimit);
            pcre2_set_heap_limit(context, kHeapLimitKb);
        }
    }
    ~Pattern()
    {
        pcre2_match_context_free(context);
        pcre2_match_data_free(match);
        pcre2_code_free(code);
    }
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;

    pcre2_code* code;
    pcre2_match_data* match;
    pcre2_match_context* context;
};

Result<void> ModelRouter::add_rule(
    const std::string& pattern, std::string model)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code = pcre2_compile(bytes(pattern), pattern.size(),
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &offset, nullptr);
    if (code == nullptr) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(error, words, sizeof(words));
        return make_error(ErrorCode::invalid_request,
            "invalid regex \"" + pattern
                + "\": " + reinterpret_cast<const char*>(words) + " at offset "
                + std::to_string(offset));
    }
    auto compiled = std::make_shared<const Pattern>(code);
    if (compiled->match == nullptr || compiled->context == nullptr) {
        return make_error(ErrorCode::internal, "no memory for a regex");
    }
    rules_.push_back({std::move(compiled), std::move(model)});
    return {};
}

std::string ModelRouter::choose(std::string_view question) const
{
    question = question.substr(0, kMostQuestion);
    for (const Rule& rule : rules_) {
        const Pattern& p = *rule.pattern;
        const int found = question.empty()
            ? PCRE2_ERROR_NOMATCH
            : pcre2_match(p.code, bytes(question), question.size(), 0, 0,
                p.match, p.context);
        if (found >= 0) {
            return rule.model;
        }
    }
    return auto_default;
}

ModelRouter::Routed ModelRouter::route(
    std::string_view model, std::string_view question) const
{
    Routed routed;
    if (asks(model)) {
        routed.model = choose(question);
        if (!routed.model.empty()) {
            routed.headers.emplace_back(auto_header, routed.model);
        }
        return routed;
    }
    if (!model_header.empty()) {
        routed.headers.emplace_back(model_header, model);
    }
    const size_t slash = model.find('/');
    if (!provider_header.empty() && slash != std::string_view::npos) {
        routed.headers.emplace_back(provider_header, model.substr(0, slash));
        routed.model = model.substr(slash + 1);
    }
    return routed;
}

std::vector<std::string_view> ModelRouter::names() const
{
    std::vector<std::string_view> all{auto_default};
    for (const Rule& rule : rules_) {
        all.push_back(rule.model);
    }
    return all;
}

} // namespace ai_proxy::route
