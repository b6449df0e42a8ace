"""Which recorded exchanges the gateway of today must handle, and how."""

import re

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
    "llama-cpp": ("llama-cpp", {"base_url": "http://localhost:8000"}),
    "lmstudio": ("lmstudio", {"base_url": "http://localhost:1234"}),
    "gpustack": ("gpustack", {"base_url": "http://localhost:80"}),
    "minimax": ("minimax", {"api_token": "k"}),
    "huggingface": ("huggingface", {"api_token": "k"}),
    "perplexity": ("perplexity", {"api_token": "k"}),
    "cerebras": ("cerebras", {"api_token": "k"}),
    "ai21": ("ai21", {"api_token": "k"}),
    "avian": ("avian", {"api_token": "k"}),
    "crusoe": ("crusoe", {"api_token": "k"}),
    "snowflake": ("snowflake", {"api_token": "k",
                                "base_url": "https://a.example"}),
    "vercel-gateway": ("vercel-gateway", {"api_token": "k"}),
    "voyage": ("voyage", {"api_token": "k"}),
    "cohere": ("cohere", {"api_token": "k"}),
    "ollama": ("ollama", {"ollama_server_host": "localhost",
                          "ollama_server_port": "11434",
                          "ollama_native": "on"}),
    "baidu": ("baidu", {"api_token": "k", "baidu_native": "on"}),
    "hunyuan": ("hunyuan", {"hunyuan_auth_id": "i" * 36,
                            "hunyuan_auth_key": "k" * 32}),
    "cloudflare": ("cloudflare", {"api_token": "k",
                                  "cloudflare_account_id": "ACCOUNT",
                                  "cloudflare_native": "on"}),
    "gemini-compat": ("generic", {
        "base_url":
            "https://generativelanguage.googleapis.com/v1beta/openai"}),
    "anthropic": ("claude", {"api_token": "k"}),
    "azure-anthropic": ("claude", {"api_token": "k",
                                   "base_url": "https://r.example/anthropic"}),
    "gemini": ("gemini", {"api_token": "k"}),
    "vertex": ("vertex", {"api_token": "none", "vertex_region": "global",
                          "vertex_project_id": "PROJECT"}),
    "vertex-anthropic": ("vertex", {
        "api_token": "none", "vertex_region": "global",
        "vertex_project_id": "PROJECT"}),
    "bedrock": ("bedrock", {"api_token": "k", "aws_region": "us-east-1"}),
    "bedrock-invoke": ("bedrock", {"api_token": "k",
                                   "aws_region": "us-east-1",
                                   "bedrock_invoke": "on"}),
    "bedrock-mantle": ("openai", {
        "api_token": "k",
        "base_url": "https://bedrock-mantle.us-east-1.api.aws/openai/v1"}),
    "dashscope": ("qwen", {"api_token": "k",
                           "qwen_enable_compatible": "off"}),
    "dashscope-compat": ("qwen", {"api_token": "k"}),
}

# Types whose chat is converted; all others are relayed.
CONVERTED = {"anthropic": "anthropic", "azure-anthropic": "anthropic",
             "gemini": "gemini", "dashscope": "dashscope",
             "vertex": "gemini", "vertex-anthropic": "anthropic",
             "bedrock": "bedrock", "bedrock-invoke": "anthropic",
             "cohere": "cohere", "ollama": "ollama", "baidu": "baidu",
             "hunyuan": "hunyuan", "cloudflare": "cloudflare"}

# The api of a recording in a folder that is converted, when it is the chat.
CONVERTED_CHAT = {"anthropic": "messages", "azure-anthropic": "messages",
                  "vertex": "chat", "vertex-anthropic": "messages",
                  "bedrock": "chat", "bedrock-invoke": "chat",
                  "gemini": "chat", "dashscope": "chat", "cohere": "chat",
                  "ollama": "chat", "baidu": "chat", "hunyuan": "chat",
                  "cloudflare": "chat"}

# APIs that a vendor serves in words of its own.
TRANSLATED = {("dashscope", "embeddings"), ("dashscope", "rerank"),
              ("hunyuan", "embeddings"), ("cloudflare", "embeddings"),
              ("huggingface", "embeddings"), ("voyage", "rerank"),
              ("gemini", "embeddings"), ("vertex", "embeddings")}

# Why an API of a converted folder is none of the gateway's.
OTHERS = {
    ("cohere", "embeddings"): "version 1 of the API, vectors of integers",
    ("cohere", "generate"): "an API that Cohere has ended",
    ("ollama", "embeddings"): "its OpenAI-compatible path is used",
    ("ollama", "generate"): "raw completions: its compatible path is used",
    ("dashscope", "images"): "a job to poll, no answer",
}

RELAYED_APIS = {
    "chat": "chat", "completions": "completions", "embeddings": "embeddings",
    "images": "images", "models": "models", "moderations": "moderations",
    "responses": "responses", "rerank": "rerank", "ocr": "/v1/ocr",
}

# Folders whose paths say something: the model, the method.
PATHS_COMPARED = {"vertex", "vertex-anthropic", "bedrock", "bedrock-invoke"}


def path_today(path):
    """A recorded path as the provider block of today gives it."""
    path = re.sub(r"^/v1beta1/", "/v1/", path)
    return re.sub(r"/locations/[^/]+/", "/locations/global/", path)


LATER = "a provider of a later issue"


def decide(exchange):
    """(api for the driver, how, None), or (None, None, reason)."""
    folder = exchange["provider"]
    if folder == "writer":
        return None, None, "completions in a form of Writer's own"
    if folder not in PROVIDERS:
        return None, None, LATER
    api = exchange["api"]
    if speaks_openai(exchange):
        return "chat", "relay", None
    if (folder, api) in TRANSLATED:
        return api, "translate", None
    if (folder, api) == ("cohere", "rerank"):
        return "rerank", "relay", None
    if (folder, api) in OTHERS:
        return None, None, OTHERS[folder, api]
    if folder in CONVERTED:
        if folder == "anthropic" and api == "chat":
            # Anthropic's own OpenAI-compatible endpoint: generic reaches it.
            return "chat", "relay", None
        if folder == "bedrock-invoke" and "claude" not in exchange["model"]:
            return None, None, "InvokeModel is for Claude, Converse for all"
        if api != CONVERTED_CHAT[folder]:
            return None, None, (
                f"{api} of {folder}'s own protocol is no dialect of today")
        return "chat", "convert", None
    if api not in RELAYED_APIS:
        return None, None, f"{api} is not relayed"
    return RELAYED_APIS[api], "relay", None


# The status that an error under 200 means, by its code in the vendor's
# documents.
STATUS_OF_CODE = {
    1002: 429, 1004: 401,                       # MiniMax
    17: 429, 110: 401,                          # Baidu
    "InvalidParameter": 400,                    # Tencent
}


def status_in_200(exchange):
    body = exchange["response"].get("body")
    if not isinstance(body, dict):
        return None
    code = (body.get("base_resp") or {}).get("status_code") \
        or body.get("error_code") \
        or ((body.get("Response") or {}).get("Error") or {}).get("Code")
    return STATUS_OF_CODE[code] if code else None


def speaks_openai(exchange):
    """Qianfan's version 2 among the recordings of the older API."""
    return exchange["provider"] == "baidu" \
        and exchange["request"]["path"].startswith("/v2/")


def provider(exchange):
    folder = exchange["provider"]
    if speaks_openai(exchange):
        return "baidu", {"api_token": "k"}
    if folder == "anthropic" and exchange["api"] == "chat":
        return "generic", {"base_url": "https://api.anthropic.com"}
    return PROVIDERS[folder]
