#include "core/policy/affinity.h"

#include <gtest/gtest.h>

#include <string_view>

namespace {

using namespace ai_proxy;

bool names(std::string_view body)
{
    json::Parser parser;
    const auto parsed = parser.parse(body);
    EXPECT_TRUE(parsed.ok()) << body;
    return parsed && policy::names_file(*parsed);
}

TEST(Affinity, RequestsThatNameAFile)
{
    // Chat, Messages (also in the result of a tool), Responses.
    for (const std::string_view body :
        {R"({"messages":[{"role":"user","content":"a"},{"role":"user",)"
         R"("content":[{"type":"text","text":"t"},)"
         R"({"type":"file","file":{"file_id":"file-1"}}]}]})",
            R"({"messages":[{"role":"user","content":[{"type":"document",)"
            R"("source":{"type":"file","file_id":"file_1"}}]}]})",
            R"({"messages":[{"role":"user","content":[{"type":"tool_result",)"
            R"("content":[{"type":"image","source":)"
            R"({"type":"file","file_id":"file_1"}}]}]}]})",
            R"({"input":[{"role":"user","content":[)"
            R"({"type":"input_file","file_id":"file-1"}]}]})"})
    {
        EXPECT_TRUE(names(body)) << body;
    }
}

TEST(Affinity, RequestsThatNameNone)
{
    for (const std::string_view body :
        {R"({"input":"file_id"})", R"({"messages":1})", "[]",
            R"({"messages":[{"role":"user","content":"file_id"}]})",
            R"({"messages":[{"role":"user","content":[{"type":"file",)"
            R"("file":{"file_data":"data:application/pdf;base64,AA=="}}]}]})",
            R"({"messages":[{"role":"user","content":[{"type":"file",)"
            R"("file":{"file_id":null}}]}]})"})
    {
        EXPECT_FALSE(names(body)) << body;
    }
}

} // namespace
