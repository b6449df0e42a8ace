#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

// Embeddings, images and speech of vendors that have their own APIs for them.

namespace {

using namespace ai_proxy;
using ai_proxy::testing::body_text;

class CloudMedia : public ::testing::Test {
protected:
    provider::Options& use(std::string_view type)
    {
        auto& options = fixture_.provider("p", type).options;
        options.vertex_project_id = "proj";
        options.vertex_region = "us-central1";
        if (type == "vertex") {
            options.api_tokens.clear();
        }
        fixture_.route("r", {0});
        return options;
    }

    Result<std::unique_ptr<policy::Try>> ask(
        std::string_view path, std::string body)
    {
        client_.path = path;
        client_.body = std::move(body);
        exchange_ = std::make_unique<policy::Exchange>(
            fixture_.gateway, fixture_.site(), client_.head(), 0);
        auto received =
            exchange_->receive(client_.padded(), client_.body.size());
        if (!received) {
            return std::move(received).error();
        }
        return exchange_->make_try(exchange_->route().targets[0], 0, 1, 2);
    }

    // Path and body that are sent, or what is wrong.
    std::string sent(std::string_view path, std::string body)
    {
        auto made = ask(path, std::move(body));
        if (!made) {
            return "refused: " + made.error().message;
        }
        attempt_ = std::move(*made);
        return attempt_->outbound.path + " " + body_text(attempt_->outbound);
    }
    std::string embed(std::string body)
    {
        return sent("/v1/embeddings", std::move(body));
    }
    std::string draw(std::string body)
    {
        return sent("/v1/images/generations", std::move(body));
    }

    // What the client gets for the provider's answer.
    std::string answer(std::string_view body)
    {
        const Header head[] = {{"content-type", "application/json"}};
        std::string out;
        attempt_->response->head(200, head);
        for (const char c : body) {
            attempt_->response->feed({&c, 1}, out, 1);
        }
        attempt_->response->end(true, out, 2);
        EXPECT_TRUE(out.empty());
        return attempt_->response->state() == policy::Response::State::whole
            ? attempt_->response->take_body()
            : "failed: " + attempt_->response->error().message;
    }

