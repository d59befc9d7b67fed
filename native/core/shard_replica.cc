#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "native/core/canary.h"
#include "native/core/order.h"
#include "native/core/shard_replica_impl.h"

namespace freshet {
namespace {

size_t sender_index(const std::vector<Rank>& senders, Rank rank) {
  const auto found = std::find(senders.begin(), senders.end(), rank);
  return found == senders.end() ? kNoSender : static_cast<size_t>(found - senders.begin());
}

}  // namespace

ShardReplica::Impl::Impl(ShardConfig config, Store& store, HybridClock& clock)
    : config_(std::move(config)),
      store_(store),
      clock_(clock),
      me_(rank_of(config_.members, config_.me)),
      my_sender_(sender_index(config_.senders, me_)),
      table_(config_.members.size(), config_.senders.size(), me_),
      end_(table_, me_),
      lag_(config_.members.size()),
      large_(config_, me_, table_, store_),
      answers_(std::max(kAnswersMin, config_.ring_size / kRecordAlignment)) {
  FRESHET_CHECK_VALUES(std::has_single_bit(config_.ring_size) &&
                           config_.ring_size >= kRingSizeMin && config_.ring_size <= kRingSizeMax,
                       config_.ring_size, kRingSizeMin);
  FRESHET_CHECK(std::is_sorted(config_.senders.begin(), config_.senders.end()));
  FRESHET_CHECK_VALUES(config_.senders.back() < config_.members.size(), config_.senders.back(),
                       config_.members.size());
  FRESHET_CHECK(!(config_.raw && config_.persistent));
  for (size_t s = 0; s < config_.senders.size(); s++) {
    const bool own = s == my_sender_;
    if (own) {
      sender_ = std::make_unique<Sender>(config_.shard, config_.epoch, config_.ring_size, large_,
                                         my_sender_);
    }
    rings_.push_back(own ? AlignedMemory() : AlignedMemory(config_.ring_size));
    const std::byte* ring = own ? sender_->memory() : rings_[s].data();
    streams_.emplace_back(ring, config_.ring_size, config_.shard, config_.epoch, own);
  }
  for (Rank rank = 0; rank < config_.members.size(); rank++) {
    if (rank != me_) peers_.push_back({.node = config_.members[rank], .behind = {}});
  }
  frontiers_.delivered_version = store_.newest_version();
  clock_.observe(store_.newest_time());
}

void ShardReplica::Impl::begin() {
  const Version newest = store_.newest_version();
  frontiers_.persisted_version.store(newest, std::memory_order_release);
  if (config_.persistent) store_.publish_persisted(newest);
}

std::vector<GrantedRegion> ShardReplica::Impl::regions() {
  std::vector<GrantedRegion> result;
  for (Rank rank = 0; rank < config_.members.size(); rank++) {
    if (rank == me_) continue;
    const auto owner = static_cast<uint16_t>(rank);
    const NodeId writer = config_.members[rank];
    result.push_back(
        {writer, {RegionKind::kShardRow, owner, config_.shard, config_.epoch}, table_.row(rank)});
    const size_t s = sender_index(config_.senders, rank);
    if (s == kNoSender) continue;
    result.push_back(
        {writer, {RegionKind::kRing, owner, config_.shard, config_.epoch}, rings_[s].bytes()});
  }
  for (const GrantedRegion& region : large_.regions()) result.push_back(region);
  return result;
}

Status ShardReplica::Impl::submit(const Change& change, Ack ack, Token token) {
  if (stopped_ != Status::kOk || !end_.running()) return Status::kShardStopped;
  if (!is_sender()) return Status::kNotAMember;
  if (ack == Ack::kPersisted && !config_.persistent) return Status::kInvalidArgument;
  if (config_.raw && change.condition.is_set()) return Status::kInvalidArgument;
  if (config_.dispatch_lag_max != UINT64_MAX) {
    const Version newest = store_.newest_version();
    // Versions of a raw shard say nothing at another member.
    const Version elsewhere = config_.raw ? UINT64_MAX : table_.least_dispatched();
    const Version slowest = std::min(elsewhere, dispatched_);
    if (newest >= slowest && newest - slowest >= config_.dispatch_lag_max)
      return Status::kOverloaded;
  }
  // What waits for the disks counts too, so that a slow disk is felt at admission.
  const size_t waiting = sender_->waiting().size() + answers_.unsynced();
  if (waiting + kPendingMax >= sender_->answers_max()) return Status::kOverloaded;
  const Micros time = clock_.stamp(std::max(change.stamp, wall_));
  return sender_->submit(change, time, ack, token);
}

void ShardReplica::Impl::wait_current(Token token, bool persisted) {
  if (!end_.running()) return answers_.refuse_read(token);
  const bool at_once = config_.raw || breaks(CoreCanary::kReadAtOnce);
  const uint64_t received = at_once ? delivered_ : received_changes_;
  if (persisted && config_.persistent) {
    answers_.await_persisted(token, received);
  } else {
    answers_.await_delivered(token, received);
  }
}

int ShardReplica::Impl::step(Micros wall, Outputs& out) {
  wall_ = std::max(wall_, wall);
  if (stopped_ != Status::kOk) return answers_.fail(stopped_, out);
  const Rank broken = table_.look();
  if (broken < config_.members.size()) {
    fail(broken, RingFault::kRow, out);
    return 1;
  }
  int work = 0;
  if (end_.running()) {
    work += step_running(out);
  } else {
    answers_.fail_readers(Status::kNotCurrent, out);
  }
  // Who is behind leaves the store to whoever fills it.
  if (end_.phase() == EndPhase::kBehind) return work + push(out);
  if (stopped_ == Status::kOk && !config_.raw)
    work += is_trimmed() ? deliver_trim(out) : deliver(out);
  if (stopped_ != Status::kOk) return work + 1;
  if (is_sender()) sender_->release(streams_[my_sender_].delivered(), out.released);
  work += show_persisted();
  work += answer(out);
  return work + push(out);
}

int ShardReplica::Impl::step_running(Outputs& out) {
  int work = step_large(out);
  if (stopped_ == Status::kOk) work += take(out);
  if (stopped_ == Status::kOk) work += make_messages();
  if (stopped_ == Status::kOk && config_.raw) work += deliver_raw(out);
  if (stopped_ == Status::kOk) config_.raw ? show_raw() : show_received();
  large_.take_grants(out);
  return work;
}

int ShardReplica::Impl::step_large(Outputs& out) {
  if (large_.is_idle()) return 0;
  Rank broken = 0;
  const int work = large_.step(out, broken);
  if (broken < config_.members.size()) {
    fail(broken, RingFault::kRow, out);
    return work;
  }
  return work + large_.send(held(), out);
}

// Counts what the others' rings hold.
int ShardReplica::Impl::take(Outputs& out) {
  uint64_t messages = 0;
  Micros newest = 0;
  for (size_t s = 0; s < streams_.size(); s++) {
    SenderStream& stream = streams_[s];
    const uint64_t tail = table_.seen(config_.senders[s]).tail;
    if (stream.own() || tail == stream.taken()) continue;
    const RingFault fault = stream.take(tail, kPassBytes, large_, s);
    if (fault != RingFault::kNone) {
      fail(config_.senders[s], fault, out);
      return 1;
    }
    messages += stream.received() - received_[s];
    received_[s] = stream.received();
    changes_[s] = stream.changes();
    newest = std::max(newest, stream.newest_time());
  }
  if (newest > 0) clock_.observe(newest);
  return static_cast<int>(std::min<uint64_t>(messages, INT32_MAX));
}

// Frees my ring, moves what waits into it, adds the nulls that I owe.
int ShardReplica::Impl::make_messages() {
  if (!is_sender()) return 0;
  const size_t senders = streams_.size();
  sender_->free_delivered(config_.raw
                              ? least_taken_of_mine()
                              : messages_among(table_.least_delivered_seq(), my_sender_, senders));
  int work = sender_->feed();
  // Nulls are made below alone.
  if (sender_->messages() > received_[my_sender_]) changes_[my_sender_] = sender_->messages();
  const uint64_t owed =
      config_.raw || breaks(CoreCanary::kNoNulls)
          ? 0
          : messages_owed({received_.data(), senders}, {changes_.data(), senders}, my_sender_);
  if (sender_->make_nulls(owed)) work++;
  received_[my_sender_] = sender_->messages();
  streams_[my_sender_].take_own(sender_->ring().tail(), sender_->messages());
  table_.set(RowLayout::tail(), sender_->ring().tail());
  table_.set(RowLayout::index(), sender_->messages());
  return work;
}

int ShardReplica::Impl::deliver(Outputs& out) {
  const uint64_t stable = table_.least_received_seq();
  const uint64_t before = delivered_;
  size_t cost = 0;
  while (delivered_ < stable && cost < kPassBytes) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(stable - delivered_, kTurnsAtOnce));
    if (!deliver_turns(count, cost, out)) return 1;
  }
  FRESHET_CHECK_VALUES(delivered_ <= stable, delivered_, stable);
  const int work = show_delivery(before);
  if (work > 0) table_.set_quietly(table_.layout().delivered_seq(), delivered_);
  return work;
}

