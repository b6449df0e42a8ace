#include "core/base/in_flight.h"

#include "route_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace ai_proxy {
namespace {

TEST(InFlightTable, CountsEachIdApart)
{
    std::vector<InFlightEntry> entries(64);
    InFlightTable table(entries);
    EXPECT_TRUE(table.enter(1));
    EXPECT_TRUE(table.enter(1));
    EXPECT_TRUE(table.enter(65)); // the same place in the table
    EXPECT_EQ(table.count(1), 2u);
    EXPECT_EQ(table.count(65), 1u);
    EXPECT_EQ(table.count(2), 0u);
    table.leave(1);
    table.leave(2); // was never there
    EXPECT_EQ(table.count(1), 1u);
    table.clear();
    EXPECT_EQ(table.count(1) + table.count(65), 0u);
}

TEST(InFlightTable, RefusesWhatItHasNoRoomFor)
{
    std::vector<InFlightEntry> entries(InFlightTable::kLeast);
    InFlightTable table(entries);
    for (uint64_t id = 1; id <= InFlightTable::kLeast; ++id)
        EXPECT_TRUE(table.enter(id));
    EXPECT_FALSE(table.enter(99));
    EXPECT_TRUE(table.enter(3));
    table.leave(7);
    EXPECT_TRUE(table.enter(99));
    EXPECT_EQ(table.count(99), 1u);
    EXPECT_EQ(table.count(7), 0u);
    InFlightTable none;
    EXPECT_FALSE(none.enter(1));
    EXPECT_EQ(none.count(1), 0u);
}

// Against a map, over many comings and goings.
TEST(InFlightTable, AgreesWithASimpleCount)
{
    std::vector<InFlightEntry> entries(256);
    InFlightTable table(entries);
    std::map<uint64_t, uint64_t> model;
    std::mt19937_64 random(5);
    for (int i = 0; i < 20'000; ++i) {
        const uint64_t id = in_flight_id("x", std::to_string(random() % 40));
        if (random() % 2 == 0) {
            ASSERT_TRUE(table.enter(id));
            ++model[id];
        } else if (model[id] != 0) {
            table.leave(id);
            --model[id];
        }
        ASSERT_EQ(table.count(id), model[id]);
    }
}

TEST(Place, IsLeftOnceHoweverItGoes)
{
    testing::FakeInFlight in_flight;
    {
        Place place = take_place(in_flight, 5, 2);
        ASSERT_TRUE(place);
        Place moved = std::move(place);
        EXPECT_FALSE(place);
        EXPECT_EQ(in_flight.count(5), 1u);
        Place second = take_place(in_flight, 5, 2);
        EXPECT_TRUE(second);
        EXPECT_FALSE(take_place(in_flight, 5, 2));
        EXPECT_EQ(in_flight.count(5), 2u);
        second = std::move(moved);
        EXPECT_EQ(in_flight.count(5), 1u);
    }
    EXPECT_EQ(in_flight.count(5), 0u);
    EXPECT_TRUE(take_place(in_flight, 5, 0));
}

} // namespace
} // namespace ai_proxy
