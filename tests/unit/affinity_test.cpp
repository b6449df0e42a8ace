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
            R"({"type":"input_file","file_id":"file-1"}]}]})",
            R"({"input":[{"type":"function_call_output","call_id":"c",)"
            R"("output":[{"type":"input_image","file_id":"file-1"}]}]})"})
    {
        EXPECT_TRUE(names(body)) << body;
    }
}

// Of Responses: what else a provider keeps.
TEST(Affinity, RequestsThatNameItemsAndStores)
{
    for (const std::string_view body :
        {R"({"input":[{"type":"item_reference","id":"msg_1"}]})",
            R"({"input":[{"id":"msg_1"}]})",
            R"({"input":[{"type":null,"id":"msg_1"}]})",
            R"({"prompt":{"id":"pmpt_1"},"input":"x"})",
            R"({"input":"x","tools":[{"type":"file_search",)"
            R"("vector_store_ids":["vs_1"]}]})",
            R"({"input":"x","tools":[{"type":"code_interpreter",)"
            R"("container":"cntr_1"}]})",
            R"({"input":"x","tools":[{"type":"code_interpreter",)"
            R"("container":{"type":"auto","file_ids":["file-1"]}}]})"})
    {
        EXPECT_TRUE(names(body)) << body;
    }
    for (const std::string_view body :
        {R"({"input":[{"role":"user","id":"msg_1","content":"x"}]})",
            R"({"input":[{"type":"reasoning","id":"rs","summary":[]}]})",
            R"({"prompt":"x"})",
            R"({"input":"x","tools":[{"type":"code_interpreter",)"
            R"("container":{"type":"auto"}},{"type":"function"}]})"})
    {
        EXPECT_FALSE(names(body)) << body;
    }
}

TEST(Affinity, PathsOfWhatIsKept)
{
    for (const std::string_view path :
        {"/v1/conversations", "/x/v1/conversations/c/items",
            "/v1/vector_stores/vs/files", "/v1/containers", "/v1/uploads/u"})
    {
        EXPECT_TRUE(policy::is_kept(path)) << path;
    }
    for (const std::string_view path :
        {"/v1/other", "/v1/conversationsx", "/conversations"})
    {
        EXPECT_FALSE(policy::is_kept(path)) << path;
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
