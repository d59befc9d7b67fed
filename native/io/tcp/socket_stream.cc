#include "native/io/tcp/socket_stream.h"

#include <sys/epoll.h>

#include <cerrno>

#include "native/core/work_meter.h"

namespace freshet::tcp {

void SocketStream::on_edges(uint32_t events) {
  constexpr uint32_t kEnds = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  has_ended_ = has_ended_ || (events & kEnds) != 0;
  readable_ = readable_ || (events & (EPOLLIN | kEnds)) != 0;
  writable_ = writable_ || (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
}

bool SocketStream::has_moved(ssize_t result, bool& ready) {
  if (counters_ != nullptr) counters_->system_calls++;
  if (result > 0) return true;
  if (result < 0 && errno == EINTR) return false;
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    ready = false;
  } else {
    close();
  }
  return false;
}

size_t SocketStream::receive(std::span<iovec> targets) {
  size_t room = 0;
  for (const iovec& target : targets) room += target.iov_len;
  msghdr message = {};
  message.msg_iov = targets.data();
  message.msg_iovlen = targets.size();
  const ssize_t result = [&] {
    const WorkScope scope(Work::kSystem);
    return recvmsg(fd_.get(), &message, 0);
  }();
  if (!has_moved(result, readable_)) return 0;
  const size_t size = static_cast<size_t>(result);
  if (counters_ != nullptr) counters_->bytes_read += size;
  // Edge-triggered: more would be a new edge. The end is none if it was told with the bytes.
  if (size < room && !has_ended_) readable_ = false;
  return size;
}

size_t SocketStream::send() {
  size_t total = 0;
  while (wants_send()) {
    iovec pieces[kPiecesMax];
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<size_t>(queue_.gather(pieces));
    const ssize_t result = [&] {
      const WorkScope scope(Work::kSystem);
      return sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    }();
    if (!has_moved(result, writable_)) continue;
    const size_t size = static_cast<size_t>(result);
    queue_.sent(size);
    if (counters_ != nullptr) counters_->bytes_written += size;
    total += size;
  }
  // Closing with bytes unread would reset the connection and take what was sent last with it.
  if (ends_ && queue_.size() == 0 && !is_over()) shutdown(fd_.get(), SHUT_WR);
  return total;
}

void SocketStream::close() {
  fd_.close();
  queue_.clear();
  readable_ = writable_ = false;
}

}  // namespace freshet::tcp
