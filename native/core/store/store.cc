#include "native/core/store/store.h"

#include "native/core/check.h"
#include "native/core/store/store_impl.h"

namespace freshet {

Store::Store(StoreConfig config) : impl_(std::make_unique<Impl>(config)) {}
Store::~Store() = default;
const StoreConfig& Store::config() const { return impl_->config; }

Applied Store::apply(const RecordView& record, Epoch epoch, Sequence sequence) {
  return impl_->apply(record, epoch, sequence, nullptr);
}
MutableBytes Store::reserve_large(uint32_t slot, size_t record_length) {
  return impl_->reserve_large(slot, record_length);
}
bool Store::copies_large(size_t record_length) const { return impl_->copies_large(record_length); }
Applied Store::apply_large(uint32_t slot, Epoch epoch, Sequence sequence, bool copied) {
  return impl_->apply_large(slot, epoch, sequence, copied);
}
MappedBlock Store::abandon_large(uint32_t slot) { return impl_->abandon_large(slot); }
void Store::expect(std::span<const std::byte* const> records) { impl_->expect(records); }
Status Store::admission() const { return impl_->admission(); }
uint64_t Store::unsynced_bytes() const { return impl_->unsynced_bytes(); }

bool Store::close_batch(Sequence delivered, LogBatch& out) {
  return impl_->close_batch(delivered, out);
}
bool Store::close_idle(LogBatch& out) { return impl_->close_idle(out); }
void Store::on_batch_synced(const LogBatch& batch) { impl_->on_batch_synced(batch); }
void Store::on_log_failed() { impl_->log_failed = true; }
bool Store::maintain(size_t bytes_max) { return impl_->maintain(bytes_max); }

bool Store::has_room_for(uint64_t segment) const { return impl_->has_room_for(segment); }
bool Store::bring_back(uint64_t segment, MappedBlock block, size_t used) {
  return impl_->bring_back(segment, std::move(block), used);
}

Version Store::newest_version() const { return impl_->newest_version(); }
Micros Store::newest_time() const { return impl_->newest_time.load(std::memory_order_relaxed); }
LogPosition Store::last_position() const { return impl_->last_position; }
uint64_t Store::digest() const { return impl_->digest; }
std::vector<Checkpoint> Store::checkpoints() const {
  return {impl_->checkpoints.begin(), impl_->checkpoints.end()};
}
Store::DurableAt Store::synced_end() const { return impl_->synced_end(); }
void Store::publish_persisted(Version version) {
  impl_->persisted.store(version, std::memory_order_release);
}

Status Store::restore(const RecordView& record, std::optional<DurableAt> durable) {
  return impl_->restore(record, durable);
}
Status Store::restore_run(std::span<const RecordView> run, DurableAt first, size_t& taken) {
  return impl_->restore_run(run, first, taken);
}

MutableBytes Store::restore_room(uint64_t segment, size_t file_size, bool stays) {
  return impl_->restore_room(static_cast<uint32_t>(segment), file_size, stays);
}
void Store::end_restore() { impl_->end_restore(); }

Status Store::cut_back(LogPosition position) {
  if (!impl_->config.persistent) return Status::kInvalidArgument;
  if (impl_->last_position <= position) return Status::kOk;
  auto cut = std::make_unique<Impl>(impl_->config);
  const Status status = impl_->replay_until(position, *cut);
  if (is_ok(status)) impl_ = std::move(cut);
  return status;
}

Status Store::read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used) {
  return impl_->read_piece(after, from, out, used);
}
MutableBytes Store::reserve_restored(size_t record_length) {
  return impl_->reserve_restored(record_length);
}
Status Store::restore_reserved() { return impl_->restore_reserved(); }
void Store::abandon_restored() { (void)impl_->abandon_large(kLargeSlots); }
Status Store::read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last,
                       SessionsRead* sessions) {
  return impl_->read_log(after, out, used, last, sessions);
}

Status Store::read_rules(MutableBytes out, size_t& used) const {
  return impl_->read_rules(out, used);
}
void Store::forget_rules() { impl_->forget_rules(); }
Status Store::take_rules(const RecordView& control) { return impl_->take_rules(control); }

Status Store::subscribe(uint64_t id, std::string_view prefix, Version from,
                        SubscriptionFrontier frontier, Version* from_min, EventShare share,
                        Audience audience) {
  const Version lowest = impl_->slots.compacted() + 1;
  if (from_min != nullptr) *from_min = lowest;
  if (from < lowest && lowest > 1) return Status::kCompacted;
  return impl_->of(audience).add(id, prefix, from, frontier, impl_->newest_version(), share);
}
bool Store::unsubscribe(uint64_t id, Audience audience) {
  return impl_->of(audience).remove(id, impl_->newest_version());
}
bool Store::collect_events(std::vector<SubscriptionEvent>& events, size_t max, Audience audience) {
  return impl_->of(audience).collect(*impl_, impl_->newest_version(),
                                     impl_->persisted.load(std::memory_order_acquire), events, max,
                                     impl_->config.shard);
}
void Store::release_up_to(Version version) { impl_->release_up_to(version); }

Store::Reader::Reader(Store& store) : store_(store), slot_(store.impl_->reclaimer.open_reader()) {}
Store::Reader::~Reader() {
  if (slot_ >= 0) store_.impl_->reclaimer.close_reader(slot_);
}
bool Store::Reader::valid() const { return slot_ >= 0; }
void Store::Reader::enter() {
  FRESHET_CHECK(slot_ >= 0);
  if (depth_++ == 0) store_.impl_->reclaimer.enter(slot_);
}
void Store::Reader::leave() {
  FRESHET_CHECK(depth_ > 0);
  if (--depth_ == 0) store_.impl_->reclaimer.leave(slot_);
}

Found Store::get(std::string_view key, const ReadPoint& point) const {
  return impl_->get(key, point);
}
Found Store::get_version(Version version) const { return impl_->get_version(version); }
std::optional<Store::DurableAt> Store::place_of(Version version) const {
  return impl_->place_of(version);
}
Epoch Store::epoch_of(Version version) const {
  return version > impl_->newest_version() ? 0 : impl_->epoch_of(version);
}
Version Store::version_at_time(Micros time) const {
  return impl_->slots.at_time(time, impl_->newest_version());
}
bool Store::list(std::string_view prefix, std::string_view after, const ReadPoint& point,
                 size_t max, std::vector<std::string_view>& keys) const {
  return impl_->list(prefix, after, point, max, keys);
}
Store::Stats Store::stats() const { return impl_->stats(); }

}  // namespace freshet
