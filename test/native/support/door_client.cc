#include "test/native/support/door_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cmath>
#include <cstring>

#include "native/io/hmac.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

Secret secret_of(uint8_t byte) {
  Secret secret;
  secret.fill(byte);
  return secret;
}

template <typename Frame>
void append(std::vector<std::byte>& out, const Frame& frame) {
  const Bytes bytes = std::as_bytes(std::span(&frame, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_text(std::vector<std::byte>& out, const std::string& text) {
  const Bytes bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

door::Ticket make_ticket(uint8_t secret, uint16_t rights, double expires) {
  door::Ticket ticket = {};
  ticket.format = 1;
  ticket.rights = rights;
  ticket.expires = expires;
  ticket.id.fill(std::byte{7});
  const std::string text = "freshet ticket";
  const Bytes bytes = std::as_bytes(std::span(&ticket, 1)).first(offsetof(door::Ticket, mac));
  const Secret key = secret_of(secret);
  const Digest mac =
      hmac_sha256(std::as_bytes(std::span(key)), {std::as_bytes(std::span(text)), bytes});
  std::memcpy(ticket.mac.data(), mac.data(), mac.size());
  return ticket;
}

DoorClient::DoorClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT(connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
}

Status DoorClient::enter(const DoorHello& hello) {
  door::HelloFrame frame = {};
  frame.head = door::make_head(door::FrameType::kHello, sizeof frame);
  frame.magic = door::kDoorMagic;
  frame.protocol = hello.protocol;
  frame.node = hello.node;
  frame.cluster.fill(static_cast<std::byte>(hello.cluster));
  frame.nonce.fill(std::byte{42});
  frame.ticket = hello.ticket;
  send(std::as_bytes(std::span(&frame, 1)));
  std::optional<DoorFrame> answer = receive();
  if (!answer) return Status::kPeerUnreachable;
  if (answer->head.type == door::FrameType::kRefused) return answer->status();
  const auto challenge = answer->as<door::ChallengeFrame>();
  const door::Handshake handshake{frame.nonce, challenge.nonce, hello.node};
  const Digest key = door::ticket_key(secret_of(hello.secret), hello.ticket);
  const Digest expected = door::member_proof(key, handshake);
  EXPECT(std::memcmp(expected.data(), challenge.proof.data(), expected.size()) == 0);
  door::ProofFrame proof = {};
  proof.head = door::make_head(door::FrameType::kProof, sizeof proof);
  const Digest mine = door::client_proof(key, handshake);
  std::memcpy(proof.proof.data(), mine.data(), mine.size());
  if (!hello.proves) proof.proof[0] ^= std::byte{1};
  send(std::as_bytes(std::span(&proof, 1)));
  answer = receive();
  if (!answer) return Status::kPeerUnreachable;
  return answer->head.type == door::FrameType::kWelcome ? Status::kOk : answer->status();
}

bool DoorClient::send(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

std::optional<DoorFrame> DoorClient::receive(int seconds) {
  DoorFrame frame;
  frame.bytes.resize(sizeof(door::FrameHead));
  size_t filled = 0;
  while (filled < frame.bytes.size()) {
    pollfd waits = {fd_.get(), POLLIN, 0};
    if (poll(&waits, 1, seconds * 1000) != 1) return std::nullopt;
    const ssize_t got =
        recv(fd_.get(), frame.bytes.data() + filled, frame.bytes.size() - filled, 0);
    if (got <= 0) return std::nullopt;
    filled += static_cast<size_t>(got);
    if (filled != sizeof(door::FrameHead) || frame.bytes.size() != filled) continue;
    std::memcpy(&frame.head, frame.bytes.data(), sizeof frame.head);
    frame.bytes.resize(frame.head.size + sizeof frame.head.size);
  }
  return frame;
}

std::optional<DoorFrame> DoorClient::answer_to(double number) {
  for (;;) {
    std::optional<DoorFrame> frame = receive();
    if (!frame) return std::nullopt;
    const auto type = frame->head.type;
    const bool answers = type == door::FrameType::kDone || type == door::FrameType::kObject ||
                         type == door::FrameType::kWatching;
    if (answers && frame->as<door::NumberFrame>().number == number) return frame;
    others.push_back(std::move(*frame));
  }
}

double DoorClient::put(const DoorPut& put) {
  const std::string& key = put.key;
  const size_t extra = put.extra ? sizeof(door::ChangeExtra) : 0;
  const size_t whole =
      sizeof(door::ChangeFrame) + extra + key.size() + put.meta.size() + put.value.size();
  door::ChangeFrame frame = {};
  frame.head = door::make_head(
      door::FrameType::kChange, whole,
      static_cast<uint8_t>(static_cast<int>(put.kind) | static_cast<int>(put.ack) << 4),
      static_cast<uint16_t>(key.size()));
  frame.number = ++numbers_;
  frame.shard = put.shard;
  frame.pool = put.pool;
  frame.value_length = static_cast<uint32_t>(put.value.size());
  frame.meta_length = static_cast<uint16_t>(put.meta.size());
  frame.has_extra = put.extra ? 1 : 0;
  frame.request = put.request;
  frame.lowest_unanswered = put.lowest_unanswered;
  std::vector<std::byte> bytes;
  append(bytes, frame);
  if (put.extra) append(bytes, *put.extra);
  append_text(bytes, key);
  append_text(bytes, put.meta);
  append_text(bytes, put.value);
  send(bytes);
  return frame.number;
}

double DoorClient::get(const std::string& key, door::ReadLevel level, ReadPoint::Kind kind,
                       double value) {
  door::GetFrame frame = {};
  frame.head = door::make_head(door::FrameType::kGet, sizeof frame + key.size(),
                               static_cast<uint8_t>(level), static_cast<uint16_t>(key.size()));
  frame.number = ++numbers_;
  frame.shard = 1;
  frame.point = static_cast<uint8_t>(kind);
  frame.wants_value = 1;
  frame.value = value;
  std::vector<std::byte> bytes;
  append(bytes, frame);
  append_text(bytes, key);
  send(bytes);
  return frame.number;
}

double DoorClient::trigger(const std::string& key, const std::string& value, PoolId pool) {
  door::TriggerFrame frame = {};
  const size_t whole = sizeof frame + key.size() + value.size();
  frame.head =
      door::make_head(door::FrameType::kTrigger, whole, 0, static_cast<uint16_t>(key.size()));
  frame.number = ++numbers_;
  frame.event_time = std::nan("");
  frame.pool = pool;
  frame.value_length = static_cast<uint32_t>(value.size());
  std::vector<std::byte> bytes;
  append(bytes, frame);
  append_text(bytes, key);
  append_text(bytes, value);
  send(bytes);
  return frame.number;
}

double DoorClient::watch(const std::string& prefix, double credit, double from, double epoch,
                         bool persisted) {
  door::WatchFrame frame = {};
  frame.head = door::make_head(door::FrameType::kWatch, sizeof frame + prefix.size(),
                               persisted ? 1 : 0, static_cast<uint16_t>(prefix.size()));
  frame.number = ++numbers_;
  frame.shard = 1;
  frame.from = from;
  frame.epoch = epoch;
  frame.credit = credit;
  std::vector<std::byte> bytes;
  append(bytes, frame);
  append_text(bytes, prefix);
  send(bytes);
  return frame.number;
}

void DoorClient::session(double id) {
  const door::NumberFrame frame{
      door::make_head(door::FrameType::kSession, sizeof(door::NumberFrame)), id};
  send(std::as_bytes(std::span(&frame, 1)));
}

void DoorClient::credit(double watch, double credit) {
  const door::CreditFrame frame{
      door::make_head(door::FrameType::kCredit, sizeof(door::CreditFrame)), watch, credit};
  send(std::as_bytes(std::span(&frame, 1)));
}

void DoorClient::unwatch(double watch) {
  const door::NumberFrame frame{
      door::make_head(door::FrameType::kUnwatch, sizeof(door::NumberFrame)), watch};
  send(std::as_bytes(std::span(&frame, 1)));
}

}  // namespace freshet::test
