#include "core/async/task.h"

#include "fake_io.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

// The shapes of coroutine code that the rules allow, each run at once, with
// suspensions, and destroyed at every one of them, while constructions and
// destructions are counted.  It tells what a new compiler breaks; run it under
// AddressSanitizer.  The shapes that are refused are those of
// tests/style/coroutine_lint.py.
namespace ai_proxy::async {
namespace {

using testing::FakeIo;
using testing::run_every_way;

int made = 0, gone = 0;

// Not trivial, not an aggregate; owns memory, so that a double destruction is
// a double free.
class Counted {
public:
    explicit Counted(int n) : n_(std::make_unique<int>(n)) { ++made; }
    Counted(const Counted& o) : n_(std::make_unique<int>(*o.n_)) { ++made; }
    Counted(Counted&& o) noexcept : n_(std::move(o.n_)) { ++made; }
    Counted& operator=(const Counted& o)
    {
        n_ = std::make_unique<int>(*o.n_);
        return *this;
    }
    Counted& operator=(Counted&& o) noexcept = default;
    ~Counted() { ++gone; }
    [[nodiscard]] int value() const { return n_ ? *n_ : -1; }

private:
    std::unique_ptr<int> n_;
};

struct Pair { // an aggregate with members that are not trivial
    Counted a, b;
};

struct Plain {
    int a = 0, b = 0;
};

// ---- children

Task<void> nothing(Scope& s)
{
    co_await s.io.sleep(1);
}

Task<int> number(Scope& s, int n)
{
    co_await s.io.sleep(1);
    co_return n;
}

Task<bool> yes(Scope&)
{
    co_return true;
}

Task<Counted> counted(Scope& s, int n)
{
    co_await s.io.sleep(1);
    co_return Counted(n);
}

Task<Pair> pair_of(Scope& s, int a, int b)
{
    co_await s.io.sleep(1);
    co_return Pair{Counted(a), Counted(b)};
}

Task<std::tuple<Counted, std::string>> tuple_of(Scope& s, int n)
{
    co_await s.io.sleep(1);
    co_return std::tuple(Counted(n), std::to_string(n));
}

Task<std::optional<Counted>> maybe(Scope& s, bool there)
{
    co_await s.io.sleep(1);
    if (!there) {
        co_return std::nullopt;
    }
    co_return Counted(5);
}

Task<std::vector<Counted>> several(Scope& s, int n)
{
    std::vector<Counted> list;
    for (int i = 0; i < n; ++i) {
        Counted one = co_await counted(s, i);
        list.push_back(std::move(one));
    }
    co_return list;
}

Task<std::unique_ptr<Counted>> owned(Scope& s, int n)
{
    co_await s.io.sleep(1);
    co_return std::make_unique<Counted>(n);
}

Task<size_t> length(Scope& s, std::string_view text)
{
    co_await s.io.sleep(1);
    co_return text.size();
}

Task<int> by_reference(Scope& s, const Counted& c)
{
    co_await s.io.sleep(1);
    co_return c.value();
}

Task<int> by_mutable_reference(Scope& s, Pair& p)
{
    co_await s.io.sleep(1);
    p.a = Counted(p.b.value() + 1);
    co_return p.a.value();
}

Task<int> by_plain_value(Scope& s, Plain p)
{
    co_await s.io.sleep(1);
    co_return p.a * 10 + p.b;
}

template <class T>
Task<T> echo(Scope& s, const T& value)
{
    co_await s.io.sleep(1);
    co_return value;
}

Task<int> thrower(Scope& s, int n)
{
    co_await s.io.sleep(1);
    if (n > 0) {
        throw Counted(n);
    }
    co_return n;
}

// ---- shapes; each gives the number its row says

Task<int> statement_only(Scope& s)
{
    co_await nothing(s);
    co_await nothing(s);
    co_return 1;
}

Task<int> no_local_before(Scope& s)
{
    const bool v = co_await yes(s);
    if (v) {
        co_return 5;
    }
    co_return 6;
}

Task<int> discarded_result(Scope& s)
{
    (void)co_await counted(s, 1);
    co_return 2;
}

Task<int> assigned(Scope& s)
{
    Counted c(1);
    c = co_await counted(s, 7);
    c = co_await counted(s, 8);
    co_return c.value();
}

Task<int> assigned_to_a_member(Scope& s)
{
    Pair p{Counted(1), Counted(2)};
    p.b = co_await counted(s, 9);
    co_return p.a.value() + p.b.value();
}

Task<int> passed_on(Scope& s)
{
    Counted held(1);
    co_return co_await number(s, 4);
}

Task<Counted> passed_on_object(Scope& s)
{
    co_return co_await counted(s, 11);
}

Task<int> object_from_grandchild(Scope& s)
{
    Counted c = co_await passed_on_object(s);
    co_return c.value();
}

Task<int> temporary_argument(Scope& s)
{
    const int n = co_await by_reference(s, Counted(12));
    co_return n;
}

Task<int> moved_argument(Scope& s)
{
    Counted c(13);
    const int n = co_await by_reference(s, Counted(std::move(c)));
    co_return n;
}

Task<int> aggregate_by_reference(Scope& s)
{
    Pair p{Counted(1), Counted(2)};
    const int n = co_await by_mutable_reference(s, p);
    co_return n * 10 + p.a.value();
}

Task<int> plain_value(Scope& s)
{
    Plain p;
    p.a = 4;
    p.b = 2;
    const int n = co_await by_plain_value(s, p);
    co_return n;
}

Task<int> view_of_a_temporary(Scope& s)
{
    const std::string a = "a string that is long enough", b = " for the heap";
    const size_t n = co_await length(s, a + b);
    co_return static_cast<int>(n);
}

Task<int> string_results(Scope& s)
{
    const std::string text = "a string that is long enough for the heap";
    std::string once = co_await echo(s, text);
    once = co_await echo<std::string>(s, once + "!");
    co_return static_cast<int>(once.size());
}

Task<int> aggregate_result(Scope& s)
{
    Pair p = co_await pair_of(s, 3, 4);
    co_return p.a.value() * 10 + p.b.value();
}

Task<int> tuple_result(Scope& s)
{
    auto both = co_await tuple_of(s, 6);
    auto& [c, text] = both;
    co_return c.value() * 10 + static_cast<int>(text.size());
}

Task<int> optional_results(Scope& s)
{
    std::optional<Counted> there = co_await maybe(s, true);
    std::optional<Counted> missing = co_await maybe(s, false);
    co_return there->value() * 10 + (missing.has_value() ? 1 : 0);
}

Task<int> vector_result(Scope& s)
{
    std::vector<Counted> list = co_await several(s, 3);
    co_return static_cast<int>(list.size()) * 10 + list.back().value();
}

Task<int> owned_result(Scope& s)
{
    auto p = co_await owned(s, 14);
    co_return p->value();
}

Task<int> loop_with_objects(Scope& s)
{
    int total = 0;
    for (int i = 0; i < 3; ++i) {
        Counted before(i);
        Counted c = co_await counted(s, i * 10);
        if (i == 1) {
            continue;
        }
        total += c.value() + before.value();
    }
    co_return total;
}

Task<int> endless_loop_left(Scope& s)
{
    int n = 0;
    for (;;) {
        Counted c = co_await counted(s, n);
        if (c.value() == 2) {
            break;
        }
        ++n;
    }
    while (n < 5) {
        n = co_await number(s, n + 1);
    }
    co_return n;
}

Task<int> early_return(Scope& s)
{
    Counted first = co_await counted(s, 1);
    if (first.value() == 1) {
        Counted second = co_await counted(s, 20);
        co_return second.value() + first.value();
    }
    Counted third = co_await counted(s, 3);
    co_return third.value();
}

Task<int> in_a_switch(Scope& s)
{
    int total = 0;
    for (int i = 0; i < 3; ++i) {
        switch (i) {
        case 0: {
            Counted c = co_await counted(s, 100);
            total += c.value();
            break;
        }
        case 1:
            total = co_await number(s, total + 10);
            break;
        default:
            co_await nothing(s);
            break;
        }
    }
    co_return total;
}

Task<int> child_throws(Scope& s)
{
    Counted held(1);
    int caught = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            Counted inside(2);
            const int n = co_await thrower(s, i);
            caught += n;
        } catch (const Counted& c) {
            caught += c.value() * 10;
        }
    }
    co_return caught + held.value();
}

