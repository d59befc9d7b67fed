#include "native/agent/view_host.h"

#include <algorithm>
#include <cstring>

#include "native/core/checksum.h"

namespace freshet {
namespace {

constexpr uint32_t kRecordFormat = 1;

struct RecordHead {
  uint32_t format;
  uint32_t zero;
  uint64_t ballot;
  uint32_t committed_size;
  uint32_t prepared_size;
};
static_assert(sizeof(RecordHead) == 24);

}  // namespace

std::vector<std::byte> encode_view_record(const View& committed, const View* prepared,
                                          Ballot ballot) {
  const size_t first = committed.number == 0 ? 0 : encoded_size(committed);
  const size_t second = prepared == nullptr ? 0 : encoded_size(*prepared);
  const RecordHead head{kRecordFormat, 0, ballot, static_cast<uint32_t>(first),
                        static_cast<uint32_t>(second)};
  const size_t size = sizeof head + first + second;
  std::vector<std::byte> bytes(size + sizeof(uint32_t));
  std::memcpy(bytes.data(), &head, sizeof head);
  if (first > 0) encode_view(committed, MutableBytes(bytes).subspan(sizeof head, first));
  if (second > 0) encode_view(*prepared, MutableBytes(bytes).subspan(sizeof head + first, second));
  const uint32_t crc = crc32c(bytes.data(), size);
  std::memcpy(bytes.data() + size, &crc, sizeof crc);
  return bytes;
}

ViewHost::ViewHost(Context context, uint64_t incarnation)
    : context_(std::move(context)),
      membership_(
          std::make_unique<Membership>(MemberId{context_.me, incarnation}, context_.limits)) {}

void ViewHost::add_peer(NodeId node) {
  if (std::find(peers_.begin(), peers_.end(), node) != peers_.end()) return;
  peers_.push_back(node);
  grant(node);
}

void ViewHost::forget_peer(NodeId node) {
  std::erase(peers_, node);
  membership_->close_peer(node);
}

void ViewHost::grant(NodeId node) {
  context_.transport.revoke(node, {RegionKind::kViewRow, 0, 0, 0});
  const GrantedRegion row = membership_->open_peer(node);
  const Status granted = context_.transport.grant(row.writer, row.id, row.memory);
  FRESHET_CHECK(is_ok(granted));
}

void ViewHost::on_event(const PeerEvent& event, Nanos now) {
  if (std::find(peers_.begin(), peers_.end(), event.node) == peers_.end()) return;
  dirty = true;
  if (event.kind == PeerEvent::Kind::kUp) {
    membership_->on_up({event.node, event.incarnation}, now);
  } else if (event.kind == PeerEvent::Kind::kDown) {
    membership_->on_down(event.node, now);
  }
}

bool ViewHost::can_begin(const View& view) const {
  return !has_view() && *view.fault() == '\0' && view.seat_of(membership_->me()) != kNoSeat;
}

void ViewHost::need_lease() {
  if (context_.lease_until.load() == INT64_MAX) context_.lease_until.store(INT64_MIN);
}

Status ViewHost::begin(const View& view, size_t ring_size, Nanos now) {
  if (!can_begin(view)) return Status::kInvalidArgument;
  ring_size_ = ring_size;
  membership_->begin(view, now);
  for (const ViewShard& shard : view.shards) {
    ShardHost* host = context_.find(shard.shard);
    if (host == nullptr) continue;
    host->set_members_min(shard.members_min);
    if (host->is_prepared() && host->epoch() == shard.epoch) membership_->attach(*host->replica());
  }
  dirty = true;
  publish();
  return Status::kOk;
}

Status ViewHost::propose(const View& next) {
  dirty = true;
  return membership_->propose(next);
}

Status ViewHost::accuse(NodeId node) {
  dirty = true;
  return membership_->accuse(node);
}

EpochOptions ViewHost::options_of(const View& view, const ViewShard& shard) const {
  EpochOptions options;
  options.shard = shard.shard;
  options.epoch = shard.epoch;
  for (const Seat seat : shard.members) options.members.push_back(view.at(seat)->id.node);
  options.senders = shard.senders;
  options.ring_size = view.ring_size(ring_size_);
  return options;
}

int ViewHost::step(Nanos now, uint64_t loop_beat) {
  dirty = false;
  int work = membership_->step(now, loop_beat, out_);
  take_events();
  for (const RegionWrite& write : out_.writes)
    context_.transport.write(write.peer, write.region, write.offset, write.bytes, write.stable);
  out_.clear();
  // What the replicas are asked or told shows in their next pass.
  const bool told = membership_->take_told();
  if (told || is_changing()) {
    for (const ViewShard& shard : membership_->view().shards)
      if (ShardHost* host = context_.find(shard.shard)) host->dirty = true;
  }
  bool renewed = false;  // what shards hold back can be answered then
  if (has_view()) {
    const Nanos until = membership_->lease_until();
    renewed = context_.lease_until.exchange(until) <= now && until > now;
  }
  const bool stuck = has_view() && membership_->is_stuck();
  const uint64_t suspicion = make_suspicion(membership_->attempt(), membership_->suspects());
  if (stuck != stuck_ || membership_->leads() != leads_ || suspicion != suspicion_) {
    suspicion_ = suspicion;
    stuck_ = stuck;
    leads_ = membership_->leads();
    if (has_view()) publish();
  }
  return work + (told || renewed ? 1 : 0);
}

void ViewHost::take_events() {
  for (const MembershipEvent event : membership_->take_events()) {
    dirty = true;
    switch (event) {
      case MembershipEvent::kPrepare:
        on_prepare();
        break;
      case MembershipEvent::kInstalled:
        on_installed();
        break;
      case MembershipEvent::kBehind:  // the event loop finds one that has ended the epoch
        publish();
        notify(ViewNotice::kBehind);
        break;
      case MembershipEvent::kOutdated:
        notify(ViewNotice::kOutdated);
        break;
    }
  }
}

// Shards that are new here are filled by the event loop, which knows from whom.
void ViewHost::on_prepare() {
  const View& next = *membership_->proposal();
  const Seat seat = next.seat_of(membership_->me());
  bool fills = false;
  for (const ViewShard& shard : next.shards) {
    const ViewShard* before = membership_->view().find(shard.shard);
    const bool was_in = before != nullptr && has_seat(before->seats(), membership_->seat());
    if (has_seat(shard.seats(), seat) && !was_in) fills = true;
  }
  if (!fills) return prepare_epochs();
  to_fill_ = membership_->vote();
  publish();
  notify(ViewNotice::kFill);
}

void ViewHost::filled(uint64_t vote, size_t ring_size) {
  if (vote != to_fill_ || vote != membership_->vote()) return;
  to_fill_ = 0;
  ring_size_ = ring_size;
  prepare_epochs();
}

void ViewHost::prepare_epochs() {
  const View& next = *membership_->proposal();
  const Seat seat = next.seat_of(membership_->me());
  for (const ViewShard& shard : next.shards) {
    ShardHost* host = context_.find(shard.shard);
    if (host == nullptr || !has_seat(shard.seats(), seat) || host->epoch() == shard.epoch) continue;
    const Status made = host->prepare_next(options_of(next, shard));
    // One that is not open here: nobody is to wait for a member that cannot go along.
    if (!is_ok(made)) return notify(ViewNotice::kOutdated);
  }
  to_record_ = membership_->vote();
  if (!context_.write) return recorded(to_record_);
  context_.write(encode_view_record(membership_->view(), &next, membership_->ballot()), to_record_);
}

void ViewHost::recorded(uint64_t vote) {
  if (vote != to_record_) return;
  to_record_ = 0;
  membership_->prepared(vote);
  dirty = true;
}

void ViewHost::not_recorded(uint64_t vote) {
  if (vote != to_record_) return;
  to_record_ = 0;
  on_disk_failed();
}

void ViewHost::on_disk_failed() {
  leave();
  notify(ViewNotice::kFailed);
}

void ViewHost::on_installed() {
  need_lease();
  const View& view = membership_->view();
  for (const ViewShard& shard : view.shards) {
    ShardHost* host = context_.find(shard.shard);
    if (host == nullptr || !host->is_open()) continue;
    host->set_members_min(shard.members_min);
    if (!has_seat(shard.seats(), membership_->seat())) {
      host->leave_epoch(shard.members.size());
    } else if (host->next() != nullptr && host->next()->config().epoch == shard.epoch) {
      host->begin_next();
      membership_->attach(*host->replica());
    }
  }
  if (context_.write) context_.write(encode_view_record(view, nullptr, 0), 0);
  publish();
}

void ViewHost::on_stopped(const ShardReplica& replica) {
  membership_->detach(replica);
  leave();
}

void ViewHost::set_disk(const DiskSpace& space) {
  if (space == disk_) return;
  disk_ = space;
  membership_->set_disk(space);
  dirty = true;
}

void ViewHost::leave() {
  if (has_view()) membership_->leave();
  dirty = true;
}

void ViewHost::renew(uint64_t incarnation) {
  membership_ = std::make_unique<Membership>(MemberId{context_.me, incarnation}, context_.limits);
  membership_->set_disk(disk_);
  for (const NodeId node : peers_) grant(node);
  context_.lease_until.store(INT64_MAX);
  to_fill_ = to_record_ = 0;
  leads_ = stuck_ = false;
  dirty = true;
  publish();
}

void ViewHost::publish() {
  auto snapshot = std::make_shared<ViewSnapshot>();
  const auto encode = [](const View& view) {
    std::vector<std::byte> bytes(encoded_size(view));
    encode_view(view, bytes);
    return bytes;
  };
  if (has_view()) snapshot->installed = encode(membership_->view());
  if (const View* proposal = membership_->proposal()) snapshot->proposal = encode(*proposal);
  snapshot->vote = membership_->vote();
  snapshot->attempt = membership_->attempt();
  snapshot->suspects = membership_->suspects();
  snapshot->leads = leads_;
  snapshot->stuck = stuck_;
  for (const ViewShard& shard : membership_->view().shards) {
    const ShardHost* host = context_.find(shard.shard);
    if (host != nullptr && host->is_behind()) snapshot->behind.push_back(shard.shard);
  }
  context_.shared.set(std::move(snapshot));
  notify(ViewNotice::kChanged);
}

void ViewHost::notify(ViewNotice what) {
  context_.rows.push(make_row(RowKind::kView, static_cast<uint8_t>(what)));
}

}  // namespace freshet