    ai_proxy::testing::GatewayFixture fixture_;
    ai_proxy::testing::ClientRequest client_;
    std::unique_ptr<policy::Exchange> exchange_;
    std::unique_ptr<policy::Try> attempt_;
};

constexpr std::string_view kOne =
    R"({"object":"list","data":[{"object":"embedding","index":0,)"
    R"("embedding":[0.5,-1]}],"model":)";

TEST_F(CloudMedia, EmbeddingsOfGemini)
{
    use("gemini");
    EXPECT_EQ(embed(R"({"model":"gemini-embedding-001","input":["a","b"],)"
                    R"("dimensions":8,"task_type":"RETRIEVAL_QUERY"})"),
        "/v1beta/models/gemini-embedding-001:batchEmbedContents "
        R"({"requests":[{"model":"models/gemini-embedding-001",)"
        R"("content":{"parts":[{"text":"a"}]},"outputDimensionality":8,)"
        R"("taskType":"RETRIEVAL_QUERY"},)"
        R"({"model":"models/gemini-embedding-001",)"
        R"("content":{"parts":[{"text":"b"}]},"outputDimensionality":8,)"
        R"("taskType":"RETRIEVAL_QUERY"}]})");
    EXPECT_EQ(
        answer(R"({"embeddings":[{"values":[0.5,-1]},{"values":[2,3]}]})"),
        R"({"object":"list","data":[{"object":"embedding","index":0,)"
        R"("embedding":[0.5,-1]},{"object":"embedding","index":1,)"
        R"("embedding":[2,3]}],"model":"gemini-embedding-001",)"
        R"("usage":{"prompt_tokens":0,"total_tokens":0}})");
    EXPECT_FALSE(attempt_->response->usage().known);
    EXPECT_TRUE(
        embed(R"({"model":"m","input":[[1,2]]})").starts_with("refused: "));
}

TEST_F(CloudMedia, EmbeddingsOfVertex)
{
    use("vertex");
    EXPECT_EQ(embed(R"({"model":"text-embedding-005","input":["a","b"],)"
                    R"("dimensions":8,"taskType":"CLUSTERING"})"),
        "/v1/projects/proj/locations/us-central1/publishers/google/models/"
        "text-embedding-005:predict "
        R"({"instances":[{"content":"a","task_type":"CLUSTERING"},)"
        R"({"content":"b","task_type":"CLUSTERING"}],)"
        R"("parameters":{"outputDimensionality":8}})");
    EXPECT_EQ(answer(R"({"predictions":[{"embeddings":{"values":[0.5,-1],)"
                     R"("statistics":{"token_count":3,"truncated":false}}},)"
                     R"({"embeddings":{"values":[1],"statistics":)"
                     R"({"token_count":4}}}]})"),
        R"({"object":"list","data":[{"object":"embedding","index":0,)"
        R"("embedding":[0.5,-1]},{"object":"embedding","index":1,)"
        R"("embedding":[1]}],"model":"text-embedding-005",)"
        R"("usage":{"prompt_tokens":7,"total_tokens":7}})");

    EXPECT_EQ(embed(R"({"model":"gemini-embedding-2","input":"a"})"),
        "/v1/projects/proj/locations/us-central1/publishers/google/models/"
        R"(gemini-embedding-2:embedContent {"content":{"parts":)"
        R"([{"text":"a"}]}})");
    EXPECT_EQ(answer(R"({"embedding":{"values":[0.5,-1]},)"
                     R"("usageMetadata":{"promptTokenCount":11}})"),
        std::string(kOne)
            + R"("gemini-embedding-2","usage":{"prompt_tokens":11,)"
              R"("total_tokens":11}})");
    EXPECT_EQ(embed(R"({"model":"gemini-embedding-2","input":["a","b"]})"),
        "refused: this model of the provider embeds one text a call");
}

TEST_F(CloudMedia, EmbeddingsOfBedrock)
{
    use("bedrock");
    EXPECT_EQ(embed(R"({"model":"amazon.titan-embed-text-v2:0","input":"a",)"
                    R"("dimensions":256,"normalize":false})"),
        "/model/amazon.titan-embed-text-v2%3A0/invoke "
        R"({"inputText":"a","dimensions":256,"normalize":false})");
    EXPECT_EQ(answer(R"({"embedding":[0.5,-1],"inputTextTokenCount":5,)"
                     R"("embeddingsByType":{"float":[0.5,-1]}})"),
        std::string(kOne)
            + R"("amazon.titan-embed-text-v2:0","usage":{"prompt_tokens":5,)"
              R"("total_tokens":5}})");
    EXPECT_EQ(embed(R"({"model":"amazon.titan-embed-text-v2:0",)"
                    R"("input":["a","b"]})"),
        "refused: this model of the provider embeds one text a call");

    EXPECT_EQ(embed(R"({"model":"cohere.embed-v4:0","input":["a"],)"
                    R"("dimensions":256})"),
        R"(/model/cohere.embed-v4%3A0/invoke {"texts":["a"],)"
        R"("input_type":"search_document","embedding_types":["float"],)"
        R"("output_dimension":256})");
    for (const auto* vectors : {"[[0.5,-1]]", R"({"float":[[0.5,-1]]})"}) {
        (void)embed(R"({"model":"cohere.embed-v4:0","input":["a"]})");
        EXPECT_EQ(answer(R"({"embeddings":)" + std::string(vectors) + "}"),
            std::string(kOne)
                + R"("cohere.embed-v4:0","usage":{"prompt_tokens":0,)"
                  R"("total_tokens":0}})");
    }
    EXPECT_EQ(
        embed(R"({"model":"a?b","input":"a"})"), "refused: invalid model");
}

TEST_F(CloudMedia, ImagesOfImagen)
{
    use("gemini");
    EXPECT_EQ(draw(R"({"model":"imagen-4.0-generate-001","prompt":"a cat",)"
                   R"("n":2,"size":"1792x1024"})"),
        "/v1beta/models/imagen-4.0-generate-001:predict "
        R"({"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":2,)"
        R"("aspectRatio":"16:9"}})");
    EXPECT_EQ(answer(R"({"predictions":[{"bytesBase64Encoded":"QUJD",)"
                     R"("mimeType":"image/png"},{"bytesBase64Encoded":"eA=="},)"
                     R"({"raiFilteredReason":"no"}]})"),
        R"({"created":1,"data":[{"b64_json":"QUJD"},{"b64_json":"eA=="}]})");
    (void)draw(R"({"model":"imagen-4","prompt":"x"})");
    EXPECT_EQ(answer(R"({"predictions":[{"raiFilteredReason":"no"}]})"),
        "failed: the provider made no image: no");
    EXPECT_EQ(attempt_->response->error().http_status(), 400);
}

TEST_F(CloudMedia, ImagesOfGemini)
{
    use("vertex");
    EXPECT_EQ(draw(R"({"model":"gemini-2.5-flash-image","prompt":"a cat",)"
                   R"("size":"1024x1536"})"),
        "/v1/projects/proj/locations/us-central1/publishers/google/models/"
        "gemini-2.5-flash-image:generateContent "
        R"({"contents":[{"role":"user","parts":[{"text":"a cat"}]}],)"
        R"("generationConfig":{"responseModalities":["TEXT","IMAGE"],)"
        R"("imageConfig":{"aspectRatio":"2:3"}}})");
    EXPECT_EQ(
        answer(R"({"candidates":[{"content":{"parts":[{"text":"here"},)"
               R"({"thought":true,"inlineData":{"data":"bm8="}},)"
               R"({"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}}],)"
               R"("usageMetadata":{"promptTokenCount":3,)"
               R"("candidatesTokenCount":1290,"totalTokenCount":1293}})"),
        R"({"created":1,"data":[{"b64_json":"QUJD"}],"usage":)"
        R"({"input_tokens":3,"output_tokens":1290,"total_tokens":1293}})");
    EXPECT_EQ(attempt_->response->usage().completion, 1290);
    EXPECT_TRUE(draw(R"({"model":"gemini-3-pro-image","prompt":"x",)"
                     R"("size":"4096x4096"})")
                    .ends_with(R"({"aspectRatio":"1:1","imageSize":"4K"}}})"));
    EXPECT_EQ(answer(R"({"candidates":[{"finishReason":"IMAGE_SAFETY"}]})"),
        "failed: the provider made no image: IMAGE_SAFETY");
    EXPECT_EQ(draw(R"({"model":"gemini-2.5-flash-image","prompt":"x","n":2})"),
        "refused: n must be 1 with the provider's model");
}

