#include "test/native/support/member_group.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "test/native/support/records.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr size_t kRows = 256;

template <typename Number>
Number column(const double* row, size_t index) {
  return static_cast<Number>(row[index]);
}

}  // namespace

Status TestMember::open() {
  MemberConfig config;
  config.cluster.fill(cluster_);
  config.secret.fill(secret_);
  config.node = node_;
  config.data_folder = folder_;
  config.door = MemberConfig::Door{"127.0.0.1", 0};
  config.heartbeat = heartbeat_;
  config.silence = std::max(60'000'000'000, 4 * heartbeat_);  // a busy machine is no dead peer
  readers_ = std::make_unique<ShardReaders>();
  const auto wake = [this] {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  };
  return Member::open(config, wake, member_);
}

void TestMember::close() {
  if (member_ == nullptr) return;
  readers_.reset();
  member_->close();
  drain();
  member_.reset();
  held_.clear();
}

size_t TestMember::drain() {
  double rows[kRows * kRowWidth];
  size_t total = 0;
  size_t count;
  do {
    count = member_->drain(rows, kRows);
    for (size_t i = 0; i < count; i++) take_row(rows + i * kRowWidth);
    total += count;
  } while (count == kRows);
  return total;
}

void TestMember::take_row(const double* row) {
  switch (column<RowKind>(row, 0)) {
    case RowKind::kCompletion: {
      const PutAnswer answer{column<Status>(row, 2), column<Version>(row, 4)};
      if (!answers.emplace(column<Token>(row, 1), answer).second) trouble = "answered twice";
      return;
    }
    case RowKind::kEvent:
      events.push_back({column<uint64_t>(row, 1), column<Version>(row, 4)});
      return;
    case RowKind::kPeer:
      peers.push_back({column<NodeId>(row, 1), column<int>(row, 2), column<Status>(row, 3)});
      return;
    case RowKind::kShardStopped:
      stopped.push_back({column<ShardId>(row, 1), column<Status>(row, 2), column<NodeId>(row, 3)});
      return;
    case RowKind::kResult:
      if (!results.emplace(column<Token>(row, 1), column<Status>(row, 2)).second)
        trouble = "two results of one call";
      return;
    case RowKind::kReleased:
      released++;
      if (held_.erase(column<Token>(row, 1)) != 1) trouble = "released what was not borrowed";
      return;
    case RowKind::kDamage:
      trouble = "damage in the log";
      return;
    case RowKind::kTrigger:
      triggers.push_back(column<uint64_t>(row, 1));
      [[fallthrough]];
    case RowKind::kMessage:
      newest_message = member_->take_message();
      if (!newest_message) trouble = "a row whose message is not there";
      messages++;
      return;
    case RowKind::kDisk:
    case RowKind::kView:
    case RowKind::kLag:
      return;
  }
}

bool TestMember::until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      woken_ = false;
    }
    drain();
    if (done()) return true;
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, end, [this] { return woken_; })) return false;
  }
}

Status TestMember::finish(Status called, Token token) {
  if (!is_ok(called)) return called;
  if (!until([&] { return results.contains(token); })) return Status::kTimeout;
  return results.at(token);
}

Token TestMember::submit(Change change, std::string value, Ack ack) {
  const Token token = next_token();
  if (value.size() > kBorrowThreshold) {
    change.value = bytes_of(held_[token] = std::move(value));
  } else if (!value.empty()) {
    change.value = bytes_of(value);
  }
  Status status;
  while ((status = member_->submit(kGroupShard, change, ack, token)) == Status::kOverloaded) {
    drain();
    std::this_thread::yield();
  }
  if (!is_ok(status)) {
    held_.erase(token);
    answers.emplace(token, PutAnswer{status, 0});
  }
  return token;
}

Token TestMember::put(const std::string& key, std::string value, Ack ack) {
  return submit(put_of(kGroupPool, key, ""), std::move(value), ack);
}

Token TestMember::control(const std::string& key, Bytes value) {
  Change change = put_of(0, key, "");
  change.kind = RecordKind::kControl;
  change.value = value;
  return submit(change, "", Ack::kDelivered);
}

Status TestMember::open_shard(bool persistent) {
  const Token token = next_token();
  return finish(member_->open_shard(kGroupShard, persistent, size_t{256} << 20, token), token);
}

Status TestMember::prepare_epoch(Epoch epoch, const std::vector<NodeId>& members,
                                 size_t ring_size) {
  EpochOptions options;
  options.shard = kGroupShard;
  options.epoch = epoch;
  options.members = members;
  for (Rank rank = 0; rank < members.size(); rank++) options.senders.push_back(rank);
  options.ring_size = ring_size;
  const Token token = next_token();
  return finish(member_->prepare_epoch(options, token), token);
}

