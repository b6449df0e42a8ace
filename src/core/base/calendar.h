#pragma once

#include <cstdint>
#include <string>

// The Gregorian calendar, in UTC and in seconds since 1970.
namespace ai_proxy {

// Days since 1970-01-01; month from 1.
[[nodiscard]] int64_t days_of_date(
    int64_t year, int64_t month, int64_t day) noexcept;

// "2025-01-31T12:00:00Z" (RFC 3339), or "20250131T120000Z" (basic).  Times
// outside of the years 1970 to 9999 are taken for the nearest.
[[nodiscard]] std::string time_text(int64_t seconds, bool basic = false);

} // namespace ai_proxy
