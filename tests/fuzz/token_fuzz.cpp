#include "core/consumer/base64url.h"
#include "core/consumer/jwk.h"
#include "core/consumer/policy.h"
#include "core/consumer/token.h"
#include "core/credential/digest.h"

#include "input.h"

#include <string>

// Tokens and key sets, by the first byte of the input.  What is verified was
// signed: the secret is not in the inputs.

using namespace ai_proxy;

namespace {

void try_key_set(std::string_view text)
{
    const auto set = consumer::JwkSet::parse(text);
    if (!set) {
        fuzz::require(!set.error().message.empty(), "a refusal says why");
        return;
    }
    fuzz::require(set->size() > 0, "a set has keys");
    for (const char* name : {"RS256", "PS512", "ES256", "ES512", "EdDSA"}) {
        fuzz::require(!set->verify(*consumer::find_algorithm(name), "", "text",
                          std::string(132, 'x')),
            "nobody signed this");
    }
}

void try_token(std::string_view text)
{
    static const auto set = consumer::JwkSet::parse(
        R"({"keys":[{"kty":"oct","k":"c2VjcmV0LW9mLXRoZS10YXJnZXQtdGhhdC1ub2)"
        R"(JvZHkta25vd3M"},{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9)"
        R"(tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStik)"
        R"(YjKIWI5a0"}]})");
    const auto token = consumer::Token::read(text);
    if (!token) {
        fuzz::require(!token.error().message.empty(), "a refusal says why");
        return;
    }
    fuzz::require(token->claims().is_object(), "claims are an object");
    fuzz::require(!token->signature().empty(), "there is a signature");
    const std::string again(credential::base64url(token->signature()));
    fuzz::require(text.ends_with("." + again), "one text for one value");
    (void)set->verify(token->algorithm(), token->key_id(), token->signed_text(),
        token->signature());
    (void)consumer::validity(token->claims(), 1'700'000'000, 60);
    for (const json::Member member : token->claims().members()) {
        const std::string said = consumer::claim_text(member.value);
        fuzz::require(said.find_first_of("\r\n") == std::string::npos,
            "a header field stays on its line");
        (void)consumer::has_value(member.value, member.key);
    }
}

void try_places(std::string_view text)
{
    const size_t line = std::min(text.find('\n'), text.size());
    const Header fields[] = {{"cookie", text.substr(0, line)},
        {"sec-websocket-protocol", text}, {"authorization", text}};
    const std::string_view query = text.substr(line);
    std::vector<consumer::Place> places = consumer::usual_places();
    places.push_back({consumer::Where::cookie, "k", {}, false});
    places.push_back({consumer::Where::query, "k", {}, false});
    for (const auto& one :
        consumer::find_presented(places, {fields, query, true})) {
        fuzz::require(!one.value.empty(), "nothing is no credential");
    }
    const std::string kept = consumer::without_places(places, query, true);
    const consumer::Call rest{{}, kept, true};
    fuzz::require(consumer::find_presented(places, rest).empty(),
        "what is taken out is gone");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        try_token(text);
        break;
    case 1:
        try_key_set(text);
        break;
    default:
        try_places(text);
    }
    return 0;
}
