#include "native/core/pair_channel.h"

#include <algorithm>

#include "native/core/cell.h"
#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

constexpr size_t kGuardLine = kRecordAlignment;
constexpr int kPositionBits = 36;
constexpr uint64_t kPositionMask = (uint64_t{1} << kPositionBits) - 1;
constexpr uint64_t kSessionMask = (uint64_t{1} << (64 - kPositionBits)) - 1;
// Before positions run out (4 TiB in one session) a new session begins, once all is read.
constexpr uint64_t kSessionBytesMax = uint64_t{1} << 41;
static_assert(kSessionBytesMax + kPairQueueBytes < kPositionMask * kRecordAlignment);

uint64_t pack(uint64_t session, uint64_t position) {
  return (session << kPositionBits) | (position / kRecordAlignment);
}
uint64_t session_of(uint64_t cell) { return cell >> kPositionBits; }
uint64_t position_of(uint64_t cell) { return (cell & kPositionMask) * kRecordAlignment; }

RegionId region(RegionKind kind) { return {kind, 0, 0, 0}; }

}  // namespace

PairChannel::PairChannel(NodeId peer, size_t ring_size)
    : peer_(peer),
      ring_size_(ring_size),
      out_(ring_size),
      writer_(out_.bytes()),
      ack_memory_(kGuardLine),
      in_(kGuardLine + ring_size),
      reader_(in_.data() + kGuardLine, ring_size) {}

std::vector<GrantedRegion> PairChannel::regions() {
  return {{peer_, region(RegionKind::kPairRing), in_.bytes()},
          {peer_, region(RegionKind::kPairAck), ack_memory_.bytes()}};
}

void PairChannel::on_up(uint64_t session) {
  on_down();
  session &= kSessionMask;
  if (session == session_ || session == 0) session = (session_ + 1) & kSessionMask;
  session_ = session == 0 ? 1 : session;
  begin_session();
  up_ = true;
  fault_ = Status::kOk;
  ack_changed_ = peer_session_ != 0;  // the last ack may have been lost with the connection
}

void PairChannel::begin_session() {
  writer_.rewind();
  pushed_ = 0;
  records_out_ = 0;
}

void PairChannel::on_down() {
  // What the guard shows now is of this connection; the ring under it belongs to the next one.
  if (up_) ended_guard_ = load_cell(guard_in());
  up_ = false;
  queue_.clear();
  queued_bytes_ = 0;
  front_sent_ = 0;
  front_crc_ = 0;
}

Status PairChannel::send(Bytes message) {
  if (!up_) return Status::kPeerUnreachable;
  if (message.size() > kPairMessageMax) return Status::kValueTooLarge;
  const size_t inline_max = ring_size_ / kRingInlineDivisor - sizeof(RecordHeader);
  if (queue_.empty() && message.size() <= inline_max) {
    size_t sent = 0;
    uint32_t crc = 0;
    if (put_piece(message, sent, crc)) return Status::kOk;
  }
  return send(std::vector<std::byte>(message.begin(), message.end()));
}

Status PairChannel::send(std::vector<std::byte>&& message) {
  if (!up_) return Status::kPeerUnreachable;
  if (message.size() > kPairMessageMax) return Status::kValueTooLarge;
  if (queue_.size() >= kPairQueueMessages) return Status::kOverloaded;
  // One message may always wait, whatever its size.
  if (!queue_.empty() && queued_bytes_ + message.size() > kPairQueueBytes)
    return Status::kOverloaded;
  queued_bytes_ += message.size();
  queue_.push_back(std::move(message));
  return Status::kOk;
}

bool PairChannel::put_piece(Bytes message, size_t& sent, uint32_t& crc) {
  const size_t piece_max = ring_size_ / kRingInlineDivisor - sizeof(RecordHeader);
  const size_t piece = std::min(piece_max, message.size() - sent);
  const size_t length = sizeof(RecordHeader) + piece;
  std::byte* place = writer_.reserve(padded(length));
  if (place == nullptr) return false;
  RecordHeader header = {};
  header.length = static_cast<uint32_t>(length);
  header.kind = RecordKind::kBlock;
  header.flags = static_cast<uint8_t>((sent == 0 ? kFirstBlock : 0) |
                                      (sent + piece == message.size() ? kLastBlock : 0));
  header.sequence = static_cast<Sequence>(records_out_);
  header.version = message.size();
  if (piece > 0) copy_metered(place + sizeof header, message.data() + sent, piece);
  crc = crc32c(place + sizeof header, piece, crc);
  header.payload_crc = crc;
  seal_header(header);
  std::memcpy(place, &header, sizeof header);
  std::memset(place + length, 0, padded(length) - length);
  writer_.commit(padded(length));
  records_out_++;
  sent += piece;
  return true;
}

int PairChannel::step(Outputs& out) {
  if (!up_) return 0;
  take_ack();
  int work = receive(out);
  work += feed();
  return work + push(out);
}

