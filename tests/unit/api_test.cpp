#include "core/dialect/api.h"

#include <gtest/gtest.h>

#include <set>

using namespace ai_proxy::dialect;

namespace {

struct Case {
    const char* canonical;
    Api api;
};

constexpr Case kCases[] = {
    {"/v1/chat/completions", Api::chat_completions},
    {"/v1/completions", Api::completions},
    {"/v1/embeddings", Api::embeddings},
    {"/v1/audio/speech", Api::audio_speech},
    {"/v1/audio/transcriptions", Api::audio_transcriptions},
    {"/v1/audio/translations", Api::audio_translations},
    {"/v1/realtime", Api::realtime},
    {"/v1/images/generations", Api::image_generations},
    {"/v1/images/variations", Api::image_variations},
    {"/v1/images/edits", Api::image_edits},
    {"/v1/batches", Api::batches},
    {"/v1/batches/batch_1", Api::batch},
    {"/v1/batches/batch_1/cancel", Api::batch_cancel},
    {"/v1/files", Api::files},
    {"/v1/files/f-1", Api::file},
    {"/v1/files/f-1/content", Api::file_content},
    {"/v1/files/content", Api::file},
    {"/v1/models", Api::models},
    {"/v1/models/gpt-4o", Api::model},
    {"/v1/models/meta-llama/Llama-3", Api::model},
    {"/v1/fine_tuning/jobs", Api::fine_tuning},
    {"/v1/fine_tuning/jobs/j", Api::fine_tuning},
    {"/v1/fine_tuning/jobs/j/events", Api::fine_tuning},
    {"/v1/fine_tuning/checkpoints/c/permissions/p", Api::fine_tuning},
    {"/v1/responses", Api::responses},
    {"/v1/responses/resp_1", Api::response},
    {"/v1/responses/compact", Api::responses_compact},
    {"/v1/responses/input_tokens", Api::responses_count},
    {"/v1/responses/resp_1/input_items", Api::response},
    {"/v1/videos", Api::videos},
    {"/v1/videos/v", Api::video},
    {"/v1/videos/v/content", Api::video},
    {"/v1/videos/v/remix", Api::video},
    {"/v1/moderations", Api::moderations},
    {"/v1/rerank", Api::rerank},
    {"/v1/messages", Api::messages},
    {"/v1/messages/count_tokens", Api::messages_count},
    {"/v1beta/models/gemini-2.0-flash:generateContent", Api::gemini_generate},
    {"/v1/models/gemini-pro:generateContent", Api::gemini_generate},
    {"/v1beta/models/g:streamGenerateContent", Api::gemini_stream},
    {"/v1beta/models", Api::gemini_models},
    {"/v1alpha/models", Api::gemini_models},
    {"/v1beta/models/gemini-2.0-flash", Api::gemini_model},
};

TEST(ApiPath, IsRecognisedBehindAnyPrefix)
{
    for (const Case& c : kCases) {
        for (const char* prefix : {"", "/x", "/any/prefix", "/v1", "/v1/files"})
        {
            const std::string path = std::string(prefix) + c.canonical;
            EXPECT_EQ(recognise(path), c.api) << path;
            EXPECT_EQ(canonical_path(c.api, path), c.canonical) << path;
        }
    }
}

TEST(ApiPath, OthersAreUnknownAndKept)
{
    for (const char* path : {"", "/", "/v1/chat/completions/",
             "/v1/chat/completions/id", "/v1/files/", "/v1/files//content",
             "/v1/files/a/b", "/v1/batches//cancel", "/v1/batches/a/b/cancel",
             "/v1/models/", "/v2/chat/completions", "/chat/completions",
             "/v1/threads", "/v1/filesystem/x", "/v1/videos/v/other",
             "/v1/responses/", "/v1beta/models/:generateContent",
             "/models/m:generateContent", "/google/models/m:generateContent",
             "/v1beta/models/a/b:generateContent", "/v1/fine_tuning"})
    {
        EXPECT_EQ(recognise(path), Api::unknown) << path;
        EXPECT_EQ(canonical_path(Api::unknown, path), path);
    }
}

TEST(ApiPath, PathOfAnotherApiIsKept)
{
    EXPECT_EQ(canonical_path(Api::files, "/x/v1/models"), "/x/v1/models");
}

TEST(ApiNames, AreThoseOfTheCapabilityKeys)
{
    std::set<std::string_view> names;
    for (size_t i = 0; i < kApis; i++) {
        EXPECT_TRUE(names.insert(name(Api(i))).second) << name(Api(i));
    }
    EXPECT_EQ(name(Api::unknown), "unknown");
    EXPECT_EQ(name(Api::chat_completions), "openai/v1/chatcompletions");
    EXPECT_EQ(name(Api::image_edits), "openai/v1/imageedit");
    EXPECT_EQ(name(Api::messages), "anthropic/v1/messages");
    EXPECT_EQ(name(Api::gemini_stream), "gemini/v1beta/streamgeneratecontent");
}

TEST(ApiDialect, DecidesTheShapeOfErrors)
{
    EXPECT_EQ(dialect_of(Api::unknown), Dialect::openai);
    EXPECT_EQ(dialect_of(Api::rerank), Dialect::openai);
    EXPECT_EQ(dialect_of(Api::messages), Dialect::anthropic);
    EXPECT_EQ(dialect_of(Api::messages_count), Dialect::anthropic);
    EXPECT_EQ(dialect_of(Api::gemini_stream), Dialect::gemini);
}

} // namespace
