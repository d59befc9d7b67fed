// One client at the native door: its socket, what came in and was not looked at, and what waits to
// be sent.
//
// Thread: the agent's.
// Invariants
//  1. A frame is handed out whole, and its length was checked before anything of it was used.
//  2. Memory for a large frame is taken only with its owner's leave.
#ifndef FRESHET_AGENT_DOOR_DOOR_CONNECTION_H_
#define FRESHET_AGENT_DOOR_DOOR_CONNECTION_H_

#include <memory>
#include <optional>

#include "native/agent/door/door_frames.h"
#include "native/agent/door/door_limits.h"
#include "native/agent/door/ticket.h"
#include "native/io/tcp/socket_stream.h"

namespace freshet::door {

class DoorConnection {
 public:
  enum class State : uint8_t { kAwaitsHello, kAwaitsProof, kOpen, kRefusing, kDead };

  // `large_bytes`: of all connections together, bounded by kLargeBytesMax.
  DoorConnection(tcp::FileDescriptor fd, Nanos deadline, size_t& large_bytes);
  ~DoorConnection();
  DoorConnection(const DoorConnection&) = delete;
  DoorConnection& operator=(const DoorConnection&) = delete;

  int fd() const { return stream_.fd(); }
  State state() const { return state_; }
  bool is_open() const { return state_ == State::kOpen; }
  bool is_dead() const { return state_ == State::kDead; }

  // What epoll told.
  void on_edges(uint32_t events) { stream_.on_edges(events); }
  bool wants_receive() const;
  bool wants_send() const { return stream_.wants_send(); }
  // Take in once what has arrived; send what fits. Return how many bytes moved.
  size_t receive();
  size_t send();

  // The next whole frame, good until pop() or receive(); none has come whole yet, or there is no
  // memory for it now.
  std::optional<Bytes> front(Nanos now);
  void pop();
  // Instead of pop(), of a frame that has memory of its own: that goes on living.
  std::unique_ptr<std::byte[]> take_large();
  bool is_large() const { return large_.memory != nullptr; }

  void push(Bytes bytes) { stream_.queue().push(bytes); }
  template <typename Frame>
  void push_frame(const Frame& frame) {
    push(std::as_bytes(std::span(&frame, 1)));
  }
  size_t unsent() const { return stream_.queue().size(); }

  void await_proof() { state_ = State::kAwaitsProof; }
  void open(uint16_t rights);
  void refuse(Status reason, Nanos deadline);
  void close();

  // Of the handshake, a large frame or the refusal; INT64_MAX: none.
  Nanos deadline() const { return deadline_; }
  bool may_read() const { return (rights_ & kMayRead) != 0; }
  bool may_change() const { return (rights_ & kMayChange) != 0; }

  // The owner's.
  Handshake handshake;
  Ticket ticket = {};
  double session = 0;
  size_t requests = 0;      // not answered
  size_t change_bytes = 0;  // of those
  size_t triggers = 0;      // of those
  size_t trigger_bytes = 0;

 private:
  struct Large {
    std::unique_ptr<std::byte[]> memory;
    size_t size = 0;
    size_t filled = 0;
  };

  std::optional<size_t> front_size() const;
  void begin_large(size_t whole, Nanos now);
  void make_room(size_t whole);

  tcp::SocketStream stream_;
  Nanos deadline_;
  size_t& large_bytes_;
  State state_ = State::kAwaitsHello;
  uint16_t rights_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
  size_t begin_ = 0;  // of what was not looked at yet
  size_t end_ = 0;
  Large large_;
};

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_DOOR_CONNECTION_H_
