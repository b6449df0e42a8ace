#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// Whose reasoning is it?  A vendor refuses signatures and opaque blocks that it
// has not made itself.
namespace ai_proxy::chat {

// compatible: a vendor that speaks like OpenAI, whosever models it serves.
enum class Signer : uint8_t { anthropic, google, amazon, compatible };

// Stands before what a vendor made, where another one's would be expected.
// Base64 of "proxy:" in whole groups, as all marks are, so that what is decoded
// and encoded again keeps it.
inline constexpr std::string_view kForeignMark = "cHJveHk6";
// "proxy:google", and the same for the signature of a call, where only thoughts
// can be signed.
inline constexpr std::string_view kGoogleMark = "cHJveHk6Z29vZ2xl";
inline constexpr std::string_view kGoogleCallMark = "cHJveHk6Z29vZ2xlZm46";
// "proxy:amazon"
inline constexpr std::string_view kAmazonMark = "cHJveHk6YW1hem9u";
// "proxy:vendor"
inline constexpr std::string_view kCompatibleMark = "cHJveHk6dmVuZG9y";

// Of a signature or an opaque block in the canonical exchange.  Its blocks have
// Anthropic's form, so that what Anthropic made has no mark.
[[nodiscard]] constexpr std::string_view mark_of(Signer signer) noexcept
{
    switch (signer) {
    case Signer::google:
        return kGoogleMark;
    case Signer::amazon:
        return kAmazonMark;
    case Signer::compatible:
        return kCompatibleMark;
    case Signer::anthropic:
        break;
    }
    return {};
}

// nullopt: nobody known.
[[nodiscard]] constexpr std::optional<Signer> signer_of(
    std::string_view opaque) noexcept
{
    for (const Signer one :
        {Signer::google, Signer::amazon, Signer::compatible}) {
        if (opaque.starts_with(mark_of(one))) {
            return one;
        }
    }
    return opaque.starts_with(kForeignMark) ? std::nullopt
                                            : std::optional(Signer::anthropic);
}

// As its vendor made it.
[[nodiscard]] constexpr std::string_view unmarked(
    std::string_view opaque) noexcept
{
    for (const std::string_view mark :
        {kGoogleCallMark, kGoogleMark, kAmazonMark, kCompatibleMark})
    {
        if (opaque.starts_with(mark)) {
            return opaque.substr(mark.size());
        }
    }
    return opaque;
}

} // namespace ai_proxy::chat
