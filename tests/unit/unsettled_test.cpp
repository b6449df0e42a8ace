#include "core/limit/unsettled.h"

#include "fake_io.h"

#include <algorithm>

namespace ai_proxy::limit {
namespace {

class UnsettledTest : public ::testing::Test {
protected:
    UnsettledTest()
    {
        here.redis = 0;
        there.redis = 3;
    }

    const TokenScripts scripts;
    Rule here, there;
    ai_proxy::testing::FakeUnsettled debts;
};

// Budgets of other keys, and of other servers, are others.
TEST_F(UnsettledTest, EachBudgetIsSettledForItself)
{
    debts.add(scripts, here, "a", 5, 1);
    debts.add(scripts, here, "b", 6, 1);
    debts.add(scripts, there, "a", 7, 1);
    EXPECT_EQ(debts.noted, (std::vector<size_t>{1, 2, 3}));

    const Corrections claimed = debts.claim(here, "a");
    ASSERT_EQ(claimed.size(), 1u);
    EXPECT_EQ(claimed[0].difference, 5);
    EXPECT_TRUE(debts.claim(here, "a").empty());

    auto left = debts.told();
    ASSERT_EQ(left.size(), 2u);
    std::sort(left.begin(), left.end());
    EXPECT_TRUE(left[0].starts_with("0: ") && left[0].ends_with(" 6 0"))
        << left[0];
    EXPECT_TRUE(left[1].starts_with("3: ") && left[1].ends_with(" 7 0"))
        << left[1];
    EXPECT_TRUE(debts.told().empty());
}

TEST_F(UnsettledTest, WhatThereIsNoRoomForIsKept)
{
    for (int i = 0; i < 100; ++i) {
        debts.add(scripts, here, std::to_string(i), -5, 7);
        debts.add(scripts, there, std::to_string(i), -6, 7);
    }
    debts.full = {0};
    EXPECT_EQ(debts.told().size(), 100u);
    EXPECT_EQ(debts.refused, 1u) << "asked once, not for each";
    debts.add(scripts, here, "40", -5, 7);
    EXPECT_EQ(debts.noted.size(), 200u) << "it was known";
    EXPECT_TRUE(debts.told().empty());
    EXPECT_EQ(debts.budgets(), 100u);
    EXPECT_TRUE(debts.claim(here, "40").empty()) << "it might be lost";
    debts.full.clear();
    EXPECT_EQ(debts.claim(here, "40").front().difference, -10);
    EXPECT_EQ(debts.told().size(), 99u);
    EXPECT_EQ(debts.budgets(), 0u);
}

} // namespace
} // namespace ai_proxy::limit
