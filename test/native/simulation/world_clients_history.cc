// What clients of a World saw, key by key, and whether that may be.
#include <algorithm>
#include <charconv>

#include "test/native/simulation/world.h"
#include "test/native/simulation/world_clients.h"
#include "test/native/simulation/world_values.h"

namespace freshet::test {

void WorldClients::record(const Operation& operation) {
  if (operation.makes_pool) return;
  Shard& shard = shards_[operation.shard];
  RegisterOperation seen = operation.seen;
  const bool writes = seen.kind == Kind::kWrite || seen.kind == Kind::kSwap;
  if (writes && is_persistent(operation.shard) && !operation.persisted)
    seen.returned = kNeverReturned;
  if (operation.floor.era != shard.era) {
    // It began before a total restart, and may be in what that left or not.
    if (!writes) return;
    seen.returned = kNeverReturned;
    // Without an epoch it takes another value at the same version for the one that it expects.
    if (operation.expected_epoch == 0) seen.kind = Kind::kWrite;
  }
  if (seen.returned != kNeverReturned) {
    last_answers_[operation.shard] = seen.returned;
    if (std::ranges::find(came_, operation.shard) != came_.end()) answered_in_extras_++;
  }
  shard.history[operation.key].push_back(seen);
}

void WorldClients::on_delivered(ShardId id, Version version, const RecordView& record) {
  Shard& shard = shards_[id];
  const std::string_view name = record.key();
  shard.delivered.resize(version - 1);
  if (name.starts_with('/')) {
    shard.delivered.push_back({kOfPools, 0});
    if (id == WorldCatalog::kShard) world_.catalog.on_delivered(version, record);
    return;
  }
  uint32_t key = 0;
  std::from_chars(name.data() + 4, name.data() + name.size(), key);
  uint64_t value = 0;
  if (record.header().kind == RecordKind::kPut && !read_value(record.value(), key, value))
    world_.ledger.violation("shard " + std::to_string(id) + ", version " + std::to_string(version) +
                            ": " + std::string(name) + " has bytes that nobody put");
  shard.delivered.push_back({key, value});
}

const WorldClients::Delivered* WorldClients::delivered(ShardId id, Version version) const {
  const auto shard = shards_.find(id);
  if (shard == shards_.end() || version == 0) return nullptr;
  const std::vector<Delivered>& all = shard->second.delivered;
  if (version > all.size() || all[version - 1].key == kOfPools) return nullptr;
  return &all[version - 1];
}

// The histories of the era are judged, and those of the next begin with what is left. Writes that
// are under way go on in it, if they were not delivered.
void WorldClients::on_cut_back(ShardId id, Version version) {
  Shard& shard = shards_[id];
  if (world_.config.catalog && id == WorldCatalog::kShard) world_.catalog.on_cut_back(version);
  for (Client& client : clients_) {
    Operation now = client.now;
    if (now.token == 0 || now.shard != id) continue;
    now.seen.returned = kNeverReturned;
    record(now);
  }
  check_shard(id, shard);
  shard.delivered.resize(version);
  shard.initial.clear();
  shard.history.clear();
  for (const Delivered& item : shard.delivered) shard.initial[item.key] = item.value;
  shard.era++;
  record_late_puts(id);
  for (Client& client : clients_)
    std::erase_if(client.known, [&](const auto& item) { return item.first >> 32 == id; });
}

void WorldClients::check() {
  for (auto& [id, shard] : shards_) check_shard(id, shard);
}

void WorldClients::check_shard(ShardId id, Shard& shard) {
  for (const auto& [key, history] : shard.history) {
    const Linearizability verdict = check_register(history, shard.initial[key]);
    if (verdict == Linearizability::kYes) {
      checked_ += history.size();
      continue;
    }
    if (verdict == Linearizability::kNo) tell(up_to_contradiction(history, shard.initial[key]));
    world_.ledger.violation(
        "the history of " + name_of(key) + " of shard " + std::to_string(id) +
        (verdict == Linearizability::kNo ? " is not linearizable" : " takes too long to check"));
  }
}

// The last of it: what cannot be, and what came shortly before.
void WorldClients::tell(const std::vector<RegisterOperation>& history) {
  constexpr size_t kTold = 40;
  constexpr const char* kNames[] = {"read", "write", "swap", "swap-fail"};
  const size_t first = history.size() - std::min(history.size(), kTold);
  for (size_t nth = first; nth < history.size(); nth++) {
    const RegisterOperation& one = history[nth];
    const auto ms = [](Nanos time) { return std::to_string(static_cast<double>(time) / 1e6); };
    world_.note(std::string(kNames[static_cast<size_t>(one.kind)]) + " " +
                std::to_string(one.value) + " expecting " + std::to_string(one.expected) +
                " from " + ms(one.invoked) + " to " +
                (one.returned == kNeverReturned ? "?" : ms(one.returned)));
  }
}

void WorldClients::on_pass() {
  for (const auto& ack : acks_) {
    world_.ledger.acknowledged(ack.shard, ack.completion, ack.value, ack.persisted);
    check_previous(ack);
  }
  for (const auto& read : shown_)
    world_.ledger.read(read.shard, read.floor, read.version, read.node);
  acks_.clear();
  shown_.clear();
}

// Not every answer tells which version of the key was before it; one that does tells the truth.
void WorldClients::check_previous(const Acknowledged& ack) {
  const auto [version, told] =
      std::pair(ack.completion.version, ack.completion.previous_version_of_key);
  const std::vector<Delivered>& delivered = shards_[ack.shard].delivered;
  const bool is_known = version <= delivered.size() && delivered[version - 1].value == ack.value;
  if (told == 0 || !is_known) return;
  Version previous = version - 1;
  while (previous > 0 && delivered[previous - 1].key != delivered[version - 1].key) previous--;
  if (told != previous)
    world_.ledger.violation("shard " + std::to_string(ack.shard) + ": version " +
                            std::to_string(version) + " was told to follow " +
                            std::to_string(told) + ", but follows " + std::to_string(previous));
}

}  // namespace freshet::test
