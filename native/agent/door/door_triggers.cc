// What clients bring to the lambdas of this member: the event loop takes it in, and answers.
#include <cstring>

#include "native/agent/door/key_check.h"
#include "native/agent/door/native_door.h"

namespace freshet {

using door::FrameType;

void NativeDoor::take_trigger(Connection& connection, Bytes bytes) {
  door::TriggerFrame frame = {};
  if (bytes.size() < sizeof frame) return connection.close();
  std::memcpy(&frame, bytes.data(), sizeof frame);
  const size_t tail = size_t{frame.head.key_length} + frame.meta_length + frame.value_length;
  if (bytes.size() != sizeof frame + tail) return connection.close();
  const std::string_view key(reinterpret_cast<const char*>(bytes.data()) + sizeof frame,
                             frame.head.key_length);
  Status status = connection.may_change() ? Status::kOk : Status::kUnauthenticated;
  if (is_ok(status) && frame.meta_length > kMetaSizeMax) status = Status::kInvalidArgument;
  if (is_ok(status) && frame.value_length > door::kObjectSizeMax) status = Status::kValueTooLarge;
  if (is_ok(status)) status = door::check_key(key);
  if (is_ok(status) && !pools_.holds(frame.pool, key)) status = Status::kUnknownPool;
  const bool has_room = triggers_ < door::kAllTriggersMax &&
                        connection.triggers < door::kTriggersMax &&
                        (connection.triggers == 0 ||
                         connection.trigger_bytes + bytes.size() <= door::kTriggerBytesMax);
  if (is_ok(status) && !has_room) status = Status::kOverloaded;
  if (!is_ok(status)) return push_failed(connection, frame.number, status);
  Token token;
  Request& request = make_request(connection, frame.number, token);
  request.kind = RequestKind::kTrigger;
  request.trigger_bytes = bytes.size();
  triggers_++;
  connection.triggers++;
  connection.trigger_bytes += bytes.size();
  if (hand_over_(token - kDoorTokens, bytes)) return;
  push_failed(connection, frame.number, Status::kOverloaded);
  answered(token);
}

void NativeDoor::answer_trigger(uint64_t call, Status status, Micros time) {
  if (call >= requests_.size()) return;
  const Request& request = requests_[call];
  if (!request.answers || request.kind != RequestKind::kTrigger) return;
  if (request.connection != nullptr)
    push_done(*request.connection, request.number, {kDoorTokens + call, status, 0, 0, time, 0});
  answered(kDoorTokens + call);
}

}  // namespace freshet