// Takes the messages of the senders whose turns are next, several so that the store fetches
// together what they need. False: one was none, the epoch ended.
bool ShardReplica::Impl::deliver_turns(size_t count, size_t& cost, Outputs& out) {
  std::array<const std::byte*, kTurnsAtOnce> records;
  FRESHET_CHECK_VALUES(count <= records.size(), count, records.size());
  RingFault fault = RingFault::kNone;
  size_t taken = 0;
  size_t bytes = 0;
  for (size_t s = turn_; taken < count && bytes < kPassBytes; taken++) {
    const std::byte*& record = records[taken];
    fault = streams_[s].next(record);
    if (fault != RingFault::kNone) break;
    // A place stands for a record that may be long.
    if (record != nullptr) {
      const RecordHeader& header = RecordView(record).header();
      bytes += header.kind == RecordKind::kPlace ? kPassBytes : header.length;
    }
    if (++s == streams_.size()) s = 0;
  }
  store_.expect(std::span(records).first(taken));
  for (size_t i = 0; i < taken; i++) {
    if (records[i] != nullptr) {
      delivered_change_ = delivered_ + 1;
      const RingFault bad = deliver_message(turn_, records[i], cost, out);
      if (bad != RingFault::kNone) {
        fault = bad;
        break;
      }
    }
    cost += kNullCost;
    pass_turn();
  }
  store_.expect({});
  if (fault != RingFault::kNone) fail(config_.senders[turn_], fault, out);
  return fault == RingFault::kNone;
}

