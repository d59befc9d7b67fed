// What readers do. Any thread inside a guard, or the writer.
#include <algorithm>

#include "native/core/canary.h"
#include "native/core/store/store_impl.h"
#include "native/core/xxh3.h"

namespace freshet {

Epoch Store::Impl::epoch_of(Version version) const {
  const auto* epochs = epochs_.load(std::memory_order_acquire);
  const auto after =
      std::upper_bound(epochs->begin(), epochs->end(), version,
                       [](Version v, const EpochStart& start) { return v < start.first; });
  return after == epochs->begin() ? 0 : std::prev(after)->epoch;
}

Store::Impl::Located Store::Impl::locate(const KeyEntry& entry, const ReadPoint& point) const {
  const Version newest = entry.newest.load(std::memory_order_acquire);
  Version limit = point.newest_max;
  Micros time = INT64_MAX;
  if (point.kind == ReadPoint::Kind::kAtVersion || point.kind == ReadPoint::Kind::kExactVersion) {
    if (point.kind == ReadPoint::Kind::kExactVersion && point.value > limit) return {};
    limit = std::min<Version>(limit, point.value);
  } else if (point.kind == ReadPoint::Kind::kAtTime) {
    time = static_cast<Micros>(std::min<uint64_t>(point.value, INT64_MAX));
  }
  const bool by_event = point.kind == ReadPoint::Kind::kAtTime &&
                        pools_.by_event_time(entry.pool.load(std::memory_order_relaxed));

  // Known even where the oldest slots are gone.
  if (limit < entry.first || (!by_event && time < entry.first_time)) return {};

  Version at = newest;
  const VersionSlot* slot = nullptr;
  while (at != 0) {
    slot = slots.find(at);
    if (slot == nullptr) {
      // Which versions the key had so far back is not known any more.
      return {Status::kCompacted, at, nullptr, Location()};
    }
    if (at <= limit && (by_event || slot->time <= time)) break;
    // Take the jump if what it leads to is still too new.
    const Version jump = slot->jump();
    const VersionSlot* jumped = jump == 0 ? nullptr : slots.find(jump);
    const bool too_new = jumped != nullptr && (jump > limit || (!by_event && jumped->time > time));
    at = too_new ? jump : slot->previous();
  }
  if (at == 0) return {};
  if (point.kind == ReadPoint::Kind::kExactVersion && at != point.value) return {};
  if (by_event) return locate_by_event_time(at, time);
  const Location location = slots.read(*slot);
  if (!location.has_record() || location.hidden()) return {Status::kCompacted, at, slot, location};
  return {Status::kOk, at, slot, location};
}

// Event times come in any order: the version with the latest one up to `time` is looked for among
// all retained versions of the key from `newest` back.
Store::Impl::Located Store::Impl::locate_by_event_time(Version newest, Micros time) const {
  Located best;
  Micros best_time = 0;
  bool incomplete = false;
  for (Version at = newest; at != 0;) {
    const VersionSlot* slot = slots.find(at);
    if (slot == nullptr) {
      incomplete = true;
      break;
    }
    const Location location = slots.read(*slot);
    if (!location.has_record() || location.hidden()) {
      incomplete = true;
      break;
    }
    const std::byte* record = record_at(location);
    if (record == nullptr) {
      // A cold one may be the answer: the query thread has to look.
      return {Status::kOk, at, slot, location};
    }
    const RecordHeader& header = RecordView(record).header();
    const Micros event = header.event_time == kNoTime ? header.time : header.event_time;
    if (event <= time && (best.slot == nullptr || event > best_time)) {
      best = {Status::kOk, at, slot, location};
      best_time = event;
    }
    at = slot->previous();
  }
  if (best.slot == nullptr && incomplete) best.status = Status::kCompacted;
  return best;
}

Found Store::Impl::describe(const Located& located) const {
  Found found;
  found.status = located.status;
  found.version = located.version;
  if (located.slot == nullptr) return found;
  found.previous_version_of_key = located.slot->previous();
  found.time = located.slot->time;
  found.removed = located.location.removed();
  found.epoch = epoch_of(located.version);
  if (located.status != Status::kOk) return found;
  found.record = record_at(located.location);
  if (found.record == nullptr) {
    found.status = Status::kCold;
    found.cold_segment = located.location.segment();
    found.cold_offset = located.location.offset();
    found.cold_length = static_cast<uint32_t>(located.location.size());
    return found;
  }
  const RecordView view(found.record);
  found.event_time = view.header().event_time;
  found.value_size = static_cast<uint32_t>(view.value().size());
  return found;
}

Found Store::Impl::get(std::string_view key, const ReadPoint& point) const {
  const KeyEntry* entry = index_.find(key, xxh3_64(key));
  if (entry == nullptr) return {};
  if (breaks(CoreCanary::kStaleKeys) && newest_version() % 50 == 37) {
    ReadPoint stale = point;
    stale.newest_max = std::min(stale.newest_max, newest_version() - 30);
    return describe(locate(*entry, stale));
  }
  return describe(locate(*entry, point));
}

std::optional<Store::DurableAt> Store::Impl::place_of(Version version) const {
  const VersionSlot* slot =
      version == 0 || version > newest_version() ? nullptr : slots.find(version);
  if (slot == nullptr || !slots.read(*slot).has_record()) return std::nullopt;
  const Location location = slots.read(*slot);
  return DurableAt{location.segment(), location.offset()};
}

Found Store::Impl::get_version(Version version) const {
  if (version == 0 || version > newest_version()) return {};
  const VersionSlot* slot = slots.find(version);
  if (slot == nullptr) return {.status = Status::kCompacted, .version = version};
  const Location location = slots.read(*slot);
  return describe(
      {location.has_record() ? Status::kOk : Status::kCompacted, version, slot, location});
}

bool Store::Impl::list(std::string_view prefix, std::string_view after, const ReadPoint& point,
                       size_t max, std::vector<std::string_view>& keys) const {
  const bool from_after = !after.empty() && after >= prefix;
  const KeyEntry* entry = order_.seek(from_after ? after : prefix, from_after);
  for (size_t count = 0; entry != nullptr; entry = KeyOrder::next(entry)) {
    if (!entry->key().starts_with(prefix)) return false;
    const Located located = locate(*entry, point);
    if (located.status == Status::kNotFound || located.location.removed()) continue;
    // A pruned version did exist: the key is named, and reading it says what is gone.
    if (count == max) return true;
    keys.push_back(entry->key());
    count++;
  }
  return false;
}

Subscriptions::VersionFacts Store::Impl::facts(Version version) {
  const VersionSlot* slot = slots.find(version);
  Subscriptions::VersionFacts facts;
  facts.gone = slot == nullptr || VersionSlots::is_skipped(*slot);
  if (facts.gone) return facts;
  facts.entry = slot->entry();
  facts.time = slot->time;
  facts.epoch = epoch_of(version);
  if (slot->entry() != nullptr) {
    facts.key = slot->entry()->key();
  } else {
    const Location location = slots.read(*slot);
    const std::byte* record = location.has_record() ? record_at(location) : nullptr;
    if (record != nullptr) facts.key = RecordView(record).key();
  }
  return facts;
}

Store::Stats Store::Impl::stats() const {
  Stats stats;
  stats.keys = keys_.load(std::memory_order_relaxed);
  stats.versions = retained_.load(std::memory_order_relaxed);
  stats.resident_bytes = segments_.resident_bytes();
  stats.live_bytes = live_bytes_.load(std::memory_order_relaxed);
  stats.copied_bytes = copied_.load(std::memory_order_relaxed);
  stats.sessions = session_count_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace freshet