ShardState TestMember::state() {
  const Token token = next_token();
  ShardState state;
  EXPECT(is_ok(finish(member_->shard_state(kGroupShard, token), token)));
  const auto bytes = member_->take_result(token);
  if (!bytes) return state;
  const std::string text = text_of(*bytes);
  char digest[17] = {};
  long long sequence = 0;
  unsigned long long version = 0;
  const int found = std::sscanf(text.c_str(),
                                "{\"shard\":1,\"epoch\":%u,\"sequence\":%lld,\"version\":%llu,"
                                "\"time\":%*[-0-9],\"digest\":\"%16[^\"]",
                                &state.last.epoch, &sequence, &version, digest);
  EXPECT_EQ(found, 4);
  state.last.sequence = sequence;
  state.version = version;
  state.digest = digest;
  return state;
}

std::string TestMember::newest(const std::string& key) {
  const auto access = readers_->access(*member_->find_shard(kGroupShard));
  access.reader->enter();
  const Found found = access.store->get(key, {});
  std::string value;
  if (found.record != nullptr) value = text_of(RecordView(found.record).value());
  access.reader->leave();
  return value;
}

bool TestMember::holds(Version version, const std::string& key, const std::string& value) {
  const auto access = readers_->access(*member_->find_shard(kGroupShard));
  access.reader->enter();
  const Found found = access.store->get_version(version);
  const bool same = found.record != nullptr && RecordView(found.record).key() == key &&
                    text_of(RecordView(found.record).value()) == value;
  access.reader->leave();
  return same;
}

MemberGroup::MemberGroup(bool persistent) : persistent_(persistent) {
  std::string pattern = (std::filesystem::temp_directory_path() / "freshet-group-XXXXXX").string();
  if (persistent) folder_ = mkdtemp(pattern.data());
  for (NodeId node = 1; node <= 3; node++) {
    const std::string own = persistent ? folder_ + "/" + std::to_string(node) : "";
    members_.push_back(std::make_unique<TestMember>(node, own));
  }
}

MemberGroup::~MemberGroup() {
  close();
  if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

void MemberGroup::open() {
  for (auto& one : members_) EXPECT(is_ok(one->open()));
  for (auto& one : members_) {
    one->peers.clear();
    for (auto& other : members_) {
      if (other == one) continue;
      const PeerAddress address{other->node(), "127.0.0.1", other->member().port()};
      EXPECT(is_ok(one->member().add_peer(address)));
    }
  }
  EXPECT(until([this] {
    for (auto& one : members_) {
      size_t up = 0;
      for (const PeerRow& row : one->peers) up += row.state == 1 ? 1 : 0;
      if (up < members_.size() - 1) return false;
    }
    return true;
  }));
  for (auto& one : members_) EXPECT(is_ok(one->open_shard(persistent_)));
}

void MemberGroup::start(Epoch epoch, size_t ring_size) {
  std::vector<NodeId> nodes;
  for (auto& one : members_) nodes.push_back(one->node());
  for (auto& one : members_) EXPECT(is_ok(one->prepare_epoch(epoch, nodes, ring_size)));
  for (auto& one : members_) {
    const Token token = one->next_token();
    EXPECT(is_ok(one->finish(one->member().start_epoch(kGroupShard, epoch, token), token)));
  }
}

void MemberGroup::make_pool() {
  PoolRules rules;
  rules.pool = kGroupPool;
  rules.history = 0;
  TestMember& first = *members_[0];
  const Token token = first.control("pool/1", std::as_bytes(std::span(&rules, 1)));
  EXPECT(first.until([&] { return first.is_answered(token); }));
  EXPECT(is_ok(first.answers[token].status));
  for (auto& one : members_)
    EXPECT_EQ(one->member().name_door_pool(kGroupPool, kGroupPoolName), Status::kOk);
}

void MemberGroup::close() {
  for (auto& one : members_) one->close();
}

bool MemberGroup::until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    size_t rows = 0;
    for (auto& one : members_) rows += one->drain();
    if (done()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    if (rows == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

bool MemberGroup::reaches(Version version) {
  return until([&] {
    for (auto& one : members_) {
      const ShardView* view = one->member().find_shard(kGroupShard);
      if (view->epoch()->frontiers.delivered_version.load() < version) return false;
    }
    return true;
  });
}

// An answer is given at one member's delivery: the others may be a moment behind.
void MemberGroup::expect_alike() {
  (void)until([&] {
    const ShardState first = members_[0]->state();
    return std::all_of(members_.begin(), members_.end(), [&](auto& one) {
      const ShardState state = one->state();
      return state.version == first.version && state.digest == first.digest;
    });
  });
  const ShardState first = members_[0]->state();
  for (auto& one : members_) {
    const ShardState state = one->state();
    EXPECT_EQ(state.version, first.version);
    EXPECT_EQ(state.digest, first.digest);
    EXPECT_EQ(one->trouble, "");
  }
}

}  // namespace freshet::test