void ShardReplica::Impl::pass_turn() {
  delivered_++;
  if (++turn_ == streams_.size()) turn_ = 0;
}

int ShardReplica::Impl::show_delivery(uint64_t before) {
  if (delivered_ == before) return 0;
  const Version newest = store_.newest_version();
  clock_.observe(store_.newest_time());
  frontiers_.delivered_version.store(newest, std::memory_order_release);
  frontiers_.delivered.store(static_cast<Sequence>(delivered_) - 1, std::memory_order_release);
  if (config_.persistent && delivered_change_ > before) {
    if (checkpoints_.full()) {
      checkpoints_.back() = {delivered_change_, newest};
    } else {
      checkpoints_.push({delivered_change_, newest});
    }
  }
  return static_cast<int>(std::min<uint64_t>(delivered_ - before, INT32_MAX));
}

RingFault ShardReplica::Impl::deliver_message(size_t s, const std::byte* record, size_t& cost,
                                              Outputs& out) {
  const auto sequence = static_cast<Sequence>(delivered_);
  const RecordView view(record);
  Applied applied;
  if (breaks(CoreCanary::kSkip) && me_ == 0 && s != my_sender_ && sequence % 97 == 13)
    return RingFault::kNone;
  cost += kDeliveryCost + padded(view.header().length);
  const RecordKind kind = view.header().kind;
  if (kind == RecordKind::kOffer) return RingFault::kNone;
  if (kind == RecordKind::kPlace) [[unlikely]] {
    const RingFault fault = large_.deliver(s, view.header(), sequence, is_trimmed(), applied, cost);
    if (fault != RingFault::kNone) return fault;
  } else {
    applied = store_.apply(view, config_.epoch, sequence);
  }
  if (s == my_sender_) answer_own(sequence, applied, out);
  return RingFault::kNone;
}

void ShardReplica::Impl::answer_own(Sequence sequence, const Applied& applied, Outputs& out) {
  auto& waiting = sender_->waiting();
  // Of an ordered one more may have been taken from the ring.
  const uint64_t index =
      config_.raw ? streams_[my_sender_].delivered() - 1 : index_of(sequence, streams_.size());
  if (waiting.empty() || waiting.front().index != index) return;  // nobody asked
  const Sender::Waiting mine = waiting.front();
  waiting.pop();
  if (config_.raw) {
    Applied there = applied;
    there.version = there.previous_version_of_key = 0;
    answers_.await_sync(mine.token, static_cast<Sequence>(index), there);
    return;
  }
  // Until the next view is committed, members that the trim left out may come back without it.
  if (is_trimmed() || (mine.ack == Ack::kPersisted && applied.status == Status::kOk)) {
    answers_.await_sync(mine.token, sequence, applied);
    return;
  }
  out.completions.push_back({mine.token, applied.status, applied.epoch, applied.version,
                             applied.time, applied.previous_version_of_key});
}

