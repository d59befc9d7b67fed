#include "native/core/sender.h"

#include <algorithm>

#include "native/core/checksum.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

RecordHeader& header_of(std::byte* record) { return *reinterpret_cast<RecordHeader*>(record); }

// The record becomes message `index`, sealed.
void number(std::byte* record, uint64_t index) {
  RecordHeader& header = header_of(record);
  header.sequence = static_cast<Sequence>(index);
  seal_header(header);
}

}  // namespace

Sender::Sender(ShardId shard, Epoch epoch, size_t ring_size, LargeMulticast& large, size_t me)
    : shard_(shard),
      epoch_(epoch),
      large_(large),
      me_(me),
      memory_(ring_size),
      ring_(memory_.bytes()),
      // Twice the longest that it takes, so that an empty stage has room wherever its tail is.
      stage_memory_(2 * ring_size / kRingInlineDivisor),
      stage_(stage_memory_.bytes()),
      pending_(kPendingMax),
      waiting_(std::max(kAnswersMin, ring_size / kRecordAlignment)) {}

Status Sender::submit(const Change& change, Micros time, Ack ack, Token token) {
  if (change.key.size() > kKeySizeMax) return Status::kKeyTooLong;
  if (change.value.size() > kValueSizeMax) return Status::kValueTooLarge;
  if (change.meta.size() > kMetaSizeMax) return Status::kInvalidArgument;
  if (waiting_.size() + pending_.size() >= waiting_.capacity()) return Status::kOverloaded;
  const size_t size = padded(record_length(change));
  const bool large = size > inline_max();
  if (large || is_behind()) return stage(change, time, ack, token, large);

  std::byte* place = ring_.reserve(size);
  if (place == nullptr) return Status::kOverloaded;
  encode_record(change, shard_, epoch_, place);
  header_of(place).time = time;
  number(place, messages_);
  ring_.commit(size);
  add_message(ack, token);
  return Status::kOk;
}

void Sender::add_message(Ack ack, Token token) {
  if (ack != Ack::kNone) waiting_.push({messages_, token, ack});
  messages_++;
}

Status Sender::stage(const Change& change, Micros time, Ack ack, Token token, bool large) {
  if (pending_.full()) return Status::kOverloaded;
  Change head = change;
  if (large) head.value = {};
  const size_t head_length = record_length(head);
  const size_t size = padded(head_length);
  std::byte* place = stage_.reserve(size);
  if (place == nullptr) return Status::kOverloaded;
  encode_record(head, shard_, epoch_, place);
  header_of(place).time = time;
  stage_.commit(size);

  Pending item = {};
  item.token = token;
  item.ack = ack;
  item.record = place;
  item.staged = static_cast<uint32_t>(size);
  if (large) {
    item.head_length = static_cast<uint32_t>(head_length);
    item.whole_length = static_cast<uint32_t>(record_length(change));
    item.value = change.value.data();
    header_of(place).length = item.whole_length;
    header_of(place).payload_crc = 0;  // known once all of it is copied
    seal_header(header_of(place));
  }
  pending_.push(item);
  return Status::kOk;
}

int Sender::feed() {
  const uint64_t before = messages_;
  const uint64_t enough = ring_.tail() + kCopySlice;
  offer_more();
  while (is_behind() && ring_.tail() < enough) {
    Pending& item = pending_[fed_];
    if (item.whole_length == 0 ? !feed_staged(item) : !feed_place(item)) break;
    item.last = messages_ - 1;
    fed_++;
  }
  return static_cast<int>(messages_ - before);
}

// Large ones are offered before it is their turn.
void Sender::offer_more() {
  for (; offered_ < pending_.size(); offered_++) {
    Pending& item = pending_[offered_];
    if (item.whole_length != 0 && !offer(item)) return;
  }
}

void Sender::release(uint64_t delivered, std::vector<Token>& released) {
  for (; fed_ > 0; fed_--) {
    const Pending& item = pending_.front();
    const bool large = item.whole_length != 0;
    if (large && item.last >= delivered) return;
    stage_.free_up_to(stage_.skip_wrap(stage_.head()) + item.staged);
    if (large) released.push_back(item.token);
    pending_.pop();
    offered_--;
  }
}

bool Sender::feed_staged(const Pending& item) {
  std::byte* place = ring_.reserve(item.staged);
  if (place == nullptr) return false;
  copy_metered(place, item.record, item.staged);
  number(place, messages_);
  ring_.commit(item.staged);
  add_message(item.ack, item.token);
  return true;
}

