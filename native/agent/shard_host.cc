#include "native/agent/shard_host.h"

#include <algorithm>
#include <bit>

namespace freshet {

void ShardHost::set_store(std::shared_ptr<Store> store) {
  FRESHET_CHECK(!is_prepared());
  store_ = std::move(store);
  view_.set_store(store_);
}

bool ShardHost::contains(NodeId node) const {
  if (!is_prepared()) return false;
  const auto& members = replica_->config().members;
  return std::find(members.begin(), members.end(), node) != members.end();
}

namespace {

bool is_possible(const EpochOptions& options, NodeId me) {
  const auto& members = options.members;
  const auto& senders = options.senders;
  if (options.epoch == 0 || members.empty() || members.size() > kMembersMax) return false;
  if (std::find(members.begin(), members.end(), me) == members.end()) return false;
  for (size_t i = 0; i < members.size(); i++)
    for (size_t j = 0; j < i; j++)
      if (members[i] == members[j]) return false;
  if (senders.empty() || senders.back() >= members.size()) return false;
  for (size_t i = 1; i < senders.size(); i++)
    if (senders[i - 1] >= senders[i]) return false;
  return std::has_single_bit(options.ring_size) && options.ring_size >= kRingSizeMin &&
         options.ring_size <= kRingSizeMax;
}

// Whether an answer says what the order of the shard came to; others refuse without having looked.
bool tells_state(Status status) {
  switch (status) {
    case Status::kNotAMember:
    case Status::kNotCurrent:
    case Status::kOverloaded:
    case Status::kShardStopped:
      return false;
    default:
      return true;
  }
}

}  // namespace

Status ShardHost::set_rules(const ShardRules& rules) {
  if (rules.raw && view_.persistent()) return Status::kInvalidArgument;
  if (rules.block_size < kBlockSizeMin || rules.block_size > kBlockSizeMax)
    return Status::kInvalidArgument;
  rules_ = rules;
  return Status::kOk;
}

Status ShardHost::prepare_epoch(const EpochOptions& options) {
  if (!is_open()) return Status::kNotAMember;
  if (is_prepared() || !is_possible(options, context_.me)) return Status::kInvalidArgument;
  if (replica_ != nullptr && options.epoch <= epoch()) return Status::kInvalidArgument;
  for (NodeId member : options.members)
    if (member != context_.me && !context_.links.is_up(member)) return Status::kPeerUnreachable;
  if (replica_ != nullptr) retire(std::move(replica_));
  replica_ = make_replica(options);
  started_ = ended_ = false;
  grant(*replica_);
  return Status::kOk;
}

std::unique_ptr<ShardReplica> ShardHost::make_replica(const EpochOptions& options) {
  ShardConfig config;
  config.shard = id();
  config.epoch = options.epoch;
  config.members = options.members;
  config.senders = options.senders;
  config.me = context_.me;
  config.ring_size = options.ring_size;
  config.persistent = view_.persistent();
  config.raw = rules_.raw;
  config.multicast = rules_.multicast;
  config.block_size = rules_.block_size;
  config.dispatch_lag_max = options.dispatch_lag_max;
  return std::make_unique<ShardReplica>(std::move(config), *store_, context_.clock);
}

void ShardHost::grant(ShardReplica& replica) {
  for (const GrantedRegion& region : replica.regions()) {
    const Status granted = context_.transport.grant(region.writer, region.id, region.memory);
    FRESHET_CHECK(is_ok(granted));
  }
}

void ShardHost::retire(std::unique_ptr<ShardReplica> replica) {
  const auto& members = replica->config().members;
  context_.retired.push_back({std::move(replica), {members.begin(), members.end()}});
}

void ShardHost::drop_next() {
  if (next_ == nullptr) return;
  for (const GrantedRegion& region : next_->regions())
    context_.transport.revoke(region.writer, region.id);
  retire(std::move(next_));
}

Status ShardHost::prepare_next(const EpochOptions& options) {
  if (!is_open()) return Status::kNotAMember;
  if (!is_possible(options, context_.me)) return Status::kInvalidArgument;
  // Filled with some of this epoch: its messages come by the rings, from the first one on.
  if (store_->last_position().epoch >= options.epoch) return Status::kInvalidArgument;
  if (next_ != nullptr) {
    const ShardConfig& config = next_->config();
    const bool same = config.epoch == options.epoch && config.members == options.members &&
                      config.senders == options.senders;
    if (same) return Status::kOk;
    drop_next();
  }
  next_ = make_replica(options);
  grant(*next_);
  return Status::kOk;
}

void ShardHost::begin_next() {
  FRESHET_CHECK(next_ != nullptr);
  std::unique_ptr<ShardReplica> before = std::move(replica_);
  replica_ = std::move(next_);
  if (before != nullptr && !ended_) {
    if (before->is_prepared() && are_enough(replica_->config().members.size())) {
      before->confirm(out_);
      answer_held();
      before->take_back([this](const Change& change, Ack ack, Token token, bool large) {
        const Status status = give(change, ack, token, large);
        if (is_ok(status)) return;
        if (large) release(token);
        if (ack != Ack::kNone) out_.completions.push_back({token, status, 0, 0, 0, 0});
      });
    }
    before->stop(Status::kShardStopped, out_);
    fail_held(Status::kShardStopped);
    for (const GrantedRegion& region : before->regions())
      context_.transport.revoke(region.writer, region.id);
  }
  hand_on();
  if (before != nullptr) retire(std::move(before));
  ended_ = false;
  left_ = false;
  started_ = true;
  replica_->begin();
  view_.begin_epoch(epoch(), replica_->frontiers());
  dirty = true;
}

void ShardHost::leave_epoch(std::optional<size_t> members) {
  drop_next();
  if (!is_prepared()) return;
  left_ = members.has_value();
  if (left_ && replica_->is_prepared()) {
    if (are_enough(*members)) {
      replica_->confirm(out_);
      answer_held();
    }
    // The trim leaves them out everywhere: whoever asked may ask another member.
    replica_->take_back([this](const Change&, Ack ack, Token token, bool large) {
      if (large) out_.released.push_back(token);
      if (ack != Ack::kNone) out_.completions.push_back({token, Status::kNotAMember, 0, 0, 0, 0});
    });
  }
  if (left_) fail_deferred(Status::kNotAMember);
  stop_epoch(Status::kShardStopped);
}

Status ShardHost::not_running() const {
  return replica_ != nullptr && !left_ ? Status::kShardStopped : Status::kNotAMember;
}

Status ShardHost::caught_up(Epoch wanted) {
  if (!is_behind() || epoch() != wanted) return Status::kInvalidArgument;
  replica_->filled();
  view_.mirror(replica_->frontiers());
  dirty = true;
  return Status::kOk;
}

Status ShardHost::start_epoch(Epoch wanted) {
  if (!is_prepared() || epoch() != wanted) return Status::kInvalidArgument;
  if (started_) return Status::kOk;
  left_ = false;
  started_ = true;
  replica_->begin();
  view_.begin_epoch(wanted, replica_->frontiers());
  dirty = true;
  return Status::kOk;
}

void ShardHost::stop_epoch(Status reason) {
  if (!is_prepared()) return;
  replica_->stop(reason, out_);
  if (started_) view_.mirror(replica_->frontiers());
  for (const GrantedRegion& region : replica_->regions())
    context_.transport.revoke(region.writer, region.id);
  ended_ = true;
  hand_on();
  fail_held(reason);
  fail_deferred(reason);
}

// On its way to the next epoch: what comes meanwhile waits for it.
bool ShardHost::is_changing() const {
  return is_running() && replica_->end_phase() != EndPhase::kRunning;
}

void ShardHost::submit(const Submission& submission, Nanos now) {
  if (deferred_.empty()) {
    const Status status = try_submit(submission);
    if (is_ok(status)) return;
    if (status != Status::kOverloaded) return refuse(submission, status);
  }
  const Nanos patience = is_changing() ? kDeferredChangeMax : kDeferredMax;
  Deferred deferred(submission, now + patience);
  if (deferred_bytes_ + deferred.size() > kDeferredBytesMax)
    return refuse(submission, Status::kOverloaded);
  deferred_bytes_ += deferred.size();
  deferred_.push_back(std::move(deferred));
}

ShardHost::Deferred::Deferred(const Submission& submission, Nanos until)
    : submission_(submission), until_(until) {
  Change& change = submission_.change;
  const auto keep = [this](Bytes part) { bytes_.insert(bytes_.end(), part.begin(), part.end()); };
  bytes_.reserve(change.key.size() + change.meta.size() +
                 (submission.borrows ? 0 : change.value.size()));
  keep(change.key);
  keep(change.meta);
  if (!submission.borrows) keep(change.value);
  const Bytes kept(bytes_);
  change.key = kept.first(change.key.size());
  change.meta = kept.subspan(change.key.size(), change.meta.size());
  if (!submission.borrows) change.value = kept.last(change.value.size());
}

Status ShardHost::try_submit(const Submission& submission) {
  if (!is_running()) return not_running();
  if (is_changing()) return Status::kOverloaded;
  if (!are_enough(replica_->config().members.size())) return Status::kShardStopped;
  const bool logs = view_.persistent();
  const uint64_t length = record_length(submission.change);
  const bool is_long = logs && length > kWholeRecordMax;
  if (logs && is_refused(submission.change.kind, disk_left_.room)) return Status::kDiskFull;
  if (is_long && !fits_disks(length)) return Status::kDiskFull;
  const Status admitted = store_->admission();
  if (!is_ok(admitted)) return admitted;
  dirty = true;
  const Status given =
      give(submission.change, submission.ack, submission.token, submission.borrows);
  if (is_long && is_ok(given)) long_.emplace(submission.token, length);
  return given;
}

// Shorter ones are what the minimum of free space is for. What is under way here comes first; of
// what is not synced some may be written, so that rather too much is refused than too little.
bool ShardHost::fits_disks(uint64_t length) const {
  uint64_t needed = length + store_->unsynced_bytes();
  for (const auto& [token, other] : long_) needed += other;
  return needed <= disk_left_.long_max;
}

// A value that the replica reads until it releases it is kept here, unless it `stays` where it
// lies: a command's is gone after this pass, and what an ended epoch had in its ring with that.
Status ShardHost::give(Change change, Ack ack, Token token, bool stays) {
  const bool reads = padded(record_length(change)) > replica_->inline_max();
  const bool keeps = reads && !stays;
  if (keeps) {
    kept_.push_back({token, {change.value.begin(), change.value.end()}});
    change.value = kept_.back().value;
  }
  const Status status = replica_->submit(change, ack, token);
  if (keeps && !is_ok(status)) kept_.pop_back();
  // Of what was copied at once the replica says nothing more.
  if (stays && !reads && is_ok(status)) release(token);
  return status;
}

void ShardHost::release(Token token) {
  if (!long_.empty()) long_.erase(token);
  const auto kept = std::ranges::find(kept_, token, &Kept::token);
  if (kept == kept_.end()) {
    context_.callers.release(token);
  } else {
    kept_.erase(kept);
  }
}

void ShardHost::refuse(const Submission& submission, Status reason) {
  if (submission.borrows) context_.callers.release(submission.token);
  if (submission.ack == Ack::kNone) {
    AgentCounters::add(context_.counters.droppedUnanswered);
    return;
  }
  context_.callers.answer({submission.token, reason, 0, 0, 0, 0});
}

int ShardHost::retry_deferred(Nanos now) {
  int taken = 0;
  while (!deferred_.empty()) {
    const Deferred& first = deferred_.front();
    const Status status = try_submit(first.submission());
    if (status == Status::kOverloaded && now < first.until()) break;
    if (!is_ok(status)) refuse(first.submission(), status);
    deferred_bytes_ -= first.size();
    deferred_.pop_front();
    taken++;
  }
  return taken;
}

void ShardHost::fail_deferred(Status reason) {
  for (const Deferred& item : deferred_) refuse(item.submission(), reason);
  deferred_.clear();
  deferred_bytes_ = 0;
}

void ShardHost::wait_current(Token token, bool persisted) {
  if (is_running()) {
    waits_.insert(token);
    replica_->wait_current(token, persisted);
    dirty = true;
    return;
  }
  context_.callers.answer({token, not_running(), 0, 0, 0, 0});
}

bool ShardHost::is_current() const {
  if (!is_running()) return false;
  const Frontiers& frontiers = replica_->frontiers();
  const Sequence shown = view_.persistent() ? frontiers.persisted : frontiers.delivered;
  return shown >= frontiers.changes && frontiers.stopped == 0 && !frontiers.wedged && holds_lease();
}

void ShardHost::set_dispatched(Version version) {
  if (!is_running()) return;
  replica_->set_dispatched(version);
  dirty = true;
}

// What other shards have sent in this pass counts.
void ShardHost::look_at_links() {
  if (!replica_->has_blocks()) return;
  for (const NodeId node : replica_->config().members)
    replica_->set_busy(node, !context_.links.takes_blocks(node));
}

void ShardHost::watch_lag(Nanos now, const std::function<bool(NodeId)>& is_heard) {
  if (lag_patience_ == 0 || !is_running()) return;
  lags_.clear();
  replica_->watch_lag(now, lag_patience_, is_heard, lags_);
  for (const Lag& lag : lags_)
    context_.rows.push(make_row(RowKind::kLag, id(), epoch(), lag.node,
                                static_cast<uint8_t>(lag.kind), lag.waited / 1'000'000,
                                lag.sequences));
}

std::vector<BlockSent> ShardHost::take_trace() {
  std::vector<BlockSent> taken = std::move(trace_).value_or(std::vector<BlockSent>());
  trace_.emplace();
  return taken;
}

int ShardHost::step(Micros wall, Nanos now, bool& ended) {
  ended = false;
  if (!is_running()) return 0;
  int work = has_deferred() ? retry_deferred(now) : 0;
  sent_blocks_ = false;
  look_at_links();
  work += replica_->step(wall, out_);
  view_.mirror(replica_->frontiers());
  hand_on();
  if (replica_->frontiers().stopped.load(std::memory_order_relaxed) != 0) {
    ended = true;
    stop_epoch(static_cast<Status>(replica_->frontiers().stopped.load(std::memory_order_relaxed)));
  }
  return work;
}

void ShardHost::hand_on() {
  for (const GrantedRegion& region : out_.grants) {
    const Status granted = context_.transport.grant(region.writer, region.id, region.memory);
    // One that was forgotten writes nothing until a view without it ends the epoch.
    FRESHET_CHECK(is_ok(granted) || granted == Status::kPeerUnreachable);
  }
  for (const RegionWrite& write : out_.writes) {
    context_.transport.write(write.peer, write.region, write.offset, write.bytes, write.stable);
    if (write.region.kind != RegionKind::kBlocks) continue;
    context_.links.count_block(write.peer, write.bytes.size());
    sent_blocks_ = true;
  }
  for (const RegionRevoke& revoke : out_.revokes) {
    context_.transport.revoke(revoke.writer, revoke.region);
    leaving_.push_back(revoke);
  }
  if (!leaving_.empty()) end_grants();
  if (trace_) {
    for (const BlockSent& sent : out_.blocks)
      if (trace_->size() < kTracedBlocksMax) trace_->push_back(sent);
  }
  answer();
  for (const Token token : out_.released) release(token);
  out_.clear();
}

// Tells the replica of what nobody can write any more.
void ShardHost::end_grants() {
  std::erase_if(leaving_, [this](const RegionRevoke& revoke) {
    if (context_.transport.is_leaving(revoke.writer, revoke.region)) return false;
    if (replica_->config().epoch == revoke.region.epoch) {
      replica_->on_revoked(revoke.writer, revoke.region);
      dirty = true;
    }
    return true;
  });
}

// The lease is looked at after the pass, and by the clock, as this thread may have stood still
// within it: only then it says that nobody went on before what is answered now was asked.
void ShardHost::answer() {
  if (out_.completions.empty() && held_.empty()) return;
  const bool is_current = holds_lease();
  if (is_current) {
    for (const Completion& done : held_) context_.callers.answer(done);
    held_.clear();
  }
  for (const Completion& done : out_.completions) {
    const bool reads = !waits_.empty() && waits_.erase(done.token) > 0;
    if (is_current || !tells_state(done.status)) {
      context_.callers.answer(done);
    } else if (reads) {
      context_.callers.answer({done.token, Status::kNotCurrent, 0, 0, 0, 0});
    } else {
      held_.push_back(done);
    }
  }
  out_.completions.clear();
}

// An installed view has what the ended epoch delivered.
void ShardHost::answer_held() {
  for (const Completion& done : held_) context_.callers.answer(done);
  held_.clear();
  for (const Completion& done : out_.completions) {
    waits_.erase(done.token);
    context_.callers.answer(done);
  }
  out_.completions.clear();
}

void ShardHost::fail_held(Status reason) {
  for (const Completion& done : held_) context_.callers.answer({done.token, reason, 0, 0, 0, 0});
  held_.clear();
}

}  // namespace freshet