int ShardReplica::Impl::show_persisted() {
  if (!config_.persistent) return 0;
  // Nulls and refusals leave nothing in the log: with nothing unsynced, all that is delivered
  // counts.
  const LogPosition logged = store_.last_position();
  const bool nothing_unsynced =
      logged.epoch != config_.epoch || static_cast<uint64_t>(logged.sequence + 1) <= synced_;
  if (nothing_unsynced) synced_ = delivered_;
  FRESHET_CHECK_VALUES(synced_ <= delivered_, synced_, delivered_);
  if (is_trimmed()) return 0;  // shown with PREPARE, answered by confirm()
  table_.set(table_.layout().persisted(), synced_, shown_persisted_ < delivered_change_);

  const uint64_t everywhere =
      breaks(CoreCanary::kPersistEarly) ? synced_ : table_.least_persisted();
  return publish_persisted(std::min(everywhere, delivered_));
}

int ShardReplica::Impl::publish_persisted(uint64_t everywhere) {
  if (everywhere <= persisted_) return 0;
  persisted_ = everywhere;
  Version version = 0;
  for (; !checkpoints_.empty() && checkpoints_.front().sequences <= persisted_;
       checkpoints_.pop()) {
    version = checkpoints_.front().version;
    visible_ = checkpoints_.front().sequences;
  }
  // All that was delivered, but for nulls, is published then.
  if (checkpoints_.empty()) visible_ = persisted_;
  if (version > frontiers_.persisted_version.load(std::memory_order_relaxed)) {
    store_.publish_persisted(version);
    frontiers_.persisted_version.store(version, std::memory_order_release);
  }
  frontiers_.persisted.store(static_cast<Sequence>(persisted_) - 1, std::memory_order_release);
  return 1;
}

int ShardReplica::Impl::answer(Outputs& out) {
  const Completion state{
      0, Status::kOk, config_.epoch, store_.newest_version(), store_.newest_time(), 0};
  // What I sent to a raw shard is answered by its place among my messages.
  const uint64_t answered = config_.raw && is_sender() ? least_taken_of_mine() : persisted_;
  return answers_.release({delivered_, answered, visible_}, state, out);
}

// Of a volatile shard nobody waits for a disk.
LagCounts ShardReplica::Impl::counts_of(Rank member) const {
  const RowLayout& layout = table_.layout();
  const auto shown = [&](size_t cell) {
    return member == me_ ? table_.mine(cell) : table_.shown(member, cell);
  };
  const uint64_t received = member == me_ ? received_changes_ : shown(layout.received_seq());
  return {received, shown(layout.delivered_seq()),
          config_.persistent ? shown(layout.persisted()) : 0, 0};
}

// Who lacks blocks receives nothing behind them, and only one is waited for.
void ShardReplica::Impl::watch_blocks(Rank member, LagCounts& mine, LagCounts& theirs) {
  constexpr auto kReceived = static_cast<size_t>(LagKind::kReceived);
  constexpr auto kBlocks = static_cast<size_t>(LagKind::kBlocks);
  if (large_.lacks(member)) {
    lag_.excuse(member, LagKind::kReceived);
    mine[kReceived] = theirs[kReceived];
  }
  if (!awaited_ || awaited_->rank != member) return lag_.excuse(member, LagKind::kBlocks);
  theirs[kBlocks] = awaited_->steps;
  mine[kBlocks] = awaited_->steps + kStepsAhead;
}

void ShardReplica::Impl::watch_lag(Nanos now, Nanos patience,
                                   const std::function<bool(NodeId)>& is_heard,
                                   std::vector<Lag>& out) {
  lag_.begin(now, patience);
  if (stopped_ != Status::kOk || !end_.running()) return lag_.excuse_all();
  const auto before = std::exchange(awaited_, large_.awaited());
  const bool is_same = before && awaited_ && before->is_same(*awaited_);
  for (const Peer& peer : peers_) {
    const Rank rank = rank_of(config_.members, peer.node);
    if (peer.held || table_.is_frozen(rank)) {
      lag_.excuse(rank);
    } else {
      LagCounts mine = counts_of(me_);
      LagCounts theirs = counts_of(rank);
      if (!is_same) lag_.excuse(rank, LagKind::kBlocks);
      watch_blocks(rank, mine, theirs);
      lag_.look(rank, peer.node, mine, theirs, is_heard(peer.node), out);
    }
  }
}

void ShardReplica::Impl::on_synced(Sequence sequence) {
  if (stopped_ != Status::kOk) return;
  const auto sequences = static_cast<uint64_t>(sequence + 1);
  const bool filling = end_.phase() == EndPhase::kBehind;
  FRESHET_CHECK_VALUES(filling || sequences <= delivered_, sequences, delivered_);
  synced_ = std::max(synced_, sequences);
}

