#include "test/native/simulation/world_ledger.h"

#include <algorithm>
#include <cstring>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr size_t kRecordHead = 24;  // native/agent/view_host.h

std::string place(ShardId shard, Version version, NodeId node) {
  return "shard " + std::to_string(shard) + ", version " + std::to_string(version) + " at node " +
         std::to_string(node) + ": ";
}

uint32_t size_in(Bytes record, size_t at) {
  uint32_t size;
  std::memcpy(&size, record.data() + at, sizeof size);
  return size;
}

}  // namespace

void WorldLedger::violation(const std::string& text) {
  violations.push_back(text);
  world_.note("VIOLATION: " + text);
}

void WorldLedger::look_at(WorldNode& node) {
  check_view(node);
  const std::vector<WorldShard>& shards = world_.config.shards;
  const std::vector<ShardId>& came = world_.clients.came();
  std::vector<Seen>& seen = seen_[node.node()];
  seen.resize(shards.size() + came.size());
  for (size_t i = 0; i < shards.size(); i++)
    if (!shards[i].raw) check_shard(node, shards[i].shard, seen[i]);
  for (size_t i = 0; i < came.size(); i++) check_shard(node, came[i], seen[shards.size() + i]);
}

void WorldLedger::check_view(WorldNode& node) {
  const Membership& membership = *node.membership();
  const View& view = membership.view();
  SeenView& seen = seen_views_[node.node()];
  const uint64_t incarnation = membership.me().incarnation;
  const bool same = seen.life == node.life() && seen.incarnation == incarnation;
  if (const View* next = membership.proposal(); next != nullptr) know(*next);
  if (same && seen.number == view.number) return;
  const std::string where =
      "view " + std::to_string(view.number) + " at node " + std::to_string(node.node()) + ": ";
  if (same && view.number < seen.number) violation(where + "goes back");
  seen = {node.life(), incarnation, view.number};
  if (view.number != 0) check_installed(view, where);
}

void WorldLedger::know(const View& view) {
  std::vector<View>& views_of = known_[view.number];
  if (std::ranges::find(views_of, view) == views_of.end()) views_of.push_back(view);
}

void WorldLedger::note_record(Bytes record) {
  if (record.size() < kRecordHead) return;
  const size_t first = size_in(record, 16);
  const size_t second = size_in(record, 20);
  if (record.size() < kRecordHead + first + second) return;
  View view;
  if (first > 0 && decode_view(record.subspan(kRecordHead, first), view)) know(view);
  if (second > 0 && decode_view(record.subspan(kRecordHead + first, second), view)) know(view);
}

void WorldLedger::check_installed(const View& view, const std::string& where) {
  const auto [here, fresh] = installed_.emplace(view.number, view);
  if (here->second != view) violation(where + "another one of this number");
  if (!fresh) return;
  know(view);
  const bool restart = view.parent == 0 || view.number > view.parent + 1;
  views++;
  restarts += restart ? 1 : 0;
  if (here != installed_.begin() && !descends(view, std::prev(here)->first))
    violation(where + "does not follow view " + std::to_string(std::prev(here)->first));
  const auto next = std::next(here);
  if (next != installed_.end() && !descends(next->second, view.number))
    violation(where + "view " + std::to_string(next->first) + " does not follow it");
  const auto before = installed_.find(view.parent);
  for (const ViewShard& shard : view.shards) {
    const bool closed = before != installed_.end() && before->second.find(shard.shard) != nullptr &&
                        before->second.find(shard.shard)->closed;
    shards_[shard.shard].loose.emplace(shard.epoch, restart || closed);
  }
}

bool WorldLedger::descends(const View& view, uint32_t from) const {
  if (view.parent <= from) return view.parent == from;
  const auto installed = installed_.find(view.parent);
  if (installed != installed_.end()) return descends(installed->second, from);
  const auto known = known_.find(view.parent);
  return known != known_.end() && std::ranges::any_of(known->second, [&](const View& parent) {
           return descends(parent, from);
         });
}

