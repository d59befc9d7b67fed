// Members over loopback tcp, load on them, and what the machine could do in the same run.
//
//   core_bench [--members 3] [--senders 3] [--size 100] [--window 1000] [--seconds 3]
//              [--persistent] [--raw] [--idle] [--spin 0] [--ring 4194304] [--keys 1000]
//              [--pools 1] [--shards 1] [--history 4] [--versions 0] [--memory 1]
//              [--folder F] [--alone] [--streams] [--loader rank] [--puts 0] [--warm 0]
//
// `--puts`: so many of each sender are measured, to the last answer of all, if `--seconds` do for
// them, behind `--warm` that are not. `--versions`: put before anything is measured; `--memory`:
// GiB of a member's shards.
// `--raw`: triggers, delivered as they are received; `--alone`: nothing but the members is
// measured; `--streams`: TCP streams from the senders to all others too. Prints one line of JSON.
// `--window 1 --senders 1` is one put at a time.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <numeric>
#include <span>
#include <system_error>
#include <vector>

#include "native/bench/bench_member.h"
#include "native/bench/raw_streams.h"
#include "native/core/check.h"
#include "native/io/tcp/socket.h"

namespace {

using namespace freshet::bench;
using freshet::kWorkKinds;

struct Arguments {
  Options options;
  bool alone = false;
  bool streams = false;
};

// What the machine does in the same run, as far as it was asked for.
struct Reference {
  Percentiles ping_pong;
  SyncRate logs;
  Percentiles one_log;
  double stream_bytes = 0;    // a second, connected as the system has it
  double unspaced_bytes = 0;  // and as members on one machine are
};

bool read_arguments(int argc, char** argv, Arguments& out) {
  Options& options = out.options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--persistent") {
      options.persistent = true;
    } else if (name == "--idle") {
      options.idle = true;
    } else if (name == "--raw") {
      options.raw = true;
    } else if (name == "--alone") {
      out.alone = true;
    } else if (name == "--streams") {
      out.streams = true;
    } else if (i + 1 == argc) {
      return false;
    } else {
      const char* value = argv[++i];
      const auto number = std::strtoull(value, nullptr, 10);
      if (name == "--size")
        options.size = number;
      else if (name == "--members")
        options.members = static_cast<int>(number);
      else if (name == "--senders")
        options.senders = static_cast<int>(number);
      else if (name == "--loader")
        options.loader = static_cast<int>(number);
      else if (name == "--window")
        options.window = number;
      else if (name == "--seconds")
        options.seconds = std::atof(value);
      else if (name == "--puts")
        options.puts = number;
      else if (name == "--warm")
        options.warm_puts = number;
      else if (name == "--spin")
        options.spin_us = static_cast<int>(number);
      else if (name == "--ring")
        options.ring_size = number;
      else if (name == "--keys")
        options.keys = number;
      else if (name == "--pools")
        options.pools = static_cast<uint32_t>(number);
      else if (name == "--shards")
        options.shards = static_cast<uint32_t>(number);
      else if (name == "--history")
        options.history = static_cast<uint32_t>(number);
      else if (name == "--versions")
        options.versions = number;
      else if (name == "--memory")
        options.memory_gib = std::atof(value);
      else if (name == "--folder")
        options.folder = value;
      else
        return false;
    }
  }
  const bool fits = options.members >= 1 && options.members <= kMembersMax && options.pools >= 1 &&
                    options.shards >= 1;
  return fits && options.senders >= 1 && options.senders <= options.members && options.window >= 1;
}

Reference measure_reference(const Arguments& arguments) {
  const Options& options = arguments.options;
  Reference reference;
  if (arguments.alone) return reference;
  reference.ping_pong = ping_pong(5000);
  if (options.persistent) {
    // As many bytes a sync as 64 records of this size.
    const size_t record = options.size + 92;
    reference.logs = side_by_side_logs(options.folder, options.members, 64 * record, 1);
    reference.one_log = one_log(options.folder, record, 1);
  }
  if (arguments.streams) {
    const auto streams = [&](std::string_view congestion_control) {
      const auto [members, senders] = std::pair(options.members, options.senders);
      return raw_streams(members, senders, options.size, options.seconds, congestion_control);
    };
    reference.stream_bytes = streams("");
    reference.unspaced_bytes = streams(freshet::tcp::kUnspaced);
  }
  return reference;
}