void PairChannel::take_ack() {
  const uint64_t cell = load_cell(ack_in());
  if (session_of(cell) != session_) return;  // of an earlier connection
  const uint64_t position = position_of(cell);
  if (position > pushed_ || position < writer_.head()) {
    break_off();
    return;
  }
  writer_.free_up_to(position);
  if (position == writer_.tail() && position >= kSessionBytesMax) {
    session_ = session_ == kSessionMask ? 1 : session_ + 1;
    begin_session();
  }
}

int PairChannel::feed() {
  int work = 0;
  // A pass moves one slice, so that a long message leaves others their turn.
  const uint64_t enough = writer_.tail() + kCopySlice;
  while (!queue_.empty() && writer_.tail() < enough) {
    const std::vector<std::byte>& message = queue_.front();
    if (!put_piece(message, front_sent_, front_crc_)) break;
    work++;
    if (front_sent_ < message.size()) continue;
    queued_bytes_ -= message.size();
    queue_.pop_front();
    front_sent_ = 0;
    front_crc_ = 0;
  }
  return work;
}

int PairChannel::receive(Outputs& out) {
  const uint64_t cell = load_cell(guard_in());
  const uint64_t session = session_of(cell);
  if (session == 0 || session == broken_session_ || cell == ended_guard_) return 0;
  if (session != peer_session_) {
    peer_session_ = session;
    reader_.move_to(0);
    records_in_ = 0;
    incoming_ = {};
  }
  const uint64_t tail = position_of(cell);
  const uint64_t before = reader_.position();
  if (tail == before) return 0;
  if (tail < before || tail > before + ring_size_) return break_off();
  while (reader_.position() < tail) {
    if (!take_record(out, tail)) return break_off();
  }
  ack_changed_ = true;
  return static_cast<int>((tail - before) / kRecordAlignment);
}

bool PairChannel::take_record(Outputs& out, uint64_t tail) {
  const RecordHeader header = reader_.header();
  if (header.length < sizeof header || padded(header.length) > reader_.available(tail))
    return false;
  if (!header_crc_matches(header)) return false;
  if (header.kind == RecordKind::kWrap) {
    if (reader_.next_start() > tail) return false;
    reader_.move_to(reader_.next_start());
    return true;
  }
  if (header.kind != RecordKind::kBlock) return false;
  if (static_cast<uint64_t>(header.sequence) != records_in_) return false;
  if (!take_piece(header, out)) return false;
  records_in_++;
  reader_.advance(padded(header.length));
  return true;
}

bool PairChannel::take_piece(const RecordHeader& header, Outputs& out) {
  const bool first = (header.flags & kFirstBlock) != 0;
  const bool last = (header.flags & kLastBlock) != 0;
  const bool open = incoming_.length != 0;
  if (first == open || header.version > kPairMessageMax) return false;
  if (open && header.version != incoming_.length) return false;
  const size_t piece = header.length - sizeof header;
  const size_t filled = incoming_.bytes.size();
  if (filled + piece > header.version || last != (filled + piece == header.version)) return false;
  if (!last && piece == 0) return false;
  if (first) {
    incoming_.crc = 0;
    incoming_.length = header.version;
    incoming_.bytes.reserve(header.version);
  }
  const std::byte* bytes = reader_.data() + sizeof header;
  incoming_.bytes.insert(incoming_.bytes.end(), bytes, bytes + piece);
  incoming_.crc = crc32c(incoming_.bytes.data() + filled, piece, incoming_.crc);
  if (incoming_.crc != header.payload_crc) return false;
  if (last) {
    out.messages.push_back({peer_, std::move(incoming_.bytes)});
    incoming_ = {};
  }
  return true;
}

int PairChannel::break_off() {
  fault_ = Status::kLogCorrupt;
  broken_session_ = peer_session_;
  incoming_ = {};
  return 1;
}

int PairChannel::push(Outputs& out) {
  const size_t before = out.writes.size();
  if (pushed_ < writer_.tail()) {
    RingPiece pieces[2];
    const int count = writer_.pieces(pushed_, pieces);
    for (int i = 0; i < count; i++)
      out.writes.push_back({peer_, region(RegionKind::kPairRing), kGuardLine + pieces[i].offset,
                            pieces[i].bytes, true});
    pushed_ = writer_.tail();
    guard_out_ = pack(session_, pushed_);
    out.writes.push_back(
        {peer_, region(RegionKind::kPairRing), 0, std::as_bytes(std::span(&guard_out_, 1)), false});
  }
  if (ack_changed_) {
    ack_changed_ = false;
    ack_out_ = pack(peer_session_, reader_.position());
    out.writes.push_back(
        {peer_, region(RegionKind::kPairAck), 0, std::as_bytes(std::span(&ack_out_, 1)), false});
  }
  return static_cast<int>(out.writes.size() - before);
}

}  // namespace freshet
