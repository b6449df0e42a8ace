#include "core/chat/event.h"

#include <gtest/gtest.h>

using namespace ai_proxy::chat;

namespace {

TEST(Finish, SpellsAndReads)
{
    EXPECT_EQ(to_text(Finish::none), "");
    EXPECT_EQ(to_text(Finish::tool_calls), "tool_calls");
    EXPECT_EQ(to_text(Finish::content_filter), "content_filter");
    for (int i = 0; i <= int(Finish::error); i++) {
        EXPECT_EQ(finish_from_text(to_text(Finish(i))), Finish(i));
    }
    EXPECT_EQ(finish_from_text("length"), Finish::length);
    EXPECT_EQ(finish_from_text("function_call"), Finish::function_call);
    EXPECT_EQ(finish_from_text("sensitive"), Finish::stop);
}

} // namespace
