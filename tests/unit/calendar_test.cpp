#include "core/base/calendar.h"

#include <gtest/gtest.h>

namespace {

using namespace ai_proxy;

TEST(Calendar, DaysOfDates)
{
    EXPECT_EQ(days_of_date(1970, 1, 1), 0);
    EXPECT_EQ(days_of_date(1969, 12, 31), -1);
    EXPECT_EQ(days_of_date(2000, 2, 29), 11016);
    EXPECT_EQ(days_of_date(2000, 3, 1), 11017);
    EXPECT_EQ(days_of_date(2100, 3, 1), 47541); // no leap year
}

TEST(Calendar, TimesAsText)
{
    EXPECT_EQ(time_text(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(time_text(951'827'696), "2000-02-29T12:34:56Z");
    EXPECT_EQ(time_text(1'700'000'000, true), "20231114T221320Z");
    EXPECT_EQ(time_text(-5), "1970-01-01T00:00:00Z");
    EXPECT_EQ(time_text(INT64_MAX), "9999-12-31T23:59:59Z");
}

} // namespace
