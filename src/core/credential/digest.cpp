#include "core/credential/digest.h"

#include "core/base/calendar.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <new>

namespace ai_proxy::credential {

namespace {

void require(int ok)
{
    if (ok != 1) {
        throw std::bad_alloc();
    }
}

} // namespace

Digest sha256(std::string_view text)
{
    return sha256(std::span(&text, 1));
}

Digest sha256(std::span<const std::string_view> pieces)
{
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
        EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    if (context == nullptr) {
        throw std::bad_alloc();
    }
    require(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
    for (const std::string_view piece : pieces) {
        require(EVP_DigestUpdate(context.get(), piece.data(), piece.size()));
    }
    Digest digest{};
    require(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
    return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view text)
{
    Digest digest{};
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const unsigned char* made =
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes,
            text.size(), digest.data(), nullptr);
    require(made != nullptr ? 1 : 0);
    return digest;
}

std::string_view bytes_of(const Digest& digest) noexcept
{
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string hex(const Digest& digest)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(2 * digest.size());
    for (const unsigned char byte : digest) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

namespace {

// digits: the 63rd and the 64th.
std::string encode64(std::string_view bytes, std::string_view digits)
{
    std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "abcdefghijklmnopqrstuvwxyz"
                           "0123456789";
    alphabet += digits;
    std::string out;
    out.reserve((bytes.size() * 4 + 2) / 3);
    uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        held += 8;
        while (held >= 6) {
            held -= 6;
            out += alphabet[(bits >> held) & 63];
        }
    }
    if (held != 0) {
        out += alphabet[(bits << (6 - held)) & 63];
    }
    return out;
}

} // namespace

std::string base64(std::string_view bytes)
{
    std::string out = encode64(bytes, "+/");
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::string base64url(std::string_view bytes)
{
    return encode64(bytes, "-_");
}

std::string basic_time(int64_t now_seconds)
{
    return time_text(now_seconds, true);
}

} // namespace ai_proxy::credential
