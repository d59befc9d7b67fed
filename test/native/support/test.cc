#include "test/native/support/test.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace freshet::test {
namespace {

struct Case {
  const char* name;
  TestFunction function;
};

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

int failures = 0;

}  // namespace

Registration::Registration(const char* name, TestFunction function) {
  cases().push_back({name, function});
}

void fail(const char* file, int line, const std::string& message) {
  std::printf("  %s:%d: %s\n", file, line, message.c_str());
  std::fflush(stdout);  // a crash may follow
  failures++;
}

uint64_t seed(uint64_t fallback) {
  const char* given = std::getenv("FRESHET_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : fallback;
}

}  // namespace freshet::test

int main(int argc, char** argv) {
  using namespace freshet::test;
  int failed = 0;
  int run = 0;
  for (const Case& item : cases()) {
    if (argc > 1 && std::strstr(item.name, argv[1]) == nullptr) continue;
    const int before = failures;
    item.function();
    run++;
    if (failures != before) failed++;
    std::printf("%s %s\n", failures == before ? "ok" : "FAILED", item.name);
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", run - failed, failed);
  return failed == 0 && run > 0 ? 0 : 1;
}
