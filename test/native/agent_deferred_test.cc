// An agent alone, whose store is short of memory while somebody reads.
#include <memory>
#include <optional>
#include <string>

#include "native/agent/agent.h"
#include "test/native/support/idle_transport.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr PoolId kPool = 1;
constexpr Nanos kStep = 1000;

class LoneAgent {
 public:
  LoneAgent() {
    shared_.wake_loop = [] {};
    AgentConfig config;
    config.node = 1;
    config.incarnation = 1;
    config.now = [this] { return now_ += kStep; };
    config.wall = [] { return Micros{1'700'000'000'000'000}; };
    agent_ = std::make_unique<Agent>(config, shared_, transport_, nullptr);
    host_ = agent_->add_shard(1, false);
    store = std::make_shared<Store>(
        StoreConfig{.shard = 1, .memory_max = size_t{1} << 20, .segment_size = size_t{64} << 10});
    agent_->open_shard(*host_, store);
    EXPECT_EQ(host_->prepare_epoch({.shard = 1, .epoch = 1, .members = {1}, .senders = {0}}),
              Status::kOk);
    EXPECT_EQ(host_->start_epoch(1), Status::kOk);
    PoolRules rules;
    rules.pool = kPool;
    rules.history = 1;
    Change pool = put_of(0, "pool/1", "");
    pool.kind = RecordKind::kControl;
    pool.value = std::as_bytes(std::span(&rules, 1));
    submit(pool);
    EXPECT(answered(100) == Status::kOk);
  }

  void put(const std::string& value) { submit(put_of(kPool, "/k", value)); }

  // How the last one ended, after at most so many passes; nothing: it waits.
  std::optional<Status> answered(int passes) {
    for (; passes > 0; passes--) {
      agent_->step();
      Row row;
      while (shared_.rows.drain(row.data(), 1) == 1) {
        if (static_cast<RowKind>(row[0]) != RowKind::kCompletion) continue;
        if (static_cast<Token>(row[1]) == token_) return static_cast<Status>(row[2]);
      }
    }
    return std::nullopt;
  }

  std::shared_ptr<Store> store;

 private:
  void submit(const Change& change) {
    host_->submit({.change = change, .ack = Ack::kDelivered, .token = ++token_}, now_);
  }

  IdleTransport transport_;
  AgentShared shared_;
  Nanos now_ = 1;
  std::unique_ptr<Agent> agent_;
  ShardHost* host_ = nullptr;
  Token token_ = 0;
};

}  // namespace

TEST(a_submission_that_waits_for_memory_which_readers_had_goes_on_once_they_have_left) {
  LoneAgent lone;
  const std::string value(8'000, 'v');
  Store::Reader reader(*lone.store);
  reader.enter();
  while (is_ok(lone.store->admission())) {
    lone.put(value);
    EXPECT(lone.answered(100) == Status::kOk);
  }
  lone.put(value);
  EXPECT(lone.answered(1000) == std::nullopt);
  reader.leave();
  // Nothing else happens, and its patience is much longer than that.
  EXPECT(lone.answered(1000) == Status::kOk);
}