class Holder {
public:
    explicit Holder(int n) : c_(n) {}
    Task<int> plus(Scope& s, int n)
    {
        Counted other = co_await counted(s, n);
        co_return c_.value() + other.value();
    }
    Task<int> twice(Scope& s) const
    {
        co_await nothing(s);
        co_return c_.value() * 2;
    }

private:
    Counted c_;
};

Task<int> members(Scope& s)
{
    Holder holder(30);
    const int a = co_await holder.plus(s, 3);
    const int b = co_await holder.twice(s);
    co_return a + b;
}

Task<int> member_of_a_temporary(Scope& s)
{
    const int n = co_await Holder(40).plus(s, 2);
    co_return n;
}

Task<int> deep(Scope& s, int depth)
{
    Counted held(depth);
    if (depth == 0) {
        co_await nothing(s);
        co_return 0;
    }
    const int below = co_await deep(s, depth - 1);
    co_return below + held.value();
}

Task<int> recursion(Scope& s)
{
    co_return co_await deep(s, 4);
}

Task<int> nothing_suspends(Scope& s)
{
    Counted held(3);
    const bool v = co_await yes(s);
    co_return v ? held.value() : 0;
}

struct Shape {
    const char* name;
    Task<int> (*run)(Scope&);
    int result;
};

