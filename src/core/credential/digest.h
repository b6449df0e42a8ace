#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

// SHA-256 and what is built on it.  Throws std::bad_alloc where OpenSSL has no
// memory; nothing else can fail.
namespace ai_proxy::credential {

using Digest = std::array<unsigned char, 32>;

[[nodiscard]] Digest sha256(std::string_view text);
// Of the pieces as one text.
[[nodiscard]] Digest sha256(std::span<const std::string_view> pieces);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view text);
// A digest as the key of the next one.
[[nodiscard]] std::string_view bytes_of(const Digest& digest) noexcept;
[[nodiscard]] std::string hex(const Digest& digest);

// RFC 4648 section 4, with padding; section 5, without.
[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::string base64url(std::string_view bytes);

// "20150830T123600Z"; the first 8 characters are the day.
[[nodiscard]] std::string basic_time(int64_t now_seconds);

} // namespace ai_proxy::credential
