// The switch as a program: `network_switch SEED INTERFACE…`. Lines on standard input set ways,
// `FROM TO CUT DELAY_US LOSS_PER_MILLE`, hosts counted from 0 in the order of the interfaces; each
// is answered with `ok` once it holds. Ends with its input.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "test/native/network/switch.h"

namespace {

using freshet::network::Switch;
using freshet::network::Way;

bool obey(Switch& hub, const std::string& line) {
  size_t from = 0;
  size_t to = 0;
  int cut = 0;
  long long delay = 0;
  unsigned loss = 0;
  const char* form = "%zu %zu %d %lld %u";
  if (std::sscanf(line.c_str(), form, &from, &to, &cut, &delay, &loss) != 5) return false;
  if (from >= hub.hosts() || to >= hub.hosts()) return false;
  hub.set_way(from, to, Way{cut != 0, std::chrono::microseconds(delay), loss});
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: network_switch SEED INTERFACE...\n");
    return 2;
  }
  Switch hub({words + 2, words + count}, std::strtoull(words[1], nullptr, 10));
  std::printf("ready\n");
  std::fflush(stdout);
  std::string input;
  for (;;) {
    if (!hub.run_once(STDIN_FILENO)) continue;
    char bytes[4096];
    const ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
    if (length <= 0) return 0;
    input.append(bytes, static_cast<size_t>(length));
    for (size_t end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      const std::string line = input.substr(0, end);
      input.erase(0, end + 1);
      std::printf("%s\n", obey(hub, line) ? "ok" : "no such way");
      std::fflush(stdout);
    }
  }
}
