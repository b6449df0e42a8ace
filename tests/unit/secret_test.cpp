#include "core/base/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

using ai_proxy::Secret;

namespace {

template <class T>
concept Comparable = requires(const T& a)
{
    a == a;
};
template <class T>
concept Streamable = requires(std::ostream& out, const T& a)
{
    out << a;
};

TEST(SecretType, CannotBePrintedComparedOrConverted)
{
    EXPECT_FALSE(Comparable<Secret>);
    EXPECT_FALSE(Streamable<Secret>);
    EXPECT_FALSE((std::is_convertible_v<Secret, std::string>));
    EXPECT_FALSE((std::is_convertible_v<Secret, std::string_view>));
    EXPECT_FALSE((std::is_convertible_v<std::string, Secret>));
}

TEST(SecretType, EqualsOnlyTheWholeText)
{
    const Secret secret(std::string("sk-abc"));
    EXPECT_TRUE(secret.equals("sk-abc"));
    for (const char* other : {"", "sk-ab", "sk-abd", "sk-abcsk-abc", "Sk-abc"})
    {
        EXPECT_FALSE(secret.equals(other)) << other;
    }
    EXPECT_TRUE(Secret().equals(""));
    EXPECT_FALSE(Secret().equals(std::string_view("\0", 1)));
}

TEST(SecretType, CopiesAreIndependent)
{
    Secret a(std::string("sk-first"));
    Secret b = a;
    a = Secret(std::string("sk-second"));
    EXPECT_EQ(b.reveal(), "sk-first");
    EXPECT_EQ(a.reveal(), "sk-second");
    b = std::move(a);
    EXPECT_EQ(b.reveal(), "sk-second");
    Secret& same = b;
    b = same;
    EXPECT_EQ(b.reveal(), "sk-second");
}

// Short texts live inside the object, so its storage can be read afterwards.
TEST(SecretType, WipesItsMemory)
{
    alignas(Secret) unsigned char storage[sizeof(Secret)];
    const std::string text = "sk-0123456789";
    const auto holds = [&] {
        unsigned char* const end = storage + sizeof(storage);
        return std::search(storage, end, text.begin() + 2, text.end()) != end;
    };
    auto* secret = new (storage) Secret(std::string(text));
    ASSERT_TRUE(holds());
    secret->~Secret();
    EXPECT_FALSE(holds());

    secret = new (storage) Secret(std::string(text));
    Secret taken;
    taken = std::move(*secret);
    EXPECT_FALSE(holds()) << "moved-from object keeps the text";
    secret->~Secret();
    EXPECT_EQ(taken.reveal(), text);
}

} // namespace
