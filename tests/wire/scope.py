"""Which recorded exchanges the gateway of today must handle, and how."""

# Folder of recordings -> (provider type, options of the provider block).
PROVIDERS = {
    "openai": ("openai", {"api_token": "k"}),
    "azure": ("azure", {
        "api_token": "k",
        "azure_service_url": "https://r.openai.azure.com?api-version=2024-06-01",
    }),
    "deepseek": ("deepseek", {"api_token": "k"}),
    "moonshot": ("moonshot", {"api_token": "k"}),
    "ark": ("doubao", {"api_token": "k"}),
    "zhipu": ("zhipuai", {"api_token": "k"}),
    "groq": ("groq", {"api_token": "k"}),
    "xai": ("grok", {"api_token": "k"}),
    "openrouter": ("openrouter", {"api_token": "k"}),
    "mistral": ("mistral", {"api_token": "k"}),
    "together": ("together-ai", {"api_token": "k"}),
    "ollama-compat": ("ollama", {"ollama_server_host": "localhost",
                                 "ollama_server_port": "11434"}),
    "llama-cpp": ("vllm", {"base_url": "http://localhost:8000"}),
    "lmstudio": ("vllm", {"base_url": "http://localhost:1234"}),
    "gpustack": ("vllm", {"base_url": "http://localhost:80"}),
    "anthropic": ("claude", {"api_token": "k"}),
    "azure-anthropic": ("claude", {"api_token": "k",
                                   "base_url": "https://r.example/anthropic"}),
    "gemini": ("gemini", {"api_token": "k"}),
    "dashscope": ("qwen", {"api_token": "k",
                           "qwen_enable_compatible": "off"}),
    "dashscope-compat": ("qwen", {"api_token": "k"}),
}

# Types whose chat is converted; all others are relayed.
CONVERTED = {"anthropic": "anthropic", "azure-anthropic": "anthropic",
             "gemini": "gemini", "dashscope": "dashscope"}

# The api of a recording in a folder that is converted, when it is the chat.
CONVERTED_CHAT = {"anthropic": "messages", "azure-anthropic": "messages",
                  "gemini": "chat", "dashscope": "chat"}

RELAYED_APIS = {
    "chat": "chat", "completions": "completions", "embeddings": "embeddings",
    "images": "images", "models": "models", "moderations": "moderations",
    "responses": "responses", "rerank": "rerank", "ocr": "/v1/ocr",
}

LATER = "a provider of a later issue"


def decide(exchange):
    """(api for the driver, how, None), or (None, None, reason)."""
    folder = exchange["provider"]
    if folder not in PROVIDERS:
        return None, None, LATER
    api = exchange["api"]
    if folder in CONVERTED:
        if folder == "anthropic" and api == "chat":
            # Anthropic's own OpenAI-compatible endpoint: generic reaches it.
            return "chat", "relay", None
        if api != CONVERTED_CHAT[folder]:
            return None, None, (
                f"{api} of {folder}'s own protocol is no dialect of today")
        return "chat", "convert", None
    if api not in RELAYED_APIS:
        return None, None, f"{api} is not relayed"
    return RELAYED_APIS[api], "relay", None


def provider(exchange):
    folder = exchange["provider"]
    if folder == "anthropic" and exchange["api"] == "chat":
        return "generic", {"base_url": "https://api.anthropic.com"}
    return PROVIDERS[folder]
