#include "core/credential/service_account.h"

#include "input.h"

#include <string>

// Key files of service accounts and answers of token endpoints, by the first
// byte of the input.

using namespace ai_proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if ((data[0] & 1) != 0) {
        const int status = (data[0] & 2) != 0 ? 400 : 200;
        const auto token = credential::read_token_answer(status, text);
        if (token) {
            fuzz::require(!token->token.empty(), "a token is a text");
            fuzz::require(token->expires_in >= 0, "it does not expire before");
            fuzz::require(
                token->token.find_first_of("\r\n") == std::string::npos,
                "it stays on its line");
        } else {
            fuzz::require(!token.error().message.empty(), "a refusal says why");
        }
        return 0;
    }
    const auto account = credential::ServiceAccount::parse(text);
    if (!account) {
        fuzz::require(!account.error().message.empty(), "a refusal says why");
        return 0;
    }
    const auto form = account->token_request(1'700'000'000);
    fuzz::require(form.ok(), "a key that was taken signs");
    fuzz::require(
        form->find_first_of("\r\n ") == std::string::npos, "a form is encoded");
    return 0;
}
