// A small test runner: TEST(name) { EXPECT(...); EXPECT_EQ(a, b); }. Every test of a program runs,
// in order of definition; `program NAME` runs those whose name contains NAME.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_TEST_H_
#define FRESHET_TEST_NATIVE_SUPPORT_TEST_H_

#include <cstdint>
#include <sstream>
#include <string>

#if defined(__has_feature)
#define FRESHET_HAS_FEATURE(name) __has_feature(name)
#else
#define FRESHET_HAS_FEATURE(name) 0
#endif

namespace freshet::test {

// Every step takes many times as long then, and broken rules teach nothing about memory.
inline constexpr bool kSanitized =
    FRESHET_HAS_FEATURE(address_sanitizer) || FRESHET_HAS_FEATURE(thread_sanitizer);

using TestFunction = void (*)();
struct Registration {
  Registration(const char* name, TestFunction function);
};
void fail(const char* file, int line, const std::string& message);

// For test outcomes that depend on a seed: FRESHET_SEED, else `fallback`.
uint64_t seed(uint64_t fallback);

template <typename T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (requires { out << value; }) {
    out << value;
  } else {
    out << static_cast<int64_t>(value);
  }
  return out.str();
}

template <typename A, typename B>
void expect_equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (!(a == b)) fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
}

}  // namespace freshet::test

#define TEST(name)                                                                 \
  static void test_##name();                                                       \
  static const ::freshet::test::Registration register_##name(#name, &test_##name); \
  static void test_##name()

#define EXPECT(condition)                                                    \
  do {                                                                       \
    if (!(condition)) ::freshet::test::fail(__FILE__, __LINE__, #condition); \
  } while (false)

#define EXPECT_EQ(a, b) ::freshet::test::expect_equal(__FILE__, __LINE__, #a " == " #b, (a), (b))

#endif  // FRESHET_TEST_NATIVE_SUPPORT_TEST_H_
