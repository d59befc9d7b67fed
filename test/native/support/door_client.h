// A client of the native door as a program of its own would be one: a blocking socket, frames built
// and taken apart by hand.
//
// Thread: one.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_DOOR_CLIENT_H_
#define FRESHET_TEST_NATIVE_SUPPORT_DOOR_CLIENT_H_

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "native/agent/door/ticket.h"
#include "native/core/record.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "native/io/tcp/socket.h"

namespace freshet::test {

// A ticket of the cluster of TestMember: secret and cluster id of one byte each.
door::Ticket make_ticket(uint8_t secret, uint16_t rights, double expires = 1e18);

struct DoorHello {
  NodeId node = 1;
  uint8_t cluster = 1;
  uint8_t secret = 2;
  door::Ticket ticket = make_ticket(2, door::kMayRead | door::kMayChange);
  uint32_t protocol = door::kDoorProtocol;
  bool proves = true;  // false: shows a wrong proof
};

// A frame of the member's.
struct DoorFrame {
  door::FrameHead head = {};
  std::vector<std::byte> bytes;  // all of it

  template <typename Frame>
  Frame as() const {
    Frame frame = {};
    std::memcpy(&frame, bytes.data(), std::min(sizeof frame, bytes.size()));
    return frame;
  }
  Status status() const { return static_cast<Status>(head.flags); }
  std::string tail(size_t from) const {
    return {reinterpret_cast<const char*>(bytes.data()) + from, bytes.size() - from};
  }
};

struct DoorPut {
  std::string key;
  std::string value;
  Ack ack = Ack::kDelivered;
  RecordKind kind = RecordKind::kPut;
  std::string meta = {};
  double request = 0;
  double lowest_unanswered = 0;
  std::optional<door::ChangeExtra> extra = {};
  ShardId shard = 1;
  PoolId pool = 1;
};

class DoorClient {
 public:
  explicit DoorClient(uint16_t port);

  // Up to the welcome. kOk, why it was refused, or kPeerUnreachable: the connection ended.
  Status enter(const DoorHello& hello = {});
  // False: the connection ended.
  bool send(Bytes bytes);
  // The next frame; none: the connection ended, or nothing came for `seconds`.
  std::optional<DoorFrame> receive(int seconds = 60);
  // The next frame that answers this number; others are kept in `others`.
  std::optional<DoorFrame> answer_to(double number);
  void close() { fd_.close(); }

  double put(const DoorPut& put);  // the number of the request
  double get(const std::string& key, door::ReadLevel level,
             ReadPoint::Kind kind = ReadPoint::Kind::kNewest, double value = 0);
  double trigger(const std::string& key, const std::string& value, PoolId pool = 1);
  double watch(const std::string& prefix, double credit, double from, double epoch = 0,
               bool persisted = false);
  void session(double id);
  void credit(double watch, double credit);
  void unwatch(double watch);

  std::vector<DoorFrame> others;

 private:
  tcp::FileDescriptor fd_;
  double numbers_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_DOOR_CLIENT_H_
