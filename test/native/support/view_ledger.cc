#include "test/native/support/view_ledger.h"

#include <algorithm>
#include <cstring>

namespace freshet::test {
namespace {

std::string at_node(NodeId node) { return " at node " + std::to_string(node); }

Token token_in(const RecordView& record) {
  Token token = 0;
  if (record.meta().size() == sizeof token) std::memcpy(&token, record.meta().data(), sizeof token);
  return token;
}

}  // namespace

void ViewLedger::violation(const std::string& text) {
  if (std::ranges::find(violations, text) == violations.end()) violations.push_back(text);
}

void ViewLedger::check_history(ShardId id, const Store& store, Version& checked, NodeId node) {
  Shard& shard = shards_[id];
  for (const Version newest = store.newest_version(); checked < newest;) {
    const RecordView record(store.get_version(++checked).record);
    const RecordHeader& header = record.header();
    const Entry entry{header.header_crc, header.epoch, header.time, token_in(record)};
    const std::string what = "shard " + std::to_string(id) + ", version " +
                             std::to_string(checked) + at_node(node) + ": ";
    if (checked <= shard.history.size()) {
      if (shard.history[checked - 1].crc == entry.crc) continue;
      return violation(what + "two records for one version");
    }
    if (checked != shard.history.size() + 1) return violation(what + "a gap");
    if (!shard.history.empty()) {
      const Entry& before = shard.history.back();
      if (entry.time <= before.time) violation(what + "time stands still");
      if (entry.epoch < before.epoch) violation(what + "epoch goes back");
    }
    shard.history.push_back(entry);
    const auto next = shard.begins.upper_bound(entry.epoch);
    if (next != shard.begins.end() && checked > next->second)
      violation(what + "delivered beyond the end of its epoch");
  }
}

void ViewLedger::check_begin(ShardId id, Epoch epoch, Version version, NodeId node) {
  Shard& shard = shards_[id];
  const auto [place, fresh] = shard.begins.emplace(epoch, version);
  if (!fresh && place->second != version)
    violation("shard " + std::to_string(id) + ", epoch " + std::to_string(epoch) + at_node(node) +
              ": begins after another history");
  if (version < shard.history.size() && shard.history[version].epoch < epoch)
    violation("shard " + std::to_string(id) + ", epoch " + std::to_string(epoch) + at_node(node) +
              ": begins without what was delivered");
  check_kept(shard, id);
}

// What was acknowledged in an epoch is in what the next begins with.
void ViewLedger::check_kept(const Shard& shard, ShardId id) {
  for (const auto& [epoch, version] : shard.acknowledged) {
    const auto next = shard.begins.upper_bound(epoch);
    if (next != shard.begins.end() && version > next->second)
      violation("shard " + std::to_string(id) + ": version " + std::to_string(version) +
                " was acknowledged in epoch " + std::to_string(epoch) + " and is lost");
  }
}

void ViewLedger::check_installed(const View& view, uint32_t before, NodeId node) {
  const std::string what = "view " + std::to_string(view.number) + at_node(node) + ": ";
  const auto [place, fresh] = views_.emplace(view.number, view);
  if (!fresh && place->second != view) violation(what + "another one of this number");
  if (before != 0 && view.parent != before) violation(what + "no child of the one before");
  if (view.parent != 0 && !views_.contains(view.parent)) violation(what + "unknown parent");
  newest_view = std::max(newest_view, view.number);
}

void ViewLedger::answered(Token token) {
  const auto found = answers_.find(token);
  if (found == answers_.end() || ++found->second != 1)
    violation("token " + std::to_string(token) + " was answered twice");
}

void ViewLedger::acknowledged(ShardId id, const Completion& completion) {
  Shard& shard = shards_[id];
  acknowledgements++;
  const Version version = completion.version;
  if (version == 0) return;  // a control
  if (version > shard.history.size() || shard.history[version - 1].token != completion.token)
    return violation("token " + std::to_string(completion.token) + " was acknowledged as version " +
                     std::to_string(version) + ", which is another's");
  Version& newest = shard.acknowledged[completion.epoch];
  newest = std::max(newest, version);
  shown_[id] = std::max(shown_[id], version);
  check_kept(shard, id);
}

void ViewLedger::read(ShardId shard, Version floor, Version value, NodeId node) {
  reads++;
  if (value < floor)
    violation("a read of shard " + std::to_string(shard) + at_node(node) + " gave version " +
              std::to_string(value) + " after " + std::to_string(floor) + " was shown");
  shown_[shard] = std::max(shown_[shard], value);
}

Version ViewLedger::newest(ShardId shard) const {
  const auto found = shards_.find(shard);
  return found == shards_.end() ? 0 : found->second.history.size();
}

}  // namespace freshet::test
