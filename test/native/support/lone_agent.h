// An agent without peers that runs a shard alone; a test steps it, and its clock with it.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_LONE_AGENT_H_
#define FRESHET_TEST_NATIVE_SUPPORT_LONE_AGENT_H_

#include <memory>
#include <optional>
#include <unordered_map>

#include "native/agent/agent.h"
#include "native/agent/log_writer.h"
#include "native/agent/member.h"
#include "test/native/support/idle_transport.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

namespace freshet::test {

class LoneAgent {
 public:
  static constexpr PoolId kPool = 1;

  // `log`, if the shard is persistent: one without threads.
  explicit LoneAgent(const StoreConfig& shard, LogWriter* log = nullptr) : log_(log) {
    shared_.wake_loop = [] {};
    AgentConfig config;
    config.node = 1;
    config.incarnation = 1;
    config.now = [this] { return now_ += 1000; };
    config.wall = [] { return Micros{1'700'000'000'000'000}; };
    agent_ = std::make_unique<Agent>(config, shared_, transport_, log_);
    host_ = agent_->add_shard(shard.shard, shard.persistent);
    store = std::make_shared<Store>(shard);
    agent_->open_shard(*host_, store);
    const EpochOptions options{.shard = shard.shard, .epoch = 1, .members = {1}, .senders = {0}};
    EXPECT_EQ(host_->prepare_epoch(options), Status::kOk);
    EXPECT_EQ(host_->start_epoch(1), Status::kOk);
    PoolRules rules;
    rules.pool = kPool;
    rules.history = 1;
    Change pool = put_of(0, "pool/1", "");
    pool.kind = RecordKind::kControl;
    pool.value = std::as_bytes(std::span(&rules, 1));
    EXPECT(ended(submit(pool), 100) == Status::kOk);
  }

  // The value stays where it is until it is answered.
  Token put(const std::string& value, Ack ack = Ack::kDelivered) {
    return submit(put_of(kPool, "/k", value), ack);
  }

  // How it ended, after at most so many passes; nothing: it waits.
  std::optional<Status> ended(Token token, int passes) {
    for (; passes > 0 && !ends_.contains(token); passes--) step();
    const auto found = ends_.find(token);
    return found == ends_.end() ? std::nullopt : std::optional(found->second);
  }

  // Until the next heartbeat has passed.
  void beat() {
    now_ += AgentConfig().heartbeat;
    step();
  }

  std::shared_ptr<Store> store;

 private:
  void step() {
    agent_->step();
    if (log_ != nullptr) (void)log_->do_work();
    Row row;
    while (shared_.rows.drain(row.data(), 1) == 1) {
      if (static_cast<RowKind>(row[0]) == RowKind::kCompletion)
        ends_[static_cast<Token>(row[1])] = static_cast<Status>(row[2]);
    }
  }

  Token submit(const Change& change, Ack ack = Ack::kDelivered) {
    const bool borrows = change.value.size() > kBorrowThreshold;
    host_->submit({.change = change, .ack = ack, .token = ++tokens_, .borrows = borrows}, now_);
    return tokens_;
  }

  LogWriter* const log_;
  IdleTransport transport_;
  AgentShared shared_;
  Nanos now_ = 1;
  std::unique_ptr<Agent> agent_;
  ShardHost* host_ = nullptr;
  Token tokens_ = 0;
  std::unordered_map<Token, Status> ends_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_LONE_AGENT_H_
