// Three members over loopback tcp, load on them, and what the machine could do in the same run.
//
//   core_bench [--size 100] [--senders 3] [--window 1000] [--seconds 3] [--persistent] [--idle]
//              [--spin 0] [--ring 4194304] [--keys 1000] [--folder F] [--no-raw] [--loader rank]
//
// Prints one line of JSON. `--window 1 --senders 1` is one put at a time.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

#include "native/bench/bench_member.h"
#include "native/core/check.h"

namespace {

using namespace freshet::bench;

struct Arguments {
  Options options;
  bool raw = true;
};

bool read_arguments(int argc, char** argv, Arguments& out) {
  Options& options = out.options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--persistent") {
      options.persistent = true;
    } else if (name == "--idle") {
      options.idle = true;
    } else if (name == "--no-raw") {
      out.raw = false;
    } else if (i + 1 == argc) {
      return false;
    } else {
      const char* value = argv[++i];
      const auto number = std::strtoull(value, nullptr, 10);
      if (name == "--size")
        options.size = number;
      else if (name == "--senders")
        options.senders = static_cast<int>(number);
      else if (name == "--loader")
        options.loader = static_cast<int>(number);
      else if (name == "--window")
        options.window = number;
      else if (name == "--seconds")
        options.seconds = std::atof(value);
      else if (name == "--spin")
        options.spin_us = static_cast<int>(number);
      else if (name == "--ring")
        options.ring_size = number;
      else if (name == "--keys")
        options.keys = number;
      else if (name == "--folder")
        options.folder = value;
      else
        return false;
    }
  }
  return options.senders >= 1 && options.senders <= kMembers && options.window >= 1;
}

void print(const Options& options, const SharedState& shared, const Percentiles& raw,
           const SyncRate& logs) {
  double puts = 0;
  double cpu = 0;
  double seconds = 0;
  uint64_t refused = 0;
  for (const Outcome& outcome : shared.outcomes) {
    if (outcome.seconds > 0) puts += static_cast<double>(outcome.completed) / outcome.seconds;
    cpu += outcome.cpu_seconds;
    seconds = outcome.seconds;
    refused += outcome.refused;
  }
  const Outcome& first = shared.outcomes[options.loader < 0 ? 0 : options.loader];
  std::printf(
      "{\"size\":%zu,\"senders\":%d,\"window\":%zu,\"persistent\":%s,\"spinMicros\":%d,"
      "\"ring\":%zu,\"seconds\":%.2f,\"putsPerSecond\":%.0f,\"refused\":%llu,"
      "\"latencyP50\":%.1f,\"latencyP99\":%.1f,\"latencyMean\":%.1f,\"cpuShare\":%.3f,"
      "\"passes\":%llu,\"systemCalls\":%llu,\"logBatches\":%llu,"
      "\"pingPongP50\":%.1f,\"pingPongP99\":%.1f,\"rawSyncsPerSecond\":%.0f}\n",
      options.size, options.idle ? 0 : options.senders, options.window,
      options.persistent ? "true" : "false", options.spin_us, options.ring_size, seconds, puts,
      static_cast<unsigned long long>(refused), first.latency.p50_us, first.latency.p99_us,
      first.latency.mean_us, cpu / seconds, static_cast<unsigned long long>(first.passes),
      static_cast<unsigned long long>(first.system_calls),
      static_cast<unsigned long long>(first.log_batches), raw.p50_us, raw.p99_us,
      logs.syncs_per_second);
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
  Percentiles raw;
  SyncRate logs;
  if (arguments.raw) {
    raw = ping_pong(5000);
    // As many bytes a sync as 64 records of this size.
    if (options.persistent)
      logs = side_by_side_logs(options.folder, kMembers, 64 * (options.size + 92), 1);
  }
  void* memory =
      mmap(nullptr, sizeof(SharedState), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FRESHET_CHECK(memory != MAP_FAILED);
  auto* shared = new (memory) SharedState;
  pid_t children[kMembers];
  for (int i = 0; i < kMembers; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      run_member(i, options, *shared);
      _exit(0);
    }
  }
  int failures = 0;
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) failures++;
  }
  if (own_folder) {
    const std::string command = "rm -rf '" + options.folder + "'";
    if (std::system(command.c_str()) != 0) failures++;
  }
  if (failures > 0) return 1;
  print(options, *shared, raw, logs);
  return 0;
}
