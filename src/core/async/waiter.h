#pragma once

#include <coroutine>

namespace ai_proxy::async {

// Intrusive one-shot "it is done" node; lives in whoever waits.  done returns
// the coroutine to go on with, noop_coroutine() for nobody.
struct Waiter {
    std::coroutine_handle<> (*done)(Waiter* self) noexcept = nullptr;
};

} // namespace ai_proxy::async
