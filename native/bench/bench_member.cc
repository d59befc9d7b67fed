#include "native/bench/bench_member.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "native/agent/member.h"

namespace freshet::bench {
namespace {

constexpr ShardId kFirstShard = 1;
constexpr PoolId kFirstPool = 1;
constexpr size_t kRows = 1024;
constexpr int kAnswerMs = 60'000;  // without any answer

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::array<uint64_t, kWorkKinds> work_of(const AgentCounters& counters) {
  return {counters.protocolNanos.load(), counters.copyNanos.load(), counters.systemNanos.load(),
          counters.idleNanos.load()};
}

class BenchMember {
 public:
  BenchMember(int index, const Options& options, SharedState& shared)
      : index_(index), options_(options), shared_(shared), wake_(eventfd(0, EFD_CLOEXEC)) {}

  void run() {
    open();
    for (uint32_t i = 0; i < options_.shards; i++) start_shard(kFirstShard + i);
    barrier();
    if (options_.idle) {
      rest();
    } else if (options_.loader < 0 ? index_ < options_.senders : index_ == options_.loader) {
      load();
    } else {
      await_warm();
      measure([this](Nanos end) {
        if (options_.puts > 0) return await_loaders();
        while (now() < end) usleep(1000);
      });
    }
    barrier();
    AgentCounters& counters = const_cast<AgentCounters&>(member_->counters());
    usleep(100'000);  // a heartbeat, which shows the transport's counters
    outcome().passes = counters.passes.load();
    outcome().system_calls = counters.systemCalls.load();
    outcome().log_batches = counters.logBatches.load();
    barrier();
    member_->close();
  }

 private:
  NodeId node() const { return static_cast<NodeId>(index_ + 1); }
  Outcome& outcome() { return shared_.outcomes[index_]; }

  void barrier() {
    barriers_++;
    shared_.arrived++;
    while (shared_.arrived.load() < barriers_ * options_.members) usleep(200);
  }

  void open() {
    MemberConfig config;
    config.cluster.fill(1);
    config.secret.fill(2);
    config.node = node();
    config.spin = Nanos{options_.spin_us} * 1000;
    config.silence = 10'000'000'000;
    // Each shows where the agent's time went, of which a few puts take little.
    if (options_.puts > 0) config.heartbeat = 10'000'000;
    if (options_.persistent) config.data_folder = options_.folder + "/" + std::to_string(index_);
    const auto wake = [this] {
      const uint64_t one = 1;
      FRESHET_CHECK(write(wake_, &one, sizeof one) == sizeof one);
    };
    const Status opened = Member::open(config, wake, member_);
    FRESHET_CHECK_VALUES(is_ok(opened), static_cast<int>(opened), index_);
    shared_.ports[index_].store(member_->port());
    barrier();
    for (int other = 0; other < options_.members; other++) {
      if (other == index_) continue;
      const Status added = member_->add_peer(
          {static_cast<NodeId>(other + 1), "127.0.0.1", shared_.ports[other].load()});
      FRESHET_CHECK(is_ok(added));
    }
    while (member_->counters().peersUp.load() + 1 < static_cast<uint64_t>(options_.members)) {
      drain();
      usleep(1000);
    }
    barrier();
  }

  void start_shard(ShardId shard) {
    EpochOptions epoch;
    epoch.shard = shard;
    epoch.epoch = 1;
    epoch.ring_size = options_.ring_size;
    for (int i = 0; i < options_.members; i++) epoch.members.push_back(static_cast<NodeId>(i + 1));
    for (int i = 0; i < options_.senders; i++) epoch.senders.push_back(static_cast<Rank>(i));
    const double memory = options_.memory_gib * static_cast<double>(size_t{1} << 30);
    const auto memory_max = static_cast<size_t>(memory / options_.shards);
    answer(member_->open_shard(shard, options_.persistent, memory_max, 1));
    answer(member_->set_rules(shard, {.raw = options_.raw}, 4));
    answer(member_->prepare_epoch(epoch, 2));
    barrier();
    answer(member_->start_epoch(shard, 1, 3));
    barrier();
    for (uint32_t i = 0; index_ == 0 && i < options_.pools; i++) make_pool(shard, kFirstPool + i);
    barrier();
  }

  void make_pool(ShardId shard, PoolId pool) {
    PoolRules rules;
    rules.pool = pool;
    rules.history = options_.history;
    const std::string key = "pool/" + std::to_string(pool);
    Change change;
    change.kind = RecordKind::kControl;
    change.key = std::as_bytes(std::span(key));
    change.value = std::as_bytes(std::span(&rules, 1));
    FRESHET_CHECK(is_ok(member_->submit(shard, change, Ack::kDelivered, 1)));
    finish();
  }

  // Waits for the result of the call just made.
  void answer(Status status) {
    FRESHET_CHECK_VALUES(is_ok(status), static_cast<int>(status), index_);
    finish();
  }

  // A wake may have been taken already, so rows are looked for before waiting.
  void finish() {
    for (drain(); member_->outstanding() > 0; drain()) wait();
  }

  // Ends the run with what is known if nothing comes for long.
  void wait() {
    pollfd waited{wake_, POLLIN, 0};
    if (poll(&waited, 1, kAnswerMs) == 0) {
      const EpochView* epoch = member_->find_shard(kFirstShard)->epoch();
      const AgentCounters& counters = member_->counters();
      std::fprintf(stderr,
                   "member %d: no answer in %d ms: outstanding %zu, received %lld, delivered %lld, "
                   "persisted %lld, stopped %d, commands %llu, passes %llu\n",
                   index_, kAnswerMs, member_->outstanding(),
                   static_cast<long long>(epoch->frontiers.received.load()),
                   static_cast<long long>(epoch->frontiers.delivered.load()),
                   static_cast<long long>(epoch->frontiers.persisted.load()),
                   epoch->frontiers.stopped.load(),
                   static_cast<unsigned long long>(counters.commands.load()),
                   static_cast<unsigned long long>(counters.passes.load()));
      _exit(1);
    }
    uint64_t ignored;
    FRESHET_CHECK(read(wake_, &ignored, sizeof ignored) == sizeof ignored);
  }

  // Takes all rows; returns how many completions were among them.
  size_t drain() {
    size_t completions = 0;
    size_t count;
    do {
      count = member_->drain(rows_, kRows);
      for (size_t i = 0; i < count; i++) {
        const double* row = rows_ + i * kRowWidth;
        if (row[0] == static_cast<double>(RowKind::kResult)) {
          FRESHET_CHECK_VALUES(row[2] == 0, row[1], row[2]);
        } else if (row[0] == static_cast<double>(RowKind::kShardStopped)) {
          FRESHET_CHECK_VALUES(false, row[2], row[3]);
        } else if (row[0] == static_cast<double>(RowKind::kCompletion)) {
          completions++;
          note(row);
        }
      }
    } while (count == kRows);
    return completions;
  }

  void note(const double* row) {
    if (row[2] != 0) refused_++;
    if (!measuring_) return;
    if (row[2] != 0) {
      outcome().refused++;
      return;
    }
    outcome().completed++;
    if (latencies_.size() < latencies_.capacity())
      latencies_.push_back(now() - sent_[static_cast<size_t>(row[1]) % sent_.size()]);
  }

  void load() {
    sent_.resize(options_.window * 2);
    latencies_.reserve(2'000'000);
    value_.assign(options_.size, std::byte{7});
    const uint64_t mine = options_.versions / static_cast<uint64_t>(options_.senders);
    fill(INT64_MAX, mine + options_.warm_puts);
    if (options_.puts > 0) {
      finish();
      shared_.warm++;
      await_warm();
      measure([this](Nanos end) { fill_and_finish(end); });
    } else {
      fill(now() + static_cast<Nanos>(options_.warm_seconds * 1e9), UINT64_MAX);
      measure([this](Nanos end) { fill(end, UINT64_MAX); });
    }
    outcome().latency = percentiles(std::move(latencies_));
    finish();
  }

  void fill_and_finish(Nanos end) {
    fill(end, token_ - 1 + options_.puts);
    finish();
    shared_.ended++;
    await_loaders();
  }

  int loaders() const { return options_.loader < 0 ? options_.senders : 1; }

  // Of counted puts those before them are answered.
  void await_warm() {
    while (options_.puts > 0 && shared_.warm.load() < loaders()) usleep(200);
  }

  void await_loaders() {
    while (shared_.ended.load() < loaders()) usleep(200);
  }

  // Keeps the window full until `end`, or until so many were put in all.
  void fill(Nanos end, uint64_t puts_max) {
    char key[32];
    while (now() < end && token_ <= puts_max) {
      while (member_->outstanding() < options_.window && token_ <= puts_max) {
        const int length = std::snprintf(key, sizeof key, "/b/%d/%llu", index_,
                                         static_cast<unsigned long long>(token_ % options_.keys));
        Change change;
        if (options_.raw) change.kind = RecordKind::kTrigger;
        change.pool = kFirstPool + static_cast<PoolId>(token_ % options_.pools);
        change.key = std::as_bytes(std::span(key, static_cast<size_t>(length)));
        change.value = value_;
        const Ack ack = options_.persistent ? Ack::kPersisted : Ack::kDelivered;
        sent_[token_ % sent_.size()] = now();
        const auto shard = static_cast<ShardId>(kFirstShard + token_ % options_.shards);
        if (!is_ok(member_->submit(shard, change, ack, token_))) break;
        token_++;
      }
      const uint64_t refused = refused_;
      if (drain() == 0) wait();
      if (refused_ != refused) usleep(1000);  // overloaded: to ask again at once would not help
    }
  }

  template <typename Function>
  void measure(Function function) {
    measuring_ = true;
    const Nanos start = now();
    const double cpu = cpu_seconds();
    const AgentCounters& counters = member_->counters();
    const std::array<uint64_t, kWorkKinds> work = work_of(counters);
    const uint64_t copied = counters.copiedBytes.load();
    function(start + static_cast<Nanos>(options_.seconds * 1e9));
    for (size_t i = 0; i < kWorkKinds; i++) outcome().work[i] = work_of(counters)[i] - work[i];
    outcome().copied = counters.copiedBytes.load() - copied;
    outcome().cpu_seconds = cpu_seconds() - cpu;
    outcome().seconds = static_cast<double>(now() - start) / 1e9;
    measuring_ = false;
  }

  void rest() {
    measure([](Nanos end) { usleep(static_cast<useconds_t>((end - now()) / 1000)); });
  }

  const int index_;
  const Options& options_;
  SharedState& shared_;
  const int wake_;
  std::shared_ptr<Member> member_;
  int barriers_ = 0;
  double rows_[kRows * kRowWidth];
  std::vector<std::byte> value_;
  std::vector<Nanos> sent_;
  std::vector<Nanos> latencies_;
  Token token_ = 1;
  uint64_t refused_ = 0;
  bool measuring_ = false;
};

}  // namespace

void run_member(int index, const Options& options, SharedState& shared) {
  const auto member = std::make_unique<BenchMember>(index, options, shared);
  member->run();
}

}  // namespace freshet::bench
