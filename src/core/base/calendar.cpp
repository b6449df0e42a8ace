#include "core/base/calendar.h"

#include <algorithm>
#include <string_view>

namespace ai_proxy {
namespace {

// From 0000-03-01, where years of this reckoning begin: the leap day is the
// last day of a year.
constexpr int64_t kEpoch = 719468;
constexpr int64_t kEra = 146097; // days of 400 years

struct Date {
    int64_t year, month, day;
};

Date date_of(int64_t days) noexcept
{
    days += kEpoch;
    const int64_t era = (days >= 0 ? days : days - (kEra - 1)) / kEra;
    const int64_t of_era = days - era * kEra;
    const int64_t year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153;
    Date date{};
    date.day = of_year - (153 * month + 2) / 5 + 1;
    date.month = month < 10 ? month + 3 : month - 9;
    date.year = year + era * 400 + (date.month <= 2 ? 1 : 0);
    return date;
}

void append_padded(std::string& out, int64_t number, size_t digits)
{
    const std::string text = std::to_string(number);
    out.append(digits - std::min(digits, text.size()), '0').append(text);
}

} // namespace

int64_t days_of_date(int64_t year, int64_t month, int64_t day) noexcept
{
    year -= month <= 2 ? 1 : 0;
    const int64_t era = year / 400;
    const int64_t of_era = year - era * 400;
    const int64_t of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t of_era_days =
        of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * kEra + of_era_days - kEpoch;
}

std::string time_text(int64_t seconds, bool basic)
{
    constexpr int64_t kLatest = 253402300799; // the end of year 9999
    seconds = std::clamp<int64_t>(seconds, 0, kLatest);
    const Date date = date_of(seconds / 86400);
    const int64_t time = seconds % 86400;
    const std::string_view dash = basic ? "" : "-", colon = basic ? "" : ":";
    std::string out;
    append_padded(out, date.year, 4);
    append_padded(out.append(dash), date.month, 2);
    append_padded(out.append(dash), date.day, 2);
    append_padded(out.append("T"), time / 3600, 2);
    append_padded(out.append(colon), time / 60 % 60, 2);
    append_padded(out.append(colon), time % 60, 2);
    return out.append("Z");
}

} // namespace ai_proxy
