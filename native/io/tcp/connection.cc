#include "native/io/tcp/connection.h"

#include <cstring>
#include <span>

namespace freshet::tcp {

Connection::Connection(FileDescriptor fd, const Identity& mine, const Secret& secret,
                       ConnectionOwner& owner, TransportCounters& counters, Nanos now)
    : stream_(std::move(fd), &counters),
      mine_(mine),
      secret_(secret),
      owner_(owner),
      connect_deadline_(now + kConnectTimeout),
      deadline_(now + kHandshakeTimeout),
      dialled_(mine.to != 0),
      state_(dialled_ ? State::kConnecting : State::kAwaitsHello),
      reader_(*this) {}

void Connection::on_edges(uint32_t events) {
  stream_.on_edges(events);
  if (state_ == State::kConnecting && stream_.may_send()) {
    if (!is_connected(fd())) return close();
    state_ = State::kSentHello;
    queue().push_frame(FrameType::kHello, std::as_bytes(std::span(&mine_, 1)));
  }
}

size_t Connection::receive() {
  iovec targets[2];
  const auto count = static_cast<size_t>(reader_.targets(targets));
  const size_t size = stream_.receive(std::span(targets).first(count));
  if (stream_.is_over()) close();
  if (size == 0 || state_ == State::kRefusing) return size;
  if (!reader_.received(size) && state_ != State::kRefusing) close();
  return size;
}

size_t Connection::send() {
  const size_t size = stream_.send();
  if (stream_.is_over()) close();
  return size;
}

void Connection::refuse(Status reason, Nanos deadline) {
  if (state_ == State::kDead || state_ == State::kRefusing) return;
  state_ = State::kRefusing;
  deadline_ = deadline;
  const auto code = static_cast<std::byte>(reason);
  queue().push_frame(FrameType::kRefused, Bytes{&code, 1});
  stream_.end_sending();
}

void Connection::close() {
  state_ = State::kDead;
  stream_.close();
}

MutableBytes Connection::find(const RegionId& id, uint64_t offset, size_t length) {
  return owner_.find_region(peer(), id, offset, length);
}

bool Connection::on_frame(FrameType type, Bytes body) {
  if (type == FrameType::kRefused && !is_up()) return on_refusal(body);
  switch (state_) {
    case State::kAwaitsHello:
      return type == FrameType::kHello && on_hello(body);
    case State::kSentHello:
      return type == FrameType::kChallenge && on_challenge(body);
    case State::kAwaitsProof:
      return type == FrameType::kProof && on_proof(body);
    case State::kSentProof:
      if (type != FrameType::kWelcome || !body.empty()) return false;
      state_ = State::kUp;
      owner_.on_up(*this);
      return is_up();
    case State::kConnecting:
    case State::kUp:
    case State::kRefusing:
    case State::kDead:
      return false;
  }
  return false;
}

bool Connection::refuse_here(Status reason) {
  owner_.on_refused(*this, reason);
  return false;
}

bool Connection::on_hello(Bytes body) {
  const Status read = read_identity(body, mine_, theirs_);
  if (!is_ok(read)) return refuse_here(read);
  if (!owner_.may_dial(theirs_.node)) return refuse_here(Status::kNotAMember);
  mine_.to = theirs_.node;
  const Digest proof = prove(secret_, Role::kAcceptor, theirs_, mine_);
  std::array<std::byte, sizeof mine_ + sizeof proof> reply;
  std::memcpy(reply.data(), &mine_, sizeof mine_);
  std::memcpy(reply.data() + sizeof mine_, proof.data(), proof.size());
  queue().push_frame(FrameType::kChallenge, reply);
  state_ = State::kAwaitsProof;
  return true;
}

bool Connection::on_challenge(Bytes body) {
  if (body.size() < sizeof(Digest)) return false;
  const Bytes shown = body.last(sizeof(Digest));
  const Status read = read_identity(body.first(body.size() - sizeof(Digest)), mine_, theirs_);
  if (!is_ok(read)) return refuse_here(read);
  if (theirs_.node != mine_.to) return refuse_here(Status::kInvalidArgument);
  const Digest expected = prove(secret_, Role::kAcceptor, mine_, theirs_);
  if (!equal_in_constant_time(shown, std::as_bytes(std::span(expected))))
    return refuse_here(Status::kUnauthenticated);
  const Digest proof = prove(secret_, Role::kDialler, mine_, theirs_);
  queue().push_frame(FrameType::kProof, std::as_bytes(std::span(proof)));
  state_ = State::kSentProof;
  return true;
}

bool Connection::on_proof(Bytes body) {
  const Digest expected = prove(secret_, Role::kDialler, theirs_, mine_);
  if (!equal_in_constant_time(body, std::as_bytes(std::span(expected))))
    return refuse_here(Status::kUnauthenticated);
  queue().push_frame(FrameType::kWelcome, {});
  state_ = State::kUp;
  owner_.on_up(*this);
  return is_up();
}

bool Connection::on_refusal(Bytes body) {
  if (body.size() != 1 || state_ == State::kRefusing || state_ == State::kDead) return false;
  const auto code = static_cast<uint8_t>(body[0]);
  const Status reason = static_cast<Status>(code);
  // A code of another version is still a refusal.
  const bool known = code != 0 && std::strcmp(status_name(reason), "UNKNOWN") != 0;
  close();
  owner_.on_refused(*this, known ? reason : Status::kPeerUnreachable);
  return false;
}

}  // namespace freshet::tcp
