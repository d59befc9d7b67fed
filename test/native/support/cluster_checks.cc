// The checkers of the simulated cluster: what must hold after every pass, and at the end.
#include <algorithm>
#include <cstring>
#include <set>

#include "native/core/shard_table.h"
#include "test/native/support/cluster.h"

namespace freshet::test {
namespace {

struct KeyState {
  Version newest = 0;
  bool removed = false;
};

uint64_t operation_of(const RecordView& record) {
  uint64_t name = 0;
  if (record.meta().size() >= sizeof name) std::memcpy(&name, record.meta().data(), sizeof name);
  return name;
}

}  // namespace

void Cluster::check_frontiers(size_t m, size_t shard) {
  Replica& mine = members_[m]->replicas[shard];
  const Frontiers& frontiers = mine.replica->frontiers();
  const Sequence delivered = frontiers.delivered.load();
  const Sequence persisted = frontiers.persisted.load();
  if (frontiers.stopped.load() != 0 && !mine.stop_reported) {
    mine.stop_reported = true;
    violation(std::string("stopped: ") + mine.replica->fault().what);
  }
  if (delivered < mine.delivered_seen || persisted < mine.persisted_seen)
    violation("a frontier went back");
  mine.delivered_seen = delivered;
  mine.persisted_seen = persisted;
  if (persisted > delivered) violation("persisted beyond delivered");
  for (const auto& member : members_) {
    const Replica& other = member->replicas[shard];
    if (delivered > other.replica->frontiers().received.load())
      violation("delivered what a member has not received");
    // What a member has not synced is in its pending batches.
    if (!other.syncs.empty() && persisted >= first_unsynced(other))
      violation("persisted what a member has not synced");
  }
}

// The least sequence that is logged at this member and not on its disk.
Sequence Cluster::first_unsynced(const Replica& replica) {
  Version low = replica.synced_version;
  const Found found = replica.store->get_version(low + 1);
  if (found.status != Status::kOk) return INT64_MAX;
  return RecordView(found.record).header().sequence;
}

void Cluster::check_completion(const Completion& completion, const Replica& replica) {
  result_.completions++;
  if (completion.token & kWaitBit) {
    const auto found = waits_.find(completion.token);
    if (found == waits_.end()) return violation("an answer to nobody's wait");
    Wait& wait = found->second;
    if (wait.answers++ > 0) return violation("a wait answered twice");
    if (completion.status != Status::kOk) return;
    const Frontiers& frontiers = replica.replica->frontiers();
    if (frontiers.delivered.load() < wait.received) violation("a wait answered early");
    if (wait.persisted && config_.persistent && frontiers.persisted.load() < wait.received)
      violation("a persisted wait answered early");
    if (completion.version < wait.acknowledged)
      violation("a linearizable read misses what was acknowledged before it");
    return;
  }
  if (completion.token == 0 || completion.token > operations_.size())
    return violation("an answer to nobody");
  Operation& operation = *operations_[completion.token - 1];
  operation.answer = completion;
  if (operation.answers++ > 0) violation("answered twice");
  if (!operation.accepted) violation("answered though refused at submit");
  if (operation.ack == Ack::kNone) violation("answered though nobody asked");
  if (completion.status != Status::kOk) {
    result_.refused++;
    return;
  }
  result_.accepted++;
  Version& acknowledged = acknowledged_[operation.shard];
  acknowledged = std::max(acknowledged, completion.version);
  if (completion.version == 0) return;  // a control record
  const Found found = replica.store->get_version(completion.version);
  if (found.status != Status::kOk) return violation("an acknowledged version is not there");
  const Sequence sequence = RecordView(found.record).header().sequence;
  for (const auto& member : members_) {
    const Replica& other = member->replicas[operation.shard];
    if (other.replica->frontiers().received.load() < sequence)
      violation("acknowledged before all members had it");
    if (operation.ack == Ack::kPersisted && other.synced_version < completion.version)
      violation("acknowledged as persisted before all disks had it");
  }
}

void Cluster::check_answers() {
  for (const auto& operation : operations_) {
    const int expected = operation->accepted && operation->ack != Ack::kNone ? 1 : 0;
    if (operation->answers != expected) violation("liveness: a submission was not answered");
    const int lent = operation->accepted && operation->large ? 1 : 0;
    if (operation->releases != lent) violation("liveness: a value was not released");
  }
  for (const auto& [token, wait] : waits_) {
    if (wait.answers != 1) violation("liveness: a wait was not answered");
  }
}

void Cluster::check_ends(size_t shard) {
  const Replica& first = members_[0]->replicas[shard];
  const Sequence delivered = first.replica->frontiers().delivered.load();
  for (const auto& member : members_) {
    const Replica& replica = member->replicas[shard];
    const Frontiers& frontiers = replica.replica->frontiers();
    if (frontiers.delivered.load() != delivered) violation("ends: delivered differs");
    if (frontiers.received.load() < delivered) violation("ends: received below delivered");
    if (config_.persistent && frontiers.persisted.load() != delivered)
      violation("ends: not everything is persisted");
    if (config_.persistent && frontiers.persisted_version.load() != replica.store->newest_version())
      violation("ends: persisted version lags");
    if (frontiers.delivered_version.load() != replica.store->newest_version())
      violation("ends: delivered version lags");
  }
  result_.nulls += static_cast<uint64_t>(delivered + 1) - first.store->newest_version();
}

void Cluster::check_histories(size_t shard) {
  const Store& first = *members_[0]->replicas[shard].store;
  for (const auto& member : members_) {
    const Store& store = *member->replicas[shard].store;
    if (store.newest_version() != first.newest_version()) violation("histories: length differs");
    if (store.digest() != first.digest()) violation("histories: digest differs");
    const Version newest = std::min(store.newest_version(), first.newest_version());
    for (Version version = 1; version <= newest; version++) {
      const Found mine = first.get_version(version);
      const Found other = store.get_version(version);
      if (mine.status != Status::kOk || other.status != Status::kOk) {
        violation("histories: a version is missing");
        break;
      }
      const RecordView a(mine.record);
      const RecordView b(other.record);
      if (a.size() != b.size() || std::memcmp(a.start(), b.start(), a.size()) != 0) {
        violation("histories: a version differs");
        break;
      }
    }
  }
}

void Cluster::check_records(size_t shard) {
  const Store& store = *members_[0]->replicas[shard].store;
  std::map<std::string, KeyState> keys;
  std::map<size_t, uint64_t> newest_of_member;
  std::set<std::pair<uint64_t, uint64_t>> requests;
  std::set<uint64_t> seen;
  Micros time = 0;
  Sequence sequence = -1;
  for (Version version = 1; version <= store.newest_version(); version++) {
    const Found found = store.get_version(version);
    if (found.status != Status::kOk) return violation("records: a version is missing");
    const RecordView record(found.record);
    const RecordHeader& header = record.header();
    if (header.version != version) violation("records: versions are not contiguous");
    if (header.time <= time) violation("records: time does not grow");
    if (header.sequence <= sequence) violation("records: sequence does not grow");
    if (!payload_crc_matches(record)) violation("records: payload checksum");
    time = header.time;
    sequence = header.sequence;
    const uint64_t name = operation_of(record);
    if (name == 0 || name > operations_.size()) return violation("records: nobody's change");
    const Operation& operation = *operations_[name - 1];
    if (!operation.accepted || operation.shard != shard) violation("records: was not accepted");
    if (!seen.insert(name).second) violation("records: applied twice");
    if (operation.key != record.key() || !std::equal(operation.value.begin(), operation.value.end(),
                                                     record.value().begin(), record.value().end()))
      violation("records: not what was submitted");
    uint64_t& newest = newest_of_member[operation.member];
    if (name < newest) violation("records: a sender's changes are out of order");
    newest = name;
    if (operation.session.session != 0 &&
        !requests.insert({operation.session.session, operation.session.request}).second)
      violation("records: a request was applied twice");
    KeyState& key = keys[operation.key];
    const Version wanted = operation.condition.version_of_key;
    const bool holds = wanted == Condition::kAny ||
                       (wanted == 0 ? key.newest == 0 || key.removed : wanted == key.newest);
    if (!holds) violation("records: applied against its condition");
    if (operation.kind != RecordKind::kTrigger)
      key = {version, operation.kind == RecordKind::kRemove};
    if (operation.answers == 1 && operation.answer.status == Status::kOk &&
        operation.session.session == 0 &&
        (operation.answer.version != version || operation.answer.time != header.time))
      violation("records: the answer names another version");
  }
  check_applied(shard, seen);
}

// What was accepted without a condition or a session must be in the history, unless it was refused.
void Cluster::check_applied(size_t shard, const std::set<uint64_t>& seen) {
  for (size_t i = 0; i < operations_.size(); i++) {
    const Operation& operation = *operations_[i];
    if (operation.shard != shard || !operation.accepted) continue;
    if (operation.kind == RecordKind::kControl || operation.ack == Ack::kNone) continue;
    const bool applied = operation.answer.status == Status::kOk;
    if (applied && operation.session.session == 0 && !seen.contains(i + 1))
      violation("records: an acknowledged change is not in the history");
    if (!applied && seen.contains(i + 1)) violation("records: a refused change was applied");
  }
}

// Every copy of a row equals every other, and says what its owner knows.
void Cluster::check_rows(size_t shard) {
  for (const auto& member : members_) {
    const Replica& owner = member->replicas[shard];
    const RowLayout layout{owner.senders.size()};
    const Frontiers& frontiers = owner.replica->frontiers();
    for (const auto& other : members_) {
      for (const GrantedRegion& region : other->replicas[shard].regions) {
        if (region.id.kind != RegionKind::kShardRow || region.writer != member->node) continue;
        const auto* cells = reinterpret_cast<const uint64_t*>(region.memory.data());
        const auto same = [&](size_t cell, Sequence value) {
          if (cells[cell] != static_cast<uint64_t>(value + 1)) violation("rows: a copy differs");
        };
        same(layout.received_seq(), frontiers.received.load());
        same(layout.delivered_seq(), frontiers.delivered.load());
        if (config_.persistent) same(layout.persisted(), frontiers.persisted.load());
      }
    }
  }
}

}  // namespace freshet::test
