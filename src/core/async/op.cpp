#include "core/async/io.h"

#include <cassert>

namespace ai_proxy::async {

Op::Op(Op&& other) noexcept : native(other.native), io_(other.io_)
{
    assert(other.state_ == State::idle);
}

Op::~Op()
{
    if (state_ == State::pending) {
        io_->cancel(*this);
    }
}

void Op::finish() noexcept
{
    assert(state_ == State::pending);
    state_ = State::done;
    // The operation lives in the frame that is resumed: not touched after.
    waiter_->done(waiter_).resume();
}

// Not pending while Io::start() runs: if it throws there is nothing to cancel.
bool SleepOp::start(Waiter& waiter)
{
    waiter_ = &waiter;
    const bool ready = io_->start(*this);
    state_ = ready ? State::done : State::pending;
    return ready;
}

bool AttemptOp::start(Waiter& waiter)
{
    waiter_ = &waiter;
    const bool ready = io_->start(*this);
    state_ = ready ? State::done : State::pending;
    return ready;
}

bool TokenOp::start(Waiter& waiter)
{
    waiter_ = &waiter;
    const bool ready = io_->start(*this);
    state_ = ready ? State::done : State::pending;
    return ready;
}

bool PlaceOp::start(Waiter& waiter)
{
    waiter_ = &waiter;
    const bool ready = io_->start(*this);
    state_ = ready ? State::done : State::pending;
    return ready;
}

} // namespace ai_proxy::async