TEST_F(CloudMedia, ImagesOfBedrock)
{
    use("bedrock");
    EXPECT_EQ(draw(R"({"model":"amazon.nova-canvas-v1:0","prompt":"a cat",)"
                   R"("size":"512x768","quality":"hd","seed":7})"),
        "/model/amazon.nova-canvas-v1%3A0/invoke "
        R"({"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a cat"},)"
        R"("imageGenerationConfig":{"numberOfImages":1,"width":512,)"
        R"("height":768,"quality":"premium","seed":7}})");
    EXPECT_EQ(answer(R"({"images":["QUJD","eA=="],"error":null})"),
        R"({"created":1,"data":[{"b64_json":"QUJD"},{"b64_json":"eA=="}]})");
    EXPECT_EQ(draw(R"({"model":"us.stability.stable-image-ultra-v1:1",)"
                   R"("prompt":"x","size":"auto","output_format":"jpeg"})"),
        "/model/us.stability.stable-image-ultra-v1%3A1/invoke "
        R"({"prompt":"x","output_format":"jpeg"})");
    EXPECT_EQ(
        answer(R"({"seeds":[1],"finish_reasons":["Filter reason: prompt"],)"
               R"("images":[]})"),
        "failed: the provider made no image: Filter reason: prompt");
}