void ShardReplica::Impl::set_dispatched(Version version) {
  dispatched_ = std::max(dispatched_, version);
  if (stopped_ == Status::kOk) table_.set(table_.layout().dispatched(), dispatched_);
}

void ShardReplica::Impl::fail(Rank member, RingFault what, Outputs& out) {
  fault_ = {what == RingFault::kRelayed ? 0 : config_.members[member], ring_fault_name(what)};
  stop(Status::kLogCorrupt, out);
}

void ShardReplica::Impl::stop(Status reason, Outputs& out) {
  if (stopped_ != Status::kOk) return;
  FRESHET_CHECK(reason != Status::kOk);
  stopped_ = reason;
  frontiers_.stopped.store(static_cast<uint8_t>(reason), std::memory_order_release);
  const auto refuse = [&](Token token, Ack ack) {
    if (ack != Ack::kNone) out.completions.push_back({token, reason, 0, 0, 0, 0});
  };
  if (is_sender()) {
    for (auto& waiting = sender_->waiting(); !waiting.empty(); waiting.pop())
      refuse(waiting.front().token, waiting.front().ack);
    sender_->abandon(out.released, refuse);
  }
  answers_.fail(reason, out);
  large_.stop();
}

// --- the seam ----------------------------------------------------------------------------------

ShardReplica::ShardReplica(ShardConfig config, Store& store, HybridClock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), store, clock)) {}
ShardReplica::~ShardReplica() = default;

std::vector<GrantedRegion> ShardReplica::regions() { return impl_->regions(); }
void ShardReplica::on_revoked(NodeId writer, const RegionId& region) {
  impl_->on_revoked(writer, region);
}
void ShardReplica::begin() { impl_->begin(); }
const ShardConfig& ShardReplica::config() const { return impl_->config_; }
Status ShardReplica::submit(const Change& change, Ack ack, Token token) {
  return impl_->submit(change, ack, token);
}
void ShardReplica::wait_current(Token token, bool persisted) {
  impl_->wait_current(token, persisted);
}
int ShardReplica::step(Micros wall, Outputs& out) { return impl_->step(wall, out); }
void ShardReplica::on_synced(Sequence sequence) { impl_->on_synced(sequence); }
void ShardReplica::set_dispatched(Version version) { impl_->set_dispatched(version); }
bool ShardReplica::show_delivered() { return impl_->show_delivered(); }
void ShardReplica::watch_lag(Nanos now, Nanos patience, const std::function<bool(NodeId)>& is_heard,
                             std::vector<Lag>& out) {
  impl_->watch_lag(now, patience, is_heard, out);
}
void ShardReplica::wedge() { impl_->wedge(); }
void ShardReplica::suspect(NodeId peer) { impl_->suspect(peer); }
void ShardReplica::trust(NodeId peer) { impl_->trust(peer); }
void ShardReplica::on_up(NodeId peer) { impl_->on_up(peer); }
void ShardReplica::hold(NodeId peer) { impl_->hold(peer, true); }
void ShardReplica::release(NodeId peer) { impl_->hold(peer, false); }
bool ShardReplica::least_received(const std::vector<NodeId>& survivors,
                                  MessageCounts& least) const {
  return impl_->least_received(survivors, least);
}
void ShardReplica::take_trim(const MessageCounts& trim, Outputs& out) {
  impl_->take_trim(trim, out);
}
EndPhase ShardReplica::end_phase() const { return impl_->end_phase(); }
void ShardReplica::miss_end() { impl_->miss_end(); }
void ShardReplica::filled() { impl_->filled(); }
bool ShardReplica::is_prepared() const { return impl_->is_prepared(); }
void ShardReplica::confirm(Outputs& out) { impl_->confirm(out); }
void ShardReplica::take_back(const Resubmit& resubmit) { impl_->take_back(resubmit); }
void ShardReplica::stop(Status reason, Outputs& out) { impl_->stop(reason, out); }
const Frontiers& ShardReplica::frontiers() const { return impl_->frontiers_; }
const ShardFault& ShardReplica::fault() const { return impl_->fault_; }
size_t ShardReplica::inline_max() const { return impl_->config_.ring_size / kRingInlineDivisor; }
void ShardReplica::set_congested(NodeId peer, bool congested) {
  impl_->set_congested(peer, congested);
}
void ShardReplica::set_busy(NodeId peer, bool busy) { impl_->set_busy(peer, busy); }
bool ShardReplica::has_blocks() const { return impl_->has_blocks(); }

}  // namespace freshet