void WorldLedger::check_shard(WorldNode& node, ShardId id, Seen& seen) {
  ShardHost* host = node.host(id);
  if (host == nullptr || host->replica() == nullptr) return;
  const ShardFault& fault = host->replica()->fault();
  if (fault.peer != 0)
    violation(place(id, 0, node.node()) + "stopped: " + fault.what + " of node " +
              std::to_string(fault.peer));
  if (!host->is_running()) {
    seen.epoch = 0;
    return;
  }
  const Store& store = *host->store();
  const uint64_t generation = host->view().store_generation();
  const Epoch epoch = host->epoch();
  if (seen.life != node.life() || seen.generation != generation) seen.checked = 0;
  if (seen.checked == 0 || seen.epoch != epoch) {
    seen = {node.life(), generation, epoch, seen.checked};
    check_begin(node, id, epoch, store);
  }
  check_history(node, id, seen, store);
}

void WorldLedger::check_begin(WorldNode& node, ShardId id, Epoch epoch, const Store& store) {
  Shard& shard = shards_[id];
  Version version = store.newest_version();
  for (; version > 0; version--) {
    const Found found = store.get_version(version);
    if (found.record == nullptr || found.epoch < epoch) break;
  }
  const auto [begin, fresh] = shard.begins.emplace(epoch, version);
  const std::string what = place(id, version, node.node());
  if (begin->second != version)
    return violation(what + "begins epoch " + std::to_string(epoch) + " after another history");
  if (!fresh) return;
  if (version > shard.history.size()) return violation(what + "begins with more than there was");
  if (shard.loose[epoch]) return cut_back(shard, id, epoch, version);
  if (version < shard.history.size() && shard.history[version].epoch < epoch)
    violation(what + "begins epoch " + std::to_string(epoch) + " without what was delivered");
  for (const auto& [before, newest] : shard.acknowledged) {
    if (before < epoch && newest > version)
      violation(what + "version " + std::to_string(newest) + " was acknowledged and is lost");
  }
}

// A total restart begins with what is left.
void WorldLedger::cut_back(Shard& shard, ShardId id, Epoch epoch, Version version) {
  if (shard.persisted > version)
    violation("shard " + std::to_string(id) + ", epoch " + std::to_string(epoch) +
              " begins with version " + std::to_string(version) + ", but " +
              std::to_string(shard.persisted) + " was acknowledged as persisted");
  if (world_.clients.is_persistent(id) && shard.shown > version)
    violation("shard " + std::to_string(id) + ", epoch " + std::to_string(epoch) +
              " begins with version " + std::to_string(version) + ", but " +
              std::to_string(shard.shown) + " was shown");
  if (version == shard.history.size()) return;
  undone += shard.history.size() - version;
  for (size_t at = version; at < shard.history.size(); at++) {
    shard.applied.erase(shard.history[at].token);
    shard.undone.emplace(at + 1, shard.history[at].crc);
  }
  shard.history.resize(version);
  shard.shown = std::min(shard.shown, version);
  std::erase_if(shard.acknowledged, [&](const auto& item) { return item.first < epoch; });
  shard.era++;
  world_.clients.on_cut_back(id, version);
}

void WorldLedger::check_history(WorldNode& node, ShardId id, Seen& seen, const Store& store) {
  const Version newest = store.newest_version();
  if (seen.checked >= newest) return;
  Shard& shard = shards_[id];
  while (seen.checked < newest) {
    const Version version = ++seen.checked;
    const Found found = store.get_version(version);
    if (found.record == nullptr) continue;  // pruned, or cold
    const RecordView record(found.record);
    const RecordHeader& header = record.header();
    Token token = 0;
    if (record.meta().size() == sizeof token)
      std::memcpy(&token, record.meta().data(), sizeof token);
    const Entry entry{header.header_crc, header.epoch, header.time, token};
    if (version <= shard.history.size() && shard.history[version - 1].crc == entry.crc) continue;
    const auto what = [&] { return place(id, version, node.node()); };
    if (entry.epoch < shard.begins.rbegin()->first) {
      check_late(shard, entry, version, what());
      continue;
    }
    if (version <= shard.history.size()) return violation(what() + "two records for one version");
    if (version != shard.history.size() + 1) return violation(what() + "a gap");
    if (!shard.history.empty() && entry.time <= shard.history.back().time)
      violation(what() + "time stands still");
    shard.history.push_back(entry);
    if (token != 0 && !shard.applied.insert(token).second)
      violation(what() + "what was put is applied twice");
    deliveries++;
    world_.clients.on_delivered(id, version, record);
  }
}

