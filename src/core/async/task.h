#pragma once

#include "core/async/frame_arena.h"
#include "core/async/waiter.h"

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

// Coroutines of one request: lazy, owned by whoever awaits them, freed as a
// whole by destroying the outermost one.  One thread, no scheduler.
namespace ai_proxy::async {

class Io;

// First parameter of every coroutine (the second one of a member).
struct Scope {
    FrameArena& frames;
    Io& io;
};

// What may be awaited: start() returns true when it has finished already (the
// waiter is not called then); take() gives the result, once.
template <class A>
concept Startable = requires(A a, Waiter& waiter)
{
    {
        a.start(waiter)
        } -> std::same_as<bool>;
    a.take();
};

// Made by co_await of an rvalue, which lives in the frame until the end of the
// full expression.
template <Startable A>
class Awaiter : Waiter {
public:
    explicit Awaiter(A& operand) noexcept : Waiter{&resumed}, operand_(operand)
    {
    }
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;

    bool await_ready() { return operand_.start(*this); }
    void await_suspend(std::coroutine_handle<> parent) noexcept
    {
        parent_ = parent;
    }
    auto await_resume() { return operand_.take(); }

private:
    static std::coroutine_handle<> resumed(Waiter* self) noexcept
    {
        return static_cast<Awaiter*>(self)->parent_;
    }

    A& operand_;
    std::coroutine_handle<> parent_;
};

template <class A>
requires(!std::is_lvalue_reference_v<A> && Startable<A>)
    [[nodiscard]] Awaiter<A>
    operator co_await(A&& operand) noexcept
{
    return Awaiter<A>(operand);
}

class PromiseBase {
public:
    // GCC 12 warns falsely of mismatched new and delete unless inlined.
    template <class... Rest>
    [[gnu::always_inline]] static void* operator new(
        size_t size, Scope& scope, const Rest&...)
    {
        return scope.frames.alloc(size);
    }
    template <class Self, class... Rest>
    requires(!std::same_as<Self, Scope>) [[gnu::always_inline]] static void*
    operator new(size_t size, const Self&, Scope& scope, const Rest&...)
    {
        return scope.frames.alloc(size);
    }
    [[gnu::always_inline]] static void operator delete(
        void* frame, size_t) noexcept
    {
        FrameArena::free(frame);
    }

    std::suspend_always initial_suspend() noexcept { return {}; }

    // A child that ends while it is being started returns to its caller like
    // a function; only after a real suspension control is transferred.  So the
    // stack does not grow with the number of rounds of a loop.
    struct Final {
        bool await_ready() noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(
            std::coroutine_handle<P> handle) noexcept
        {
            PromiseBase& promise = handle.promise();
            if (promise.starting_) {
                return std::noop_coroutine();
            }
            return promise.waiter_->done(promise.waiter_);
        }
        void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { error_ = std::current_exception(); }

protected:
    template <class T>
    friend class Task;

    void rethrow()
    {
        if (error_) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

    Waiter* waiter_ = nullptr;
    bool starting_ = false;
    std::exception_ptr error_;
};

template <class T>
class Promise;

// Owns a frame: destroying the task destroys it and everything it waits for.
// Awaited once, as an rvalue, in the expression that makes it.
template <class T>
class [[nodiscard]] Task {
public:
    using promise_type = Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle handle) noexcept : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task& operator=(Task&&) = delete;
    ~Task()
    {
        if (handle_) {
            handle_.destroy();
        }
    }

    bool start(Waiter& waiter)
    {
        PromiseBase& promise = handle_.promise();
        promise.waiter_ = &waiter;
        promise.starting_ = true;
        handle_.resume();
        promise.starting_ = false;
        return handle_.done();
    }
    [[nodiscard]] bool done() const noexcept { return handle_.done(); }
    // Rethrows what left the coroutine (std::bad_alloc).
    T take() { return handle_.promise().take(); }

private:
    Handle handle_;
};

template <class T>
class Promise : public PromiseBase {
public:
    Task<T> get_return_object() noexcept
    {
        return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
    }
    template <class U>
    requires std::convertible_to<U, T>
    void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
    T take()
    {
        rethrow();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
public:
    Task<void> get_return_object() noexcept
    {
        return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
    }
    void return_void() noexcept {}
    void take() { rethrow(); }
};

// The outermost owner.  Its waiter does nothing, so a task is never finished
// or destroyed from inside itself: the driver looks at done() after control
// has come back.
template <class T>
class Root {
public:
    explicit Root(Task<T> task) noexcept
        : waiter_{&nobody}, task_(std::move(task))
    {
    }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    // True: done() already.
    bool start() { return task_.start(waiter_); }
    [[nodiscard]] bool done() const noexcept { return task_.done(); }
    T take() { return task_.take(); }

private:
    static std::coroutine_handle<> nobody(Waiter*) noexcept
    {
        return std::noop_coroutine();
    }

    Waiter waiter_;
    Task<T> task_;
};

// GCC 12 frees temporaries of some parameter types twice, and a reference to
// a temporary is dead after the first suspension: parameters are lvalue
// references or values without a destructor, after the Scope.
template <class P>
consteval bool parameter_allowed()
{
    using T = std::remove_cvref_t<P>;
    if constexpr (std::is_rvalue_reference_v<P>) {
        return false;
    } else if constexpr (!std::is_lvalue_reference_v<P>) {
        return std::is_trivially_destructible_v<P>;
    } else if constexpr (std::is_const_v<std::remove_reference_t<P>>) {
        return !std::is_aggregate_v<T> || std::is_trivially_copyable_v<T>;
    } else {
        return true;
    }
}

template <class... Ps>
struct CheckParameters : std::false_type {
};
template <class... Ps>
struct CheckParameters<Scope&, Ps...>
    : std::bool_constant<(parameter_allowed<Ps>() && ...)> {
};
template <class Self, class... Ps>
requires(
    !std::same_as<Self, Scope&>) struct CheckParameters<Self, Scope&, Ps...>
    : std::bool_constant<std::is_lvalue_reference_v<
                             Self> && (parameter_allowed<Ps>() && ...)> {
};

} // namespace ai_proxy::async

template <class T, class... Ps>
struct std::coroutine_traits<ai_proxy::async::Task<T>, Ps...> {
    static_assert(ai_proxy::async::CheckParameters<Ps...>::value,
        "a coroutine takes Scope& first, then lvalue references or values "
        "without a destructor");
    using promise_type = ai_proxy::async::Promise<T>;
};
