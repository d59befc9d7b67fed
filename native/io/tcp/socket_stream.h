// A socket with what waits to be sent: read and written up to the edges that epoll tells.
//
// Thread: its owner's.
// Invariant: once it is over, nothing is received or sent any more and nothing waits.
#ifndef FRESHET_IO_TCP_SOCKET_STREAM_H_
#define FRESHET_IO_TCP_SOCKET_STREAM_H_

#include <span>
#include <utility>

#include "native/io/tcp/send_queue.h"
#include "native/io/tcp/socket.h"
#include "native/io/transport.h"

namespace freshet::tcp {

class SocketStream {
 public:
  // `counters` null: nobody counts.
  SocketStream(FileDescriptor fd, TransportCounters* counters)
      : fd_(std::move(fd)), counters_(counters) {}

  int fd() const { return fd_.get(); }
  bool is_over() const { return !fd_.valid(); }
  SendQueue& queue() { return queue_; }
  const SendQueue& queue() const { return queue_; }

  // What epoll told.
  void on_edges(uint32_t events);
  bool may_receive() const { return readable_; }
  bool may_send() const { return writable_; }
  bool wants_send() const { return writable_ && queue_.size() > 0; }

  // Takes in once what has arrived. Returns how many bytes; 0: none are there, or it is over.
  size_t receive(std::span<iovec> targets);
  // Sends what fits. Returns how many bytes.
  size_t send();
  // What waits is the last that is sent.
  void end_sending() { ends_ = true; }
  void close();

 private:
  // Whether the call is worth looking at: it may have been interrupted, or be the edge.
  bool has_moved(ssize_t result, bool& ready);

  FileDescriptor fd_;
  TransportCounters* counters_;
  SendQueue queue_;
  bool readable_ = false;
  bool has_ended_ = false;  // the other side: behind what is there comes the end
  bool writable_ = false;
  bool ends_ = false;
};

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_SOCKET_STREAM_H_