bool Sender::offer(Pending& item) {
  const size_t length = sizeof(RecordHeader) + sizeof(OfferBody) + item.head_length;
  if (!large_.has_room(me_, item.whole_length)) return false;
  std::byte* place = ring_.reserve(padded(length));
  if (place == nullptr) return false;

  const Bytes head{item.record, item.head_length};
  const Bytes value{item.value, item.whole_length - item.head_length};
  const OfferBody body = large_.begin(me_, head, value);
  item.number = body.number;
  std::byte* at = place + sizeof(RecordHeader);
  std::memcpy(at, &body, sizeof body);
  std::memcpy(at + sizeof body, head.data(), head.size());
  std::memset(place + length, 0, padded(length) - length);
  RecordHeader& header = begin_header(place, RecordKind::kOffer, length);
  header.payload_crc = crc32c(at, length - sizeof header);
  header.version = item.whole_length;
  number(place, messages_);
  ring_.commit(padded(length));
  add_message(Ack::kNone, item.token);
  return true;
}

bool Sender::feed_place(const Pending& item) {
  if (item.number == 0 || !large_.is_sent(me_, item.number)) return false;
  std::byte* place = ring_.reserve(sizeof(RecordHeader));
  if (place == nullptr) return false;
  RecordHeader& header = begin_header(place, RecordKind::kPlace, sizeof(RecordHeader));
  header.payload_crc = large_.payload_crc(me_, item.number);
  header.version = item.number;
  number(place, messages_);
  ring_.commit(sizeof header);
  add_message(item.ack, item.token);
  return true;
}

RecordHeader& Sender::begin_header(std::byte* place, RecordKind kind, size_t length) const {
  RecordHeader header = {};
  header.length = static_cast<uint32_t>(length);
  header.kind = kind;
  header.shard = shard_;
  header.epoch = epoch_;
  std::memcpy(place, &header, sizeof header);
  return header_of(place);
}

bool Sender::make_nulls(uint64_t owed) {
  if (owed <= messages_) return false;
  std::byte* place = ring_.reserve(sizeof(RecordHeader));
  if (place == nullptr) return false;
  begin_header(place, RecordKind::kNull, sizeof(RecordHeader));
  number(place, owed - messages_);  // a null's number is how many it stands for
  ring_.commit(sizeof(RecordHeader));
  messages_ = owed;
  return true;
}

namespace {

Change change_in(const RecordView& record) {
  Change change;
  change.kind = record.header().kind;
  change.pool = record.header().pool;
  change.key = std::as_bytes(std::span(record.key()));
  change.meta = record.meta();
  change.value = record.value();
  change.stamp = record.header().time;
  change.event_time = record.header().event_time;
  change.condition = record.condition();
  change.session = record.session();
  return change;
}

}  // namespace

Change Sender::change_of(const Pending& item) {
  Change change = change_in(RecordView(item.record));
  if (item.whole_length != 0) change.value = {item.value, item.whole_length - item.head_length};
  return change;
}

void Sender::take_back(uint64_t position, uint64_t index, uint64_t copied,
                       const ShardReplica::Resubmit& resubmit) {
  size_t large = 0;
  const auto is_cut_off = [&](size_t at) {
    return pending_[at].whole_length != 0 && pending_[at].last >= std::max(index, copied);
  };
  std::vector<Waiting> unknown;
  while (large < fed_ && !is_cut_off(large)) large++;
  const size_t delivered = large;
  while (position < ring_.tail()) {
    const uint64_t start = ring_.skip_wrap(position);
    if (start >= ring_.tail()) break;
    const RecordView record(reinterpret_cast<const std::byte*>(&ring_.header_at(start)));
    const RecordHeader& header = record.header();
    position = start + record.size();
    if (header.kind == RecordKind::kNull) {
      index += static_cast<uint64_t>(header.sequence);
      continue;
    }
    const bool is_place = header.kind == RecordKind::kPlace;
    Waiting asked{index, 0, Ack::kNone};
    if (!waiting_.empty() && waiting_.front().index == index) {
      asked = waiting_.front();
      waiting_.pop();
    }
    const bool may_be_delivered = index++ < copied;
    if (may_be_delivered && asked.ack != Ack::kNone) unknown.push_back(asked);
    if (header.kind == RecordKind::kOffer || may_be_delivered) continue;
    if (!is_place) {
      resubmit(change_in(record), asked.ack, asked.token, false);
      continue;
    }
    while (pending_[large].whole_length == 0) large++;
    const Pending& item = pending_[large++];
    resubmit(change_of(item), item.ack, item.token, true);
  }
  for (size_t at = fed_; at < pending_.size(); at++) {
    const Pending& item = pending_[at];
    resubmit(change_of(item), item.ack, item.token, item.whole_length != 0);
  }
  // Those values are no longer mine.
  pending_.shrink(delivered);
  fed_ = offered_ = delivered;
  for (const Waiting& asked : unknown) waiting_.push(asked);
}

void Sender::free_delivered(uint64_t messages) {
  uint64_t position = ring_.head();
  while (freed_ < messages) {
    const uint64_t start = ring_.skip_wrap(position);
    const RecordHeader& header = ring_.header_at(start);
    const uint64_t count =
        header.kind == RecordKind::kNull ? static_cast<uint64_t>(header.sequence) : 1;
    if (freed_ + count > messages) break;
    freed_ += count;
    position = start + padded(header.length);
  }
  ring_.free_up_to(position);
}

}  // namespace freshet