// clang-format off
constexpr Shape kShapes[] = {
    {"statement_only",         statement_only,         1},
    {"no_local_before",        no_local_before,        5},
    {"discarded_result",       discarded_result,       2},
    {"assigned",               assigned,               8},
    {"assigned_to_a_member",   assigned_to_a_member,   10},
    {"passed_on",              passed_on,              4},
    {"object_from_grandchild", object_from_grandchild, 11},
    {"temporary_argument",     temporary_argument,     12},
    {"moved_argument",         moved_argument,         13},
    {"aggregate_by_reference", aggregate_by_reference, 33},
    {"plain_value",            plain_value,            42},
    {"view_of_a_temporary",    view_of_a_temporary,    41},
    {"string_results",         string_results,         42},
    {"aggregate_result",       aggregate_result,       34},
    {"tuple_result",           tuple_result,           61},
    {"optional_results",       optional_results,       50},
    {"vector_result",          vector_result,          32},
    {"owned_result",           owned_result,           14},
    {"loop_with_objects",      loop_with_objects,      22},
    {"endless_loop_left",      endless_loop_left,      5},
    {"early_return",           early_return,           21},
    {"in_a_switch",            in_a_switch,            110},
    {"child_throws",           child_throws,           31},
    {"members",                members,                93},
    {"member_of_a_temporary",  member_of_a_temporary,  42},
    {"recursion",              recursion,              10},
    {"nothing_suspends",       nothing_suspends,       3},
};
// clang-format on

const Shape* current = nullptr;

struct ShapeWorld {
    explicit ShapeWorld(FakeIo&) {}
    Task<int> task(Scope& s) { return current->run(s); }
    void check(int result) { EXPECT_EQ(result, current->result); }
};

class CoroutineShape : public ::testing::TestWithParam<Shape> {};

TEST_P(CoroutineShape, ConstructsAndDestroysInPairs)
{
    current = &GetParam();
    made = gone = 0;
    run_every_way<ShapeWorld>();
    EXPECT_EQ(made, gone);
}

INSTANTIATE_TEST_SUITE_P(Allowed, CoroutineShape, ::testing::ValuesIn(kShapes),
    [](const auto& row) { return std::string(row.param.name); });

} // namespace
} // namespace ai_proxy::async