// Delivered in an epoch that has ended elsewhere, perhaps in a history that was undone since.
void WorldLedger::check_late(const Shard& shard, const Entry& entry, Version version,
                             const std::string& what) {
  const auto next = shard.begins.upper_bound(entry.epoch);
  if (version <= next->second) {
    if (!shard.undone.contains({version, entry.crc}))
      violation(what + "two records for one version");
    return;
  }
  const bool loose = std::any_of(next, shard.begins.end(),
                                 [&](const auto& begin) { return shard.loose.at(begin.first); });
  if (!loose) violation(what + "delivered beyond the end of its epoch");
}

void WorldLedger::acknowledged(ShardId id, const Completion& completion, Token token,
                               bool persisted) {
  Shard& shard = shards_[id];
  const Version version = completion.version;
  const bool known = version <= shard.history.size() && shard.history[version - 1].token == token;
  const Epoch newest = shard.begins.empty() ? 0 : shard.begins.rbegin()->first;
  if (!known) {
    // Answered late, after a total restart that undid it.
    const bool undone_one =
        completion.epoch < newest && !persisted &&
        std::any_of(shard.begins.upper_bound(completion.epoch), shard.begins.end(),
                    [&](const auto& begin) { return shard.loose.at(begin.first); });
    if (!undone_one)
      violation("shard " + std::to_string(id) + ": version " + std::to_string(version) +
                " was acknowledged and is not in the history");
    return;
  }
  Version& of_epoch = shard.acknowledged[completion.epoch];
  of_epoch = std::max(of_epoch, version);
  if (persisted) shard.persisted = std::max(shard.persisted, version);
  // What is not on every disk is shown to nobody else.
  if (persisted || !world_.clients.is_persistent(id)) shard.shown = std::max(shard.shown, version);
}

Epoch WorldLedger::epoch_of(ShardId id, Version version) {
  const std::vector<Entry>& history = shards_[id].history;
  return version == 0 || version > history.size() ? 0 : history[version - 1].epoch;
}

Micros WorldLedger::time_of(ShardId id, Version version) {
  const std::vector<Entry>& history = shards_[id].history;
  return version == 0 || version > history.size() ? 0 : history[version - 1].time;
}

WorldLedger::Floor WorldLedger::floor(ShardId id) { return {shards_[id].era, shards_[id].shown}; }

void WorldLedger::read(ShardId id, Floor floor, Version value, NodeId node) {
  Shard& shard = shards_[id];
  if (floor.era != shard.era) return;
  if (value < floor.version)
    violation(place(id, value, node) + "was read after " + std::to_string(floor.version) +
              " was shown");
  shard.shown = std::max(shard.shown, std::min<Version>(value, shard.history.size()));
}

void WorldLedger::shown(ShardId id, Version version, Token token, NodeId node) {
  if (!world_.clients.is_persistent(id)) return;
  Shard& shard = shards_[id];
  if (version > shard.history.size() || shard.history[version - 1].token != token)
    violation(place(id, version, node) + "was shown and is not in the history");
  shard.shown = std::max(shard.shown, version);
}

void WorldLedger::check_end(WorldNode& node, ShardId id) {
  Shard& shard = shards_[id];
  const Store& store = *node.host(id)->store();
  const std::string what = place(id, store.newest_version(), node.node());
  if (store.newest_version() != shard.history.size())
    violation(what + "at rest, but there are " + std::to_string(shard.history.size()));
  if (!node.host(id)->view().persistent()) return;  // a digest of what it was filled with
  if (shard.digest == 0) shard.digest = store.digest();
  if (shard.digest != store.digest()) violation(what + "another history than others");
}

}  // namespace freshet::test
