#include "test/native/support/ending_group.h"

#include <bit>
#include <cstring>

#include "native/core/record.h"
#include "native/core/shard_table.h"

namespace freshet::test {
namespace {

constexpr PoolId kEndingPool = 1;
constexpr Micros kEndingWall = 1'700'000'000'000'000;
constexpr int kEndingTurnsMax = 200'000;  // of all members; far more than any ending takes

RankSet bit(Rank rank) { return RankSet{1} << rank; }

}  // namespace

EndingGroup::EndingGroup(EndingConfig config) : config_(config), random_(config.seed) {
  const size_t count = 3 + random_.below(5);
  senders_ = 1 + random_.below(count);
  persistent_ = random_.chance(50);
  for (Rank m = 0; m < count; m++) {
    auto member = std::make_unique<Member>();
    ShardConfig shard;
    shard.shard = 1;
    shard.epoch = 1;
    for (NodeId node = 1; node <= count; node++) shard.members.push_back(node);
    for (Rank rank = 0; rank < senders_; rank++) shard.senders.push_back(rank);
    shard.me = m + 1;
    shard.persistent = persistent_;
    member->store = std::make_unique<Store>(
        StoreConfig{.shard = 1, .persistent = persistent_, .segment_size = size_t{64} << 10});
    member->replica = std::make_unique<ShardReplica>(shard, *member->store, member->clock);
    member->regions = member->replica->regions();
    member->inbox.resize(count);
    member->shown = {};
    members_.push_back(std::move(member));
  }
}

EndingGroup::~EndingGroup() = default;

// The first member is lost under load; of the others each at a step of the ending that was drawn.
EndingResult EndingGroup::run() {
  const auto count = static_cast<Rank>(members_.size());
  size_t crashes_left = 1 + random_.below((count - 1) / 2);
  int patience = static_cast<int>(random_.below(600));
  auto when = EndPhase::kRunning;
  int turns = 0;
  for (; turns < kEndingTurnsMax && !done(); turns++) {
    const auto m = static_cast<Rank>(random_.below(count));
    turn(m);
    const Member& member = *members_[m];
    if (crashes_left == 0 || !goes_on(m) || member.replica->end_phase() < when) continue;
    if (patience-- > 0) continue;
    random_.chance(75) ? crash(m) : cut_off(m);
    crashes_left--;
    patience = static_cast<int>(random_.below(12));
    // Most can go wrong while some have a trim and others do not.
    when = random_.chance(60) ? EndPhase::kTrimmed : static_cast<EndPhase>(random_.below(5));
  }
  if (turns == kEndingTurnsMax) violation("the survivors never ended the epoch");
  check();
  return std::move(result_);
}

// What a member does next: take a write in, make a pass, or notice that somebody is gone.
void EndingGroup::turn(Rank m) {
  Member& member = *members_[m];
  if (!member.alive) return;
  switch (random_.below(8)) {
    case 0:
      if ((crashed_ | cut_off_) == 0) submit(m);
      break;
    case 1:
      for (Rank gone = 0; gone < members_.size(); gone++) {
        if (is_gone(gone, m) && random_.chance(30)) learn(m, bit(gone));
      }
      break;
    case 2:
      if (member.shown[m] != 0 && agreed(m) && random_.chance(50)) member.gate = true;
      if (member.shown[m] != 0 && random_.chance(10)) member.replica->wedge();
      break;
    case 3:
    case 4:
      step(m);
      break;
    default:
      deliver_one(m);
  }
}

void EndingGroup::deliver_one(Rank m) {
  Member& member = *members_[m];
  const auto from = static_cast<Rank>(random_.below(members_.size()));
  auto& queue = member.inbox[from];
  if (queue.empty()) return;
  const Write write = std::move(queue.front());
  queue.pop_front();
  if (write.bytes.empty()) {
    if ((member.shown[m] & bit(from)) != 0) return;  // nothing more from its row
    member.shown[from] |= write.suspects;
    learn(m, write.suspects);
    return;
  }
  for (const GrantedRegion& region : member.regions) {
    if (region.writer == from + 1 && region.id == write.region)
      std::memcpy(region.memory.data() + write.offset, write.bytes.data(), write.bytes.size());
  }
}

void EndingGroup::send(Rank from, Rank to, Write write) {
  if (!is_gone(to, from)) members_[to]->inbox[from].push_back(std::move(write));
}

void EndingGroup::step(Rank m) {
  Member& member = *members_[m];
  if (member.stopped) return;
  member.replica->set_survivors(survivors_of(m));
  member.out.clear();
  const Version before = member.store->newest_version();
  (void)member.replica->step(kEndingWall, member.out);
  if (member.replica->end_phase() >= EndPhase::kDelivering)
    result_.beyond += member.store->newest_version() - before;
  for (const RegionWrite& write : member.out.writes) {
    send(m, write.peer - 1,
         {write.region, write.offset, {write.bytes.begin(), write.bytes.end()}, 0});
  }
  if (persistent_ && random_.chance(50)) sync(m);
  for (const Completion& completion : member.out.completions) {
    if (completion.status == Status::kOk)
      member.acknowledged[completion.token] = completion.version;
  }
}

// Everything suspected is sticky and contagious; what was copied goes out before it is shown.
void EndingGroup::learn(Rank m, RankSet suspects) {
  Member& member = *members_[m];
  const RankSet fresh = suspects & ~member.shown[m];
  if (fresh == 0 || member.stopped) return;
  if ((fresh & bit(m)) != 0) {
    member.stopped = true;
    return;
  }
  member.shown[m] |= fresh;
  if (config_.canary == EndCanary::kSuspectFirst) show_suspects(m);
  for (Rank rank = 0; rank < members_.size(); rank++) {
    if ((fresh & bit(rank)) != 0) member.replica->suspect(rank + 1);
  }
  if (config_.canary == EndCanary::kEarlyWedge)
    show_wedged(m);
  else
    member.replica->wedge();
  if (config_.canary == EndCanary::kSuspectFirst) return;
  step(m);
  show_suspects(m);
}

// A canary's: the cell alone, while the member goes on.
void EndingGroup::show_wedged(Rank m) {
  const RowLayout layout{senders_};
  const uint64_t one = 1;
  const Bytes cell = std::as_bytes(std::span(&one, 1));
  for (Rank to = 0; to < members_.size(); to++) {
    if (to == m) continue;
    const RegionId row{RegionKind::kShardRow, static_cast<uint16_t>(m), 1, 1};
    send(m, to, {row, layout.wedged() * sizeof one, {cell.begin(), cell.end()}, 0});
  }
}

void EndingGroup::show_suspects(Rank m) {
  for (Rank to = 0; to < members_.size(); to++) {
    if (to != m) send(m, to, {{}, 0, {}, members_[m]->shown[m]});
  }
}

bool EndingGroup::is_majority(RankSet ranks) const {
  return 2 * static_cast<size_t>(std::popcount(ranks)) > members_.size();
}

bool EndingGroup::agreed(Rank m) const {
  const Member& member = *members_[m];
  RankSet same = 0;
  for (Rank rank = 0; rank < members_.size(); rank++) {
    if ((member.shown[m] & bit(rank)) != 0) continue;
    if (member.shown[rank] != member.shown[m]) return false;
    same |= bit(rank);
  }
  return config_.canary == EndCanary::kWithoutMajority || is_majority(same);
}

Survivors EndingGroup::survivors_of(Rank m) const {
  const Member& member = *members_[m];
  const RankSet everyone = bit(static_cast<Rank>(members_.size())) - 1;
  Survivors survivors{everyone & ~member.shown[m], agreed(m), member.gate};
  const bool trimmed = member.replica->end_phase() == EndPhase::kTrimmed;
  if (config_.canary == EndCanary::kAlone && trimmed) survivors.ranks = bit(m);
  if (config_.canary == EndCanary::kDisagree && trimmed) survivors.agreed = true;
  return survivors;
}

void EndingGroup::submit(Rank m) {
  if (m >= senders_) return;
  const std::string key = std::string("k") + std::to_string(random_.below(20));
  const std::vector<std::byte> value(random_.below(3000), std::byte{7});
  PoolRules rules;
  rules.pool = kEndingPool;
  const std::string rules_key = "pool/1";
  Change change;
  change.pool = kEndingPool;
  change.key = std::as_bytes(std::span(key));
  change.value = value;
  if (next_token_ == 1) {
    change.kind = RecordKind::kControl;
    change.pool = 0;
    change.key = std::as_bytes(std::span(rules_key));
    change.value = std::as_bytes(std::span(&rules, 1));
  }
  const Ack ack = persistent_ && random_.chance(50) ? Ack::kPersisted : Ack::kDelivered;
  (void)members_[m]->replica->submit(change, ack, next_token_++);
}

void EndingGroup::sync(Rank m) {
  Member& member = *members_[m];
  LogBatch batch;
  if (!member.store->close_batch(member.replica->frontiers().delivered.load(), batch)) return;
  member.store->on_batch_synced(batch);
  member.replica->on_synced(batch.last_sequence);
}

void EndingGroup::crash(Rank m) {
  Member& member = *members_[m];
  const RankSet left = ~(crashed_ | member.shown[m]);
  const bool lowest = static_cast<Rank>(std::countr_zero(left)) == m;
  result_.crashes[{member.replica->end_phase(), lowest}]++;
  member.alive = false;
  crashed_ |= bit(m);
  for (const auto& other : members_) lose_some(other->inbox[m]);
}

// It lives and hears nobody, and nobody hears it.
void EndingGroup::cut_off(Rank m) {
  cut_off_ |= bit(m);
  for (const auto& other : members_) lose_some(other->inbox[m]);
  for (auto& queue : members_[m]->inbox) lose_some(queue);
}

// Of what is under way a part arrives.
void EndingGroup::lose_some(std::deque<Write>& queue) {
  queue.resize(random_.below(queue.size() + 1));
}

bool EndingGroup::is_gone(Rank rank, Rank for_whom) const {
  if (rank == for_whom) return false;
  return ((crashed_ | cut_off_) & bit(rank)) != 0 || (cut_off_ & bit(for_whom)) != 0;
}

bool EndingGroup::goes_on(Rank m) const {
  return ((crashed_ | cut_off_) & bit(m)) == 0 && !members_[m]->stopped;
}

bool EndingGroup::done() const {
  if ((crashed_ | cut_off_) == 0) return false;
  for (Rank m = 0; m < members_.size(); m++) {
    if (!goes_on(m)) continue;
    const EndPhase phase = members_[m]->replica->end_phase();
    if (phase != EndPhase::kEnded && phase != EndPhase::kBehind) return false;
  }
  return true;
}

void EndingGroup::check() {
  const auto count = static_cast<Rank>(members_.size());
  Rank reference = count;
  for (Rank m = 0; m < count; m++) {
    const Member& member = *members_[m];
    if (!goes_on(m)) continue;
    if (member.replica->frontiers().stopped.load() != 0) violation("a survivor stopped");
    if (member.replica->end_phase() == EndPhase::kBehind) violation("a survivor is behind");
    if (reference == count) reference = m;
    if (member.store->digest() != members_[reference]->store->digest())
      violation("survivors delivered different histories");
  }
  if (reference == count) return violation("nobody is left");
  result_.trace = members_[reference]->store->digest();
  for (Rank m = 0; m < count; m++) check_prefix(m, reference);
}

// What anyone delivered or was told is in the history that goes on.
void EndingGroup::check_prefix(Rank m, Rank reference) {
  Store& whole = *members_[reference]->store;
  Store& part = *members_[m]->store;
  if (part.newest_version() > whole.newest_version())
    violation("a lost member delivered more than the survivors");
  for (Version version = 1; version <= std::min(part.newest_version(), whole.newest_version());
       version++) {
    const RecordView a(part.get_version(version).record);
    const RecordView b(whole.get_version(version).record);
    if (a.header().header_crc != b.header().header_crc)
      violation(std::string("version ") + std::to_string(version) + " differs");
  }
  for (const auto& [token, version] : members_[m]->acknowledged) {
    if (version > whole.newest_version())
      violation(std::string("token ") + std::to_string(token) + " was acknowledged and is lost");
  }
}

}  // namespace freshet::test
