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
template <class Self>
bool Op::begin(Self& self, Waiter& waiter)
{
    waiter_ = &waiter;
    const bool ready = io_->start(self);
    state_ = ready ? State::done : State::pending;
    return ready;
}

bool SleepOp::start(Waiter& waiter)
{
    return begin(*this, waiter);
}

bool AttemptOp::start(Waiter& waiter)
{
    return begin(*this, waiter);
}

bool TokenOp::start(Waiter& waiter)
{
    return begin(*this, waiter);
}

bool PlaceOp::start(Waiter& waiter)
{
    return begin(*this, waiter);
}

bool RedisOp::start(Waiter& waiter)
{
    return begin(*this, waiter);
}

} // namespace ai_proxy::async
