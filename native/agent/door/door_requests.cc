// Changes and reads of clients.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "native/agent/door/key_check.h"
#include "native/agent/door/native_door.h"

namespace freshet {

using door::FrameType;
using door::ReadLevel;

namespace {

bool read_count(double number, uint64_t& out) {
  if (!(number >= 0) || number > door::kNumberMax) return false;
  out = static_cast<uint64_t>(number);
  return true;
}

bool read_expected(double number, uint64_t& out) {
  if (number == -1) return true;  // stays kAny
  return read_count(number, out);
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A change as its frame has it. False: the frame is none.
bool read_change(Bytes bytes, double session, door::ChangeFrame& frame, Submission& out) {
  if (bytes.size() < sizeof frame) return false;
  std::memcpy(&frame, bytes.data(), sizeof frame);
  const uint8_t kind = frame.head.flags & 15;
  const uint8_t ack = frame.head.flags >> 4;
  const bool is_change = kind >= 1 && kind <= static_cast<uint8_t>(RecordKind::kTrigger);
  if (!is_change || ack > static_cast<uint8_t>(Ack::kPersisted) || frame.has_extra > 1)
    return false;
  const size_t extra_size = frame.has_extra * sizeof(door::ChangeExtra);
  const size_t key_at = sizeof frame + extra_size;
  const size_t meta_at = key_at + frame.head.key_length;
  const size_t value_at = meta_at + frame.meta_length;
  if (bytes.size() != value_at + frame.value_length) return false;
  Change& change = out.change;
  change.kind = static_cast<RecordKind>(kind);
  change.pool = frame.pool;
  change.key = bytes.subspan(key_at, frame.head.key_length);
  change.meta = bytes.subspan(meta_at, frame.meta_length);
  change.value = bytes.subspan(value_at);
  out.ack = static_cast<Ack>(ack);
  if (frame.has_extra == 1) {
    door::ChangeExtra extra;
    std::memcpy(&extra, bytes.data() + sizeof frame, sizeof extra);
    if (!std::isnan(extra.event_time)) {
      if (!(std::fabs(extra.event_time) <= door::kNumberMax)) return false;
      change.event_time = static_cast<Micros>(extra.event_time);
    }
    if (!read_expected(extra.version, change.condition.version) ||
        !read_expected(extra.version_of_key, change.condition.version_of_key) ||
        !read_expected(extra.epoch, change.condition.epoch))
      return false;
  }
  if (frame.request == 0) return true;
  return read_count(session, change.session.session) && change.session.session != 0 &&
         read_count(frame.request, change.session.request) &&
         read_count(frame.lowest_unanswered, change.session.lowest_unanswered);
}

// What is refused before a shard is asked.
Status check_change(const Change& change) {
  if (change.meta.size() > kMetaSizeMax) return Status::kInvalidArgument;
  if (change.value.size() > kValueSizeMax) return Status::kValueTooLarge;
  return door::check_key(text_of(change.key));
}

}  // namespace

bool NativeDoor::take_change(Connection& connection, Bytes bytes, Nanos now) {
  door::ChangeFrame frame = {};
  Submission submission;
  if (!read_change(bytes, connection.session, frame, submission)) {
    connection.close();
    return true;
  }
  Status status =
      connection.may_change() ? check_change(submission.change) : Status::kUnauthenticated;
  if (is_ok(status) && !pools_.holds(frame.pool, text_of(submission.change.key)))
    status = Status::kUnknownPool;
  ShardHost* host = is_ok(status) ? find_(frame.shard) : nullptr;
  if (is_ok(status) && host == nullptr) status = Status::kNotAMember;
  if (!is_ok(status)) {
    if (submission.ack != Ack::kNone) push_failed(connection, frame.number, status);
    connection.pop();
    return true;
  }
  // What waits for room in the shard's ring goes first; who sent this is not read from meanwhile.
  if (host->has_deferred()) return false;
  const bool keeps = connection.is_large();
  const bool answers = submission.ack != Ack::kNone;
  submission.borrows = keeps;
  if (answers || keeps) {
    Request& request = make_request(connection, frame.number, submission.token);
    request.kind = RequestKind::kChange;
    request.shard = frame.shard;
    // What is answered later than at delivery, or again to a retry, comes without it.
    request.looks_up = submission.ack == Ack::kPersisted || submission.change.session.session != 0;
    request.change_bytes = bytes.size();
    connection.change_bytes += bytes.size();
    if (keeps) {
      request.memory = connection.take_large();
      request.memory_size = bytes.size();
    }
    if (!answers) answered(submission.token);
  }
  host->submit(submission, now);
  if (!keeps) connection.pop();
  return true;
}

void NativeDoor::look_up(ShardId shard, Completion& done) const {
  const ShardHost* host = find_(shard);
  if (host == nullptr || !host->is_open() || done.version == 0) return;
  done.previous_version_of_key = host->store()->get_version(done.version).previous_version_of_key;
}

void NativeDoor::take_get(Connection& connection, Bytes bytes) {
  door::GetFrame frame = {};
  const size_t key_size = bytes.size() - std::min(bytes.size(), sizeof frame);
  if (bytes.size() >= sizeof frame) std::memcpy(&frame, bytes.data(), sizeof frame);
  if (bytes.size() < sizeof frame || key_size != frame.head.key_length) return connection.close();
  const auto level = static_cast<ReadLevel>(frame.head.flags);
  const auto kind = static_cast<ReadPoint::Kind>(frame.point);
  Status status = connection.may_read() ? Status::kOk : Status::kUnauthenticated;
  ReadPoint point;
  point.kind = kind;
  // Whether a time is one of the future is judged by TypeScript.
  if (is_ok(status) && (level > ReadLevel::kLinearizable || kind > ReadPoint::Kind::kExactVersion ||
                        !read_count(frame.value, point.value)))
    status = Status::kInvalidArgument;
  const std::string_view key = text_of(bytes.subspan(sizeof frame));
  if (is_ok(status)) status = door::check_key(key);
  ShardHost* host = is_ok(status) ? find_(frame.shard) : nullptr;
  if (is_ok(status) && (host == nullptr || !host->is_open())) status = Status::kNotAMember;
  if (!is_ok(status)) return push_failed(connection, frame.number, status);
  if (level == ReadLevel::kLinearizable && !host->is_current()) {
    Token token;
    Request& request = make_request(connection, frame.number, token);
    request.kind = RequestKind::kGet;
    request.shard = frame.shard;
    request.point = point;
    request.wants_value = frame.wants_value != 0;
    request.key = key;
    return host->wait_current(token, true);
  }
  push_read(connection, *host, {frame.number, level, point, frame.wants_value != 0, key});
}

// What was received here when it was asked is shown, and the lease held when that was seen.
void NativeDoor::answer_get(Token token) {
  const Request& request = requests_[token - kDoorTokens];
  ShardHost* host = find_(request.shard);
  if (host == nullptr || !host->is_open()) {
    push_failed(*request.connection, request.number, Status::kNotAMember);
  } else {
    push_read(*request.connection, *host,
              {request.number, ReadLevel::kLinearizable, request.point, request.wants_value,
               request.key});
  }
  answered(token);
}

void NativeDoor::push_read(Connection& connection, ShardHost& host, const Read& read) {
  ReadPoint point = read.point;
  const bool is_bounded = read.level == ReadLevel::kStable ||
                          (read.level == ReadLevel::kLinearizable && host.view().persistent());
  if (is_bounded) {
    const std::optional<Version> stable = host.view().stable_version();
    if (!stable) return push_failed(connection, read.number, Status::kNotCurrent);
    point.newest_max = *stable;
  }
  const Found found = host.store()->get(read.key, point);
  if (!is_ok(found.status)) return push_failed(connection, read.number, found.status);
  if (found.record == nullptr || found.value_size > door::kObjectSizeMax)
    return push_failed(connection, read.number, Status::kCold);
  const RecordView record(found.record);
  const Bytes value = read.wants_value && !found.removed ? record.value() : Bytes{};
  const auto flags =
      static_cast<uint8_t>((found.removed ? door::kObjectRemoved : 0) |
                           (read.wants_value && !found.removed ? door::kObjectHasValue : 0));
  const size_t whole = sizeof(door::RecordFrame) + record.meta().size() + value.size();
  connection.push_frame(door::RecordFrame{
      door::make_head(FrameType::kObject, whole, flags), read.number,
      static_cast<double>(found.version), static_cast<double>(found.epoch),
      static_cast<double>(found.time),
      found.event_time == kNoTime ? std::nan("") : static_cast<double>(found.event_time),
      static_cast<double>(found.previous_version_of_key), found.value_size,
      static_cast<uint16_t>(record.meta().size()), 0});
  connection.push(record.meta());
  connection.push(value);
}

}  // namespace freshet
