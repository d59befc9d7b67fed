// FRESHET_CHECK: an always-on assertion. A broken invariant ends the process with its values,
// because a replica that goes on after one may spread it.
#ifndef FRESHET_CORE_CHECK_H_
#define FRESHET_CORE_CHECK_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace freshet {

[[noreturn]] inline void check_failed(const char* file, int line, const char* condition,
                                      int64_t left, int64_t right) {
  std::fprintf(stderr, "freshet: invariant broken at %s:%d: %s (%lld, %lld)\n", file, line,
               condition, static_cast<long long>(left), static_cast<long long>(right));
  std::abort();
}

}  // namespace freshet

#define FRESHET_CHECK(condition)                                     \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::freshet::check_failed(__FILE__, __LINE__, #condition, 0, 0); \
  } while (false)

// As FRESHET_CHECK, printing two numbers that tell why.
#define FRESHET_CHECK_VALUES(condition, left, right)                                      \
  do {                                                                                    \
    if (!(condition)) [[unlikely]]                                                        \
      ::freshet::check_failed(__FILE__, __LINE__, #condition, static_cast<int64_t>(left), \
                              static_cast<int64_t>(right));                               \
  } while (false)

#endif  // FRESHET_CORE_CHECK_H_