TEST_F(CloudMedia, WhatMakesNoSenseIsRefused)
{
    use("bedrock");
    for (const auto* body : {R"({"model":"m"})", R"({"model":"m","prompt":3})",
             R"({"model":"m","prompt":"x","n":0})",
             R"({"model":"m","prompt":"x","n":11})",
             R"({"model":"m","prompt":"x","n":"2"})",
             R"({"model":"m","prompt":"x","size":"big"})",
             R"({"model":"m","prompt":"x","size":"0x5"})",
             R"({"model":"m","prompt":"x","size":"99999x5"})",
             R"({"model":"m","prompt":"x","stream":true})"})
    {
        EXPECT_TRUE(draw(body).starts_with("refused: ")) << body;
    }
}

// ---- edits and variations, as forms or as JSON

std::string form(
    std::initializer_list<std::pair<std::string_view, std::string_view>> fields)
{
    std::string body;
    for (const auto& [name, value] : fields) {
        const bool file = name.starts_with("image") || name == "mask";
        body.append("--b\r\nContent-Disposition: form-data; name=\"")
            .append(name)
            .append(
                file ? "\"; filename=\"f\"\r\nContent-Type: image/webp" : "\"")
            .append("\r\n\r\n")
            .append(value)
            .append("\r\n");
    }
    return body + "--b--\r\n";
}

class ImageEdits : public CloudMedia {
protected:
    ImageEdits() { client_.content_type = "multipart/form-data; boundary=b"; }
    std::string edit(std::string body)
    {
        return sent("/v1/images/edits", std::move(body));
    }
    std::string vary(std::string body)
    {
        return sent("/v1/images/variations", std::move(body));
    }
};

TEST_F(ImageEdits, OfGemini)
{
    use("gemini");
    const std::string path =
        "/v1beta/models/gemini-2.5-flash-image:generateContent ";
    EXPECT_EQ(edit(form({{"model", "gemini-2.5-flash-image"},
                  {"image[]", "ABC"}, {"image[]", "x"}, {"prompt", "a hat"},
                  {"n", "1"}, {"size", "1024x1024"}})),
        path
            + R"({"contents":[{"role":"user","parts":[{"inlineData":)"
              R"({"mimeType":"image/webp","data":"QUJD"}},{"inlineData":)"
              R"({"mimeType":"image/webp","data":"eA=="}},{"text":"a hat"}]}],)"
              R"("generationConfig":{"responseModalities":["TEXT","IMAGE"],)"
              R"("imageConfig":{"aspectRatio":"1:1"}}})");
    EXPECT_EQ(answer(R"({"candidates":[{"content":{"parts":[{"inlineData":)"
                     R"({"data":"QUJD"}}]}}]})"),
        R"({"created":1,"data":[{"b64_json":"QUJD"}]})");
    EXPECT_NE(vary(form({{"model", "gemini-2.5-flash-image"}, {"image", "x"}}))
                  .find(R"({"text":"Make a variation of this image."})"),
        std::string::npos);
    EXPECT_EQ(
        edit(form({{"model", "imagen-4"}, {"image", "x"}, {"prompt", "p"}})),
        "refused: image cannot be edited by the provider's model");
}

TEST_F(ImageEdits, OfImagenOnVertex)
{
    use("vertex");
    EXPECT_TRUE(
        edit(form({{"model", "imagen-3.0-capability-001"}, {"image", "ABC"},
                 {"prompt", "p"}, {"n", "2"}}))
            .ends_with(
                R"({"instances":[{"prompt":"p","referenceImages":[)"
                R"({"referenceType":"REFERENCE_TYPE_RAW","referenceId":1,)"
                R"("referenceImage":{"bytesBase64Encoded":"QUJD"}}]}],)"
                R"("parameters":{"sampleCount":2,)"
                R"("editMode":"EDIT_MODE_DEFAULT"}})"));
}

TEST_F(ImageEdits, OfBedrock)
{
    use("bedrock");
    EXPECT_TRUE(
        edit(form({{"model", "amazon.nova-canvas-v1:0"}, {"image", "ABC"},
                 {"prompt", "p"}}))
            .ends_with(
                R"({"taskType":"IMAGE_VARIATION","imageVariationParams":)"
                R"({"images":["QUJD"],"text":"p"},"imageGenerationConfig":)"
                R"({"numberOfImages":1,"width":1024,"height":1024,)"
                R"("quality":"standard"}})"));
    EXPECT_TRUE(vary(form({{"model", "amazon.titan-image-generator-v2:0"},
                         {"image", "ABC"}}))
                    .find(R"("imageVariationParams":{"images":["QUJD"]})")
        != std::string::npos);
    EXPECT_TRUE(edit(form({{"model", "stability.sd3-5-large-v1:0"},
                         {"image", "ABC"}, {"prompt", "p"}}))
                    .ends_with(R"({"prompt":"p","mode":"image-to-image",)"
                               R"("image":"QUJD","strength":0.7})"));
}

