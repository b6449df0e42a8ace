#include "core/config/plugin.h"

#include "input.h"

using namespace ai_proxy;

// Whatever a file holds: a tree or a refusal that says where, and the same of
// every plugin that reads it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const config::Plugin& plugin : config::plugins()) {
        auto document = config::yaml::Document::parse("f.yaml", text);
        if (!document.ok()) {
            fuzz::require(document.error().message.starts_with("f.yaml:"),
                "a refusal names the file");
            return 0;
        }
        const std::string json = document->root().json();
        fuzz::require(json.size() >= 2, "a document is a mapping");
        config::yaml::Warnings warnings;
        config::Gateway gateway;
        const config::SecretSource secrets =
            [](std::string_view) -> Result<std::string> { return {"x"}; };
        config::LoadContext context{*document, warnings, secrets, gateway};
        config::Plugins plugins;
        const auto loaded = plugin.load(context, plugins);
        fuzz::require(loaded.ok() == plugin.is_set(plugins),
            "what loads is there, what does not is not");
        fuzz::require(loaded.ok() || !loaded.error().message.empty(),
            "a refusal says why");
    }
    return 0;
}