void print(const Options& options, const SharedState& shared, const Reference& reference) {
  double puts = 0;
  double cpu = 0;
  double seconds = 0;
  uint64_t refused = 0;
  uint64_t copied = 0;
  std::array<double, kWorkKinds> work{};
  for (const Outcome& outcome :
       std::span(shared.outcomes).first(static_cast<size_t>(options.members))) {
    if (outcome.seconds > 0) puts += static_cast<double>(outcome.completed) / outcome.seconds;
    cpu += outcome.cpu_seconds;
    seconds = outcome.seconds;
    refused += outcome.refused;
    copied += outcome.copied;
    for (size_t i = 0; i < kWorkKinds; i++) work[i] += static_cast<double>(outcome.work[i]);
  }
  const double metered = std::max(1.0, std::accumulate(work.begin(), work.end(), 0.0));
  const Outcome& first = shared.outcomes[options.loader < 0 ? 0 : options.loader];
  std::printf(
      "{\"size\":%zu,\"senders\":%d,\"window\":%zu,\"persistent\":%s,\"spinMicros\":%d,"
      "\"ring\":%zu,\"seconds\":%.2f,\"putsPerSecond\":%.3f,\"refused\":%llu,"
      "\"latencyP50\":%.1f,\"latencyP99\":%.1f,\"latencyMean\":%.1f,\"cpuShare\":%.3f,"
      "\"work\":{\"protocol\":%.4f,\"copy\":%.4f,\"system\":%.4f,\"idle\":%.4f},"
      "\"copiedPerSecond\":%.0f,\"passes\":%llu,\"systemCalls\":%llu,\"logBatches\":%llu,"
      "\"pingPongP50\":%.1f,\"pingPongP99\":%.1f,\"rawSyncsPerSecond\":%.0f,"
      "\"rawSyncP50\":%.1f,\"rawStreamBytesPerSecond\":%.0f,"
      "\"rawUnspacedBytesPerSecond\":%.0f}\n",
      options.size, options.idle ? 0 : options.senders, options.window,
      options.persistent ? "true" : "false", options.spin_us, options.ring_size, seconds, puts,
      static_cast<unsigned long long>(refused), first.latency.p50_us, first.latency.p99_us,
      first.latency.mean_us, cpu / seconds, work[0] / metered, work[1] / metered, work[2] / metered,
      work[3] / metered, static_cast<double>(copied) / seconds,
      static_cast<unsigned long long>(first.passes),
      static_cast<unsigned long long>(first.system_calls),
      static_cast<unsigned long long>(first.log_batches), reference.ping_pong.p50_us,
      reference.ping_pong.p99_us, reference.logs.syncs_per_second, reference.one_log.p50_us,
      reference.stream_bytes, reference.unspaced_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!read_arguments(argc, argv, arguments)) {
    std::fprintf(stderr, "core_bench: see the options at the top of core_bench.cc\n");
    return 2;
  }
  Options& options = arguments.options;
  const bool own_folder = options.folder.empty();
  if (own_folder) {
    std::error_code none;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(none);
    options.folder = (temporary / "freshet-bench-XXXXXX").string();
    if (none || mkdtemp(options.folder.data()) == nullptr) {
      std::fprintf(stderr, "core_bench: set TMPDIR to a folder that is there, or give --folder\n");
      return 1;
    }
  }
  const Reference reference = measure_reference(arguments);
  void* memory =
      mmap(nullptr, sizeof(SharedState), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FRESHET_CHECK(memory != MAP_FAILED);
  auto* shared = new (memory) SharedState;
  std::vector<pid_t> children;
  for (int i = 0; i < options.members; i++) {
    children.push_back(fork());
    if (children.back() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      run_member(i, options, *shared);
      _exit(0);
    }
  }
  int failures = 0;
  // Others may wait for one that failed; they end with this process.
  for (size_t left = children.size(); left > 0 && failures == 0; left--) {
    int status = 0;
    waitpid(-1, &status, 0);
    if (status != 0) failures++;
  }
  if (own_folder) {
    const std::string command = "rm -rf '" + options.folder + "'";
    if (std::system(command.c_str()) != 0) failures++;
  }
  if (failures > 0) return 1;
  print(options, *shared, reference);
  return 0;
}