TEST_F(ImageEdits, AsJson)
{
    use("gemini");
    client_.content_type = "application/json";
    EXPECT_NE(edit(R"({"model":"gemini-x","prompt":"p","images":[)"
                   R"({"image_url":"data:image/png;base64,QUJD"}]})")
                  .find(R"({"mimeType":"image/png","data":"QUJD"})"),
        std::string::npos);
    EXPECT_EQ(edit(R"({"model":"gemini-x","prompt":"p","images":[)"
                   R"({"image_url":"https://x/y.png"}]})"),
        "refused: images must be sent with the request");
}

TEST_F(ImageEdits, WhatCannotBeSaidIsRefused)
{
    use("bedrock");
    EXPECT_EQ(edit(form({{"model", "m"}, {"prompt", "p"}})),
        "refused: image is missing");
    EXPECT_EQ(edit(form({{"model", "m"}, {"image", "x"}})),
        "refused: prompt is missing");
    EXPECT_EQ(edit(form({{"model", "m"}, {"image", "x"}, {"mask", "y"},
                  {"prompt", "p"}})),
        "refused: mask cannot be said to the provider");
    EXPECT_EQ(edit(form({{"image", "x"}, {"prompt", "p"}})),
        "refused: you must provide a model parameter");
    EXPECT_EQ(edit(form({{"model", "m"}, {"image", "x"}, {"prompt", "p"},
                  {"n", "many"}})),
        "refused: n must be an integer from 1 to 10");
    EXPECT_EQ(edit(form({{"model", "m"}, {"image", "x"}, {"prompt", "p"},
                  {"stream", "true"}})),
        "refused: stream is not known to the provider's images");
}

TEST_F(CloudMedia, ImagesOfMinimax)
{
    use("minimax");
    EXPECT_EQ(draw(R"({"model":"image-01","prompt":"a cat","n":2,)"
                   R"("size":"1024x1536","seed":7,"quality":"hd"})"),
        "/v1/image_generation "
        R"({"model":"image-01","prompt":"a cat","n":2,)"
        R"("response_format":"url","width":1024,"height":1536,"seed":7})");
    EXPECT_EQ(answer(R"({"id":"i","data":{"image_urls":["https://a/1",)"
                     R"("https://a/2"]},"metadata":{"success_count":"2"},)"
                     R"("base_resp":{"status_code":0}})"),
        R"({"created":1,"data":[{"url":"https://a/1"},)"
        R"({"url":"https://a/2"}]})");
    EXPECT_EQ(draw(R"({"model":"image-01-live","prompt":"a cat",)"
                   R"("size":"1536x1024","response_format":"b64_json"})"),
        "/v1/image_generation "
        R"({"model":"image-01-live","prompt":"a cat","n":1,)"
        R"("response_format":"base64","aspect_ratio":"3:2"})");
    EXPECT_EQ(answer(R"({"data":{"image_base64":["QUJD"]},)"
                     R"("base_resp":{"status_code":0}})"),
        R"({"created":1,"data":[{"b64_json":"QUJD"}]})");
    constexpr std::string_view kPlain =
        "/v1/image_generation "
        R"({"model":"m","prompt":"a","n":1,"response_format":"url"})";
    EXPECT_EQ(draw(R"({"model":"m","prompt":"a","style":"vivid"})"), kPlain);
    EXPECT_EQ(draw(R"({"model":"m","prompt":"a","style":{"style_type":"x"}})"),
        "/v1/image_generation "
        R"({"model":"m","prompt":"a","n":1,"response_format":"url",)"
        R"("style":{"style_type":"x"}})");
    EXPECT_EQ(draw(R"({"model":"image-01","prompt":"a cat","n":10})"),
        "refused: n must be an integer from 1 to 9");
}

TEST_F(CloudMedia, ImagesThatMinimaxRefuses)
{
    use("minimax");
    (void)draw(R"({"model":"image-01","prompt":"a cat"})");
    EXPECT_EQ(answer(R"({"data":{"image_urls":[]},"base_resp":)"
                     R"({"status_code":0,"status_msg":"nothing"}})"),
        "failed: the provider made no image: nothing");
    (void)draw(R"({"model":"image-01","prompt":"a cat"})");
    EXPECT_EQ(answer(R"({"base_resp":{"status_code":1004,)"
                     R"("status_msg":"login fail"}})"),
        "failed: login fail");
    EXPECT_EQ(attempt_->response->error().http_status(), 401);
}

TEST_F(CloudMedia, SpeechOfMinimax)
{
    use("minimax").minimax_group_id = "g 1";
    const auto say = [this](std::string body) {
        return sent("/v1/audio/speech", std::move(body));
    };
    EXPECT_EQ(say(R"({"model":"speech-2.8-hd","input":"Hi","voice":"nova",)"
                  R"("speed":1.5,"emotion":"happy","language_boost":"auto"})"),
        "/v1/t2a_v2?GroupId=g%201 "
        R"({"model":"speech-2.8-hd","text":"Hi","stream":false,)"
        R"("output_format":"hex","voice_setting":{"voice_id":"nova",)"
        R"("speed":1.5,"emotion":"happy"},)"
        R"("audio_setting":{"format":"mp3","channel":1},)"
        R"("language_boost":"auto"})");
    EXPECT_EQ(
        answer(R"({"data":{"audio":"00fF7a","status":2},"extra_info":)"
               R"({"audio_format":"mp3"},"base_resp":{"status_code":0}})"),
        std::string("\0\xff\x7a", 3));
    EXPECT_EQ(attempt_->response->content_type(), "audio/mpeg");
    EXPECT_EQ(say(R"({"model":"m","input":"Hi","voice":{"id":"v"},)"
                  R"("response_format":"pcm","speed":4})"),
        "/v1/t2a_v2?GroupId=g%201 "
        R"({"model":"m","text":"Hi","stream":false,"output_format":"hex",)"
        R"("voice_setting":{"voice_id":"v","speed":2},)"
        R"("audio_setting":{"format":"pcm","sample_rate":24000,)"
        R"("channel":1}})");
    EXPECT_EQ(answer(R"({"data":{"audio":"6869"},"extra_info":)"
                     R"({"audio_format":"pcm"}})"),
        "hi");
    EXPECT_EQ(attempt_->response->content_type(), "audio/pcm");
}

TEST_F(CloudMedia, SpeechThatMinimaxCannotMake)
{
    use("minimax");
    const auto say = [this](std::string body) {
        return sent("/v1/audio/speech", std::move(body));
    };
    const std::string said = R"({"model":"m","input":"Hi","voice":"v")";
    EXPECT_EQ(
        say(R"({"model":"m","voice":"v"})"), "refused: input must be a text");
    EXPECT_EQ(say(R"({"model":"m","input":"Hi"})"),
        "refused: voice must be the name of a voice");
    EXPECT_EQ(say(said + R"(,"response_format":"opus"})"),
        "refused: response_format must be mp3, wav, flac or pcm with this "
        "provider");
    EXPECT_EQ(say(said + R"(,"stream_format":"sse"})"),
        "refused: stream_format must be audio with this provider");
    for (const char* sound : {"", "0", "0g", "zz00"}) {
        (void)say(said + "}");
        EXPECT_EQ(answer(R"({"data":{"audio":")" + std::string(sound)
                      + R"("},"base_resp":{"status_code":0}})"),
            "failed: The provider's answer holds no sound.")
            << sound;
    }
    (void)say(said + "}");
    EXPECT_EQ(answer(R"({"base_resp":{"status_code":1008,)"
                     R"("status_msg":"insufficient balance"}})"),
        "failed: insufficient balance");
    EXPECT_EQ(attempt_->response->content_type(), "application/json");
}

} // namespace
