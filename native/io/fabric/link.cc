#include "native/io/fabric/link.h"

#include <unistd.h>

#include <algorithm>

#include "native/core/check.h"

namespace freshet::fabric {
namespace {

template <typename T>
Bytes bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

Link::Link(NodeId node, uint64_t incarnation, const Provider& provider, LinkOwner& owner,
           TransportCounters& counters, Nanos now)
    : node_(node),
      incarnation_(incarnation),
      provider_(provider),
      owner_(owner),
      counters_(counters),
      deadline_(now + kConnectTimeout) {
  const Status opened = Endpoint::open(provider, endpoint_);
  if (!is_ok(opened)) {
    break_up(opened);
    return;
  }
  mine_.session = owner.random() | 1;
  mine_.token = owner.random();
  mine_.process = static_cast<uint32_t>(getpid());
  const Bytes name = endpoint_->name().empty() ? provider.name() : endpoint_->name();
  mine_.name_length = static_cast<uint32_t>(name.size());
  std::memcpy(mine_.name, name.data(), name.size());
}

void Link::break_up(Status fault) {
  state_ = State::kBroken;
  if (!is_ok(fault)) fault_ = fault;
}

void Link::shut() {
  state_ = State::kBroken;
  if (endpoint_ != nullptr) endpoint_->shut();
  grants_.clear();
  leaving_.clear();
  endpoint_.reset();
  outbox_ = {};
  filled_ = 0;
}

void Link::on_boot(const Boot& theirs, bool dials) {
  if (state_ != State::kBooting) return;
  if (theirs.name_length > kNameMax) return break_up(Status::kInvalidArgument);
  state_ = State::kConnecting;
  const bool connected = provider_.traits().type == FI_EP_MSG;
  if (connected && !dials) return;
  // shm of libfabric 1.17 would have both ends in the same memory, which goes with the first.
  if (!connected && theirs.process == mine_.process) return break_up(Status::kNoFabric);
  const Bytes name{theirs.name, theirs.name_length};
  const Status status = endpoint_->connect(name, bytes_of(theirs.token));
  if (!is_ok(status)) return break_up(status);
  if (!connected) open();
}

bool Link::is_proven_by(Bytes proof) const {
  const bool awaited = state_ == State::kBooting || state_ == State::kConnecting;
  return awaited && endpoint_->id() == nullptr && proof.size() >= sizeof mine_.token &&
         read_as<uint64_t>(proof) == mine_.token;
}

void Link::on_request(fi_info& request) {
  state_ = State::kConnecting;
  const Status status = endpoint_->accept(request);
  if (!is_ok(status)) break_up(status);
}

void Link::on_connected() {
  if (state_ == State::kConnecting) open();
}

void Link::on_closed() { break_up(); }

void Link::open() {
  state_ = State::kOpen;
  outbox_.push_frame(FrameType::kReady, {});
}

void Link::confirm() {
  confirmed_ = true;
  outbox_.push_frame(FrameType::kUp, {});
}

void Link::grant(const RegionId& id, MutableBytes memory) {
  if (!is_direct() || state_ == State::kBroken) return;
  Grant grant;
  grant.number = ++grants_made_;
  const Status status = endpoint_->add_region(memory, owner_.random(), grant.memory);
  if (!is_ok(status)) return break_up(status);
  const GrantBody body{id, grant.number, 0, grant.memory.address, grant.memory.key, memory.size()};
  grants_.insert_or_assign(id, std::move(grant));
  outbox_.push_frame(FrameType::kGrant, bytes_of(body));
}

void Link::revoke(const RegionId& id) {
  const auto found = grants_.find(id);
  if (found == grants_.end()) return;
  const RevokeBody body{id, found->second.number};
  leaving_.emplace(body.number, Leaving{id, std::move(found->second.memory)});
  grants_.erase(found);
  outbox_.push_frame(FrameType::kRevoke, bytes_of(body));
}

bool Link::is_leaving(const RegionId& id) const {
  return std::ranges::any_of(leaving_, [&](const auto& item) { return item.second.region == id; });
}

void Link::write(const RegionId& id, uint64_t offset, Bytes bytes, bool stable) {
  if (!is_direct()) return outbox_.push_write({id, offset, 0}, bytes, stable);
  auto found = remotes_.find(id);
  if (found == remotes_.end() && provider_.traits().hardware) {
    // What our owner saw in memory may be newer than the messages before it that we looked at.
    receive();
    found = remotes_.find(id);
  }
  if (found == remotes_.end() || offset > found->second.length ||
      bytes.size() > found->second.length - offset) {
    counters_.dropped_writes++;
    return;
  }
  const Remote& remote = found->second;
  outbox_.push_write({id, remote.address + offset, remote.key}, bytes, stable);
}

size_t Link::receive() {
  moved_ = 0;
  if (!is_open()) return 0;
  if (!endpoint_->progress(*this)) break_up();
  return moved_;
}

bool Link::on_message(Bytes message) {
  if (message.size() < sizeof(MessageHead)) return false;
  const auto head = read_as<MessageHead>(message);
  if (head.size != message.size() || head.taken < taken_there_ || head.taken > sent_) return false;
  taken_there_ = head.taken;
  taken_++;
  counters_.bytes_read += message.size();
  if ((head.flags & kQuiet) == 0) moved_ += message.size();
  message = message.subspan(sizeof head);
  while (!message.empty()) {
    if (message.size() < sizeof(FrameHead)) return false;
    const auto frame = read_as<FrameHead>(message);
    message = message.subspan(sizeof frame);
    if (frame.zero != 0 || frame.length > message.size()) return false;
    if (!on_frame(static_cast<FrameType>(frame.type), message.first(frame.length))) return false;
    message = message.subspan(std::min(padded(frame.length), message.size()));
  }
  return true;
}

bool Link::on_frame(FrameType type, Bytes body) {
  switch (type) {
    case FrameType::kGrant:
      return body.size() == sizeof(GrantBody) && on_grant(read_as<GrantBody>(body));
    case FrameType::kRevoke:
      if (body.size() != sizeof(RevokeBody)) return false;
      on_revoke(read_as<RevokeBody>(body));
      return true;
    case FrameType::kRevoked:
      return body.size() == sizeof(RevokeBody) && on_revoked(read_as<RevokeBody>(body));
    case FrameType::kReady:
      if (state_ != State::kOpen) return false;
      state_ = State::kUp;
      endpoint_->hide();
      owner_.on_ready(node_);
      return true;
    case FrameType::kUp:
      up_there_ = true;
      return true;
    case FrameType::kAsleep:
      asleep_there_ = true;
      return true;
    case FrameType::kWrite:
      return body.size() >= sizeof(WriteBody) &&
             on_write(read_as<WriteBody>(body), body.subspan(sizeof(WriteBody)));
  }
  return false;
}

bool Link::on_grant(const GrantBody& body) {
  if (!is_direct()) return false;
  remotes_.insert_or_assign(body.region, Remote{body.number, body.address, body.key, body.length});
  return true;
}

void Link::on_revoke(const RevokeBody& body) {
  const auto found = remotes_.find(body.region);
  if (found != remotes_.end() && found->second.number == body.number) remotes_.erase(found);
  // Behind what is queued for it.
  outbox_.push_frame(FrameType::kRevoked, bytes_of(body));
}

bool Link::on_revoked(const RevokeBody& body) { return leaving_.erase(body.number) == 1; }

bool Link::on_write(const WriteBody& head, Bytes bytes) {
  if (is_direct() || !confirmed_) return false;
  if (bytes.empty()) return true;
  const MutableBytes memory = owner_.find_region(node_, head.region, head.offset, bytes.size());
  if (!memory.empty()) std::memcpy(memory.data(), bytes.data(), bytes.size());
  return true;
}

size_t Link::send() {
  moved_ = 0;
  stuck_ = false;
  if (!is_open()) return 0;
  while (!outbox_.empty()) {
    const Outbox::Front front = outbox_.front();
    if (front.type == FrameType::kWrite && !up_there_) break;
    const bool straight = front.type == FrameType::kWrite && is_direct();
    if (!(straight ? send_write(front) : send_in_message(front))) break;
  }
  if (state_ == State::kBroken) return moved_;
  // With nothing else to say the message only tells that writes are there, which can wait for room:
  // a full window holds some that tell so.
  if (filled_ == 0 && unannounced_ && may_send(kReserve)) (void)begin_message(kReserve);
  if (filled_ > 0) (void)send_message(0);
  if (taken_ - told_ >= kReturnAt && filled_ == 0 && begin_message(0)) (void)send_message(kQuiet);
  return moved_;
}

bool Link::send_write(const Outbox::Front& front) {
  if (filled_ > 0 && !send_message(0)) return false;
  size_t taken = 0;
  switch (endpoint_->write(front.bytes, front.target.offset, front.target.key, taken)) {
    case Endpoint::Sent::kYes:
      break;
    case Endpoint::Sent::kFull:
      stuck_ = true;
      return false;
    case Endpoint::Sent::kBroken:
      break_up();
      return false;
  }
  outbox_.drop(taken);
  unannounced_ = true;
  moved_ += taken;
  counters_.bytes_written += taken;
  return true;
}

bool Link::send_in_message(const Outbox::Front& front) {
  const bool writes = front.type == FrameType::kWrite;
  const size_t heads = sizeof(FrameHead) + (writes ? sizeof(WriteBody) : 0);
  if (filled_ > sizeof(MessageHead) && heads + padded(front.bytes.size()) > room()) {
    if (!send_message(0)) return false;
  }
  if (filled_ == 0 && !begin_message(kReserve)) return false;
  if (!writes) {
    append(front.type, {}, front.bytes);
    outbox_.drop(front.bytes.size());
    return true;
  }
  // What does not fit whole into a message of its own is cut between cells.
  const size_t left = room() - heads;
  const size_t size = front.bytes.size() <= left
                          ? front.bytes.size()
                          : ((front.target.offset + left) & ~uint64_t{63}) - front.target.offset;
  const WriteBody head{front.target.region, front.target.offset};
  append(front.type, bytes_of(head), front.bytes.first(size));
  outbox_.drop(size);
  return true;
}

bool Link::begin_message(size_t reserve) {
  if (may_send(reserve)) message_ = endpoint_->message();
  if (!may_send(reserve) || message_.empty()) {
    stuck_ = true;
    return false;
  }
  filled_ = sizeof(MessageHead);
  return true;
}

void Link::append(FrameType type, Bytes head, Bytes body) {
  const FrameHead frame{static_cast<uint16_t>(type), 0,
                        static_cast<uint32_t>(head.size() + body.size())};
  const size_t padding = padded(frame.length) - frame.length;
  FRESHET_CHECK_VALUES(sizeof frame + frame.length + padding <= room(), frame.length, room());
  const auto put = [this](const void* from, size_t size) {
    if (size > 0) std::memcpy(message_.data() + filled_, from, size);
    filled_ += size;
  };
  constexpr std::byte kZeros[8] = {};
  put(&frame, sizeof frame);
  put(head.data(), head.size());
  put(body.data(), body.size());
  put(kZeros, padding);
}

bool Link::send_message(uint32_t flags) {
  const MessageHead head{taken_, static_cast<uint32_t>(filled_), flags};
  std::memcpy(message_.data(), &head, sizeof head);
  switch (endpoint_->send(filled_)) {
    case Endpoint::Sent::kYes:
      break;
    case Endpoint::Sent::kFull:
      stuck_ = true;
      return false;
    case Endpoint::Sent::kBroken:
      break_up();
      return false;
  }
  sent_++;
  told_ = taken_;
  if ((flags & kQuiet) == 0) {
    loud_ = sent_;
    unannounced_ = false;
    moved_ += filled_;
  }
  counters_.bytes_written += filled_;
  filled_ = 0;
  return true;
}

bool Link::show_asleep() {
  if (shown_asleep_ || !is_open()) return true;
  if (filled_ > 0 || !begin_message(kReserve)) return false;
  append(FrameType::kAsleep, {}, {});
  shown_asleep_ = send_message(kQuiet);
  return shown_asleep_;
}

bool Link::take_sleeper() {
  if (!asleep_there_ || !has_missed()) return false;
  asleep_there_ = false;
  return true;
}

}  // namespace freshet::fabric
