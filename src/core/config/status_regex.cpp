#include "core/config/status_regex.h"

#include <memory>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ai_proxy::config {

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

PCRE2_SPTR bytes(const std::string& text) noexcept
{
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

Error fault(std::string text)
{
    return make_error(ErrorCode::invalid_request, std::move(text));
}

} // namespace

Result<void> add_statuses(route::Statuses& to, const std::string& pattern)
{
    constexpr uint32_t kMatchLimit = 20'000;
    int error = 0;
    PCRE2_SIZE offset = 0;
    const std::unique_ptr<pcre2_code, FreeCode> code(
        pcre2_compile(bytes(pattern), pattern.size(), PCRE2_NEVER_UTF, &error,
            &offset, nullptr));
    if (!code) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(error, words, sizeof(words));
        return fault("invalid regex \"" + pattern
            + "\": " + reinterpret_cast<const char*>(words));
    }
    const std::unique_ptr<pcre2_match_data, FreeMatch> match(
        pcre2_match_data_create_from_pattern(code.get(), nullptr));
    const std::unique_ptr<pcre2_match_context, FreeContext> context(
        pcre2_match_context_create(nullptr));
    if (!match || !context) {
        return fault("no memory for regex \"" + pattern + "\"");
    }
    pcre2_set_match_limit(context.get(), kMatchLimit);
    for (int status = 400; status < 600; ++status) {
        const std::string text = std::to_string(status);
        if (pcre2_match(code.get(), bytes(text), text.size(), 0, 0, match.get(),
                context.get())
            > 0)
        {
            to.add(status);
        }
    }
    return {};
}

} // namespace ai_proxy::config
