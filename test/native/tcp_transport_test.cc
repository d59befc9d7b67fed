// The tcp transport over loopback: handshake, frames, strangers. What holds for every transport is
// in transport_conformance_test.cc.
#include "native/io/tcp/tcp_transport.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "native/io/tcp/frame_reader.h"
#include "native/io/tcp/handshake.h"
#include "test/native/support/tcp_nodes.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr RegionId kRing{RegionKind::kRing, 0, 1, 1};
constexpr RegionId kRow{RegionKind::kShardRow, 0, 1, 1};

uint64_t cell(const std::vector<std::byte>& memory, size_t at = 0) {
  uint64_t value;
  std::memcpy(&value, memory.data() + at, sizeof value);
  return value;
}

// A client that speaks whatever bytes it likes.
struct RawClient {
  int fd;
  explicit RawClient(uint16_t port) : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawClient() { ::close(fd); }
  void send(Bytes bytes) { EXPECT(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0); }
  void send_frame(tcp::FrameType type, Bytes body) {
    const tcp::Prefix prefix{static_cast<uint32_t>(body.size()), type, 0};
    send(std::as_bytes(std::span(&prefix, 1)));
    send(body);
  }
  // What came, without waiting; `closed` tells that the other side is done.
  std::vector<std::byte> read(bool& closed) {
    std::vector<std::byte> out(4096);
    const ssize_t size = recv(fd, out.data(), out.size(), MSG_DONTWAIT);
    closed = size == 0 || (size < 0 && errno == ECONNRESET);
    out.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return out;
  }
};

tcp::Identity identity_of(NodeId node, NodeId to) {
  tcp::Identity identity;
  identity.cluster.fill(1);
  identity.node = node;
  identity.to = to;
  identity.incarnation = 7;
  identity.nonce.fill(9);
  return identity;
}

}  // namespace

TEST(many_small_writes_travel_in_few_system_calls) {
  Node a(1), b(2);
  connect(a, 1, b, 2);
  std::vector<std::byte> row(64);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  const uint64_t calls = a.transport->counters().system_calls;
  for (uint64_t i = 1; i <= 1000; i++)
    a.transport->write(2, kRow, 8, std::as_bytes(std::span(&i, 1)), false);
  EXPECT_EQ(a.transport->backlog(2), size_t{1000 * (8 + 32)});
  EXPECT(run({&a, &b}, [&] { return cell(row, 8) == 1000; }));
  EXPECT_EQ(a.transport->backlog(2), 0u);
  EXPECT(a.transport->counters().system_calls - calls < 200);
}

TEST(a_region_revoked_in_the_middle_of_a_write_is_not_touched_any_more) {
  Node a(1), b(2);
  connect(a, 1, b, 2);
  std::vector<std::byte> ring(size_t{8} << 20), row(8);
  std::vector<std::byte> source(ring.size(), std::byte{0x5a});
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  a.transport->write(2, kRing, 0, source, true);
  const uint64_t one = 1;
  a.transport->write(2, kRow, 0, std::as_bytes(std::span(&one, 1)), false);
  EXPECT(run({&a, &b}, [&] { return ring[0] == std::byte{0x5a}; }));
  EXPECT(ring.back() == std::byte{0});
  b.transport->revoke(1, kRing);
  ring.assign(ring.size(), std::byte{0});
  EXPECT(run({&a, &b}, [&] { return cell(row) == 1; }));
  for (std::byte byte : ring) {
    if (byte == std::byte{0}) continue;
    EXPECT(byte == std::byte{0});
    break;
  }
}

TEST(another_cluster_is_refused_on_both_sides) {
  Node a(1, 1), b(2, 9);
  a.knows(2, b.transport->port());
  b.knows(1, a.transport->port());
  EXPECT(run({&a, &b}, [&] {
    return a.saw(PeerEvent::Kind::kRefused, Status::kWrongCluster) &&
           b.saw(PeerEvent::Kind::kRefused, Status::kWrongCluster);
  }));
  EXPECT(!a.saw(PeerEvent::Kind::kUp) && !b.saw(PeerEvent::Kind::kUp));
}

TEST(another_transport_is_refused_on_both_sides) {
  Node a(1, 1, 2, TransportKind::kFabricShm), b(2);
  a.knows(2, b.transport->port());
  b.knows(1, a.transport->port());
  EXPECT(run({&a, &b}, [&] {
    return a.saw(PeerEvent::Kind::kRefused, Status::kWrongTransport) &&
           b.saw(PeerEvent::Kind::kRefused, Status::kWrongTransport);
  }));
  EXPECT(!a.saw(PeerEvent::Kind::kUp) && !b.saw(PeerEvent::Kind::kUp));
}

TEST(another_secret_is_refused_on_both_sides) {
  Node a(1, 1, 2), b(2, 1, 3);
  a.knows(2, b.transport->port());
  b.knows(1, a.transport->port());
  EXPECT(run({&a, &b}, [&] {
    return a.saw(PeerEvent::Kind::kRefused, Status::kUnauthenticated) &&
           b.saw(PeerEvent::Kind::kRefused, Status::kUnauthenticated);
  }));
  EXPECT(!a.saw(PeerEvent::Kind::kUp) && !b.saw(PeerEvent::Kind::kUp));
}

TEST(another_protocol_version_is_answered_with_its_reason) {
  Node b(2);
  b.knows(1, 1);
  RawClient client(b.transport->port());
  tcp::Identity identity = identity_of(1, 2);
  identity.protocol = kProtocolVersion + 1;
  client.send_frame(tcp::FrameType::kHello, std::as_bytes(std::span(&identity, 1)));
  std::vector<std::byte> answer;
  bool closed = false;
  EXPECT(run({&b}, [&] {
    for (std::byte byte : client.read(closed)) answer.push_back(byte);
    return closed;
  }));
  EXPECT_EQ(answer.size(), 9u);
  if (answer.size() != 9) return;
  EXPECT(answer[4] == static_cast<std::byte>(tcp::FrameType::kRefused));
  EXPECT(answer[8] == static_cast<std::byte>(Status::kNewerFormat));
  EXPECT(b.saw(PeerEvent::Kind::kRefused, Status::kNewerFormat));
}

TEST(a_recorded_handshake_cannot_be_played_again) {
  Node b(2);
  b.knows(1, 1);
  tcp::Identity mine = identity_of(1, 2);
  Secret secret;
  secret.fill(2);
  Digest recorded = {};
  for (int attempt = 0; attempt < 2; attempt++) {
    RawClient client(b.transport->port());
    client.send_frame(tcp::FrameType::kHello, std::as_bytes(std::span(&mine, 1)));
    std::vector<std::byte> challenge;
    bool closed = false;
    EXPECT(run({&b}, [&] {
      for (std::byte byte : client.read(closed)) challenge.push_back(byte);
      return challenge.size() >= 8 + sizeof(tcp::Identity) + sizeof(Digest);
    }));
    if (attempt == 0) {
      tcp::Identity theirs;
      std::memcpy(&theirs, challenge.data() + 8, sizeof theirs);
      recorded = tcp::prove(secret, tcp::Role::kDialler, mine, theirs);
    }
    client.send_frame(tcp::FrameType::kProof, std::as_bytes(std::span(recorded)));
    const auto kind = attempt == 0 ? PeerEvent::Kind::kUp : PeerEvent::Kind::kRefused;
    const Status reason = attempt == 0 ? Status::kOk : Status::kUnauthenticated;
    EXPECT(run({&b}, [&] { return b.saw(kind, reason); }));
  }
}

TEST(an_acceptors_own_proof_cannot_be_sent_back_to_it) {
  Node b(2);
  b.knows(1, 1);
  RawClient client(b.transport->port());
  const tcp::Identity mine = identity_of(1, 2);
  client.send_frame(tcp::FrameType::kHello, std::as_bytes(std::span(&mine, 1)));
  std::vector<std::byte> challenge;
  bool closed = false;
  EXPECT(run({&b}, [&] {
    for (std::byte byte : client.read(closed)) challenge.push_back(byte);
    return challenge.size() >= 8 + sizeof(tcp::Identity) + sizeof(Digest);
  }));
  client.send_frame(tcp::FrameType::kProof, Bytes(challenge).last(sizeof(Digest)));
  EXPECT(run({&b}, [&] { return b.saw(PeerEvent::Kind::kRefused, Status::kUnauthenticated); }));
  EXPECT(!b.saw(PeerEvent::Kind::kUp));
}

TEST(half_open_connections_are_bounded_and_time_out) {
  Node a(1), b(2);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < tcp::kHalfOpenMax + 20; i++) {
    clients.push_back(std::make_unique<RawClient>(b.transport->port()));
    b.transport->poll(0, b.events);
  }
  EXPECT(run({&b}, [&] { return b.transport->counters().refused_connections >= 20; }));
  bool closed = false;
  clients.front()->read(closed);
  EXPECT(closed);
  clients.back()->read(closed);
  EXPECT(!closed);
  b.skew += tcp::kHandshakeTimeout;
  EXPECT(run({&b}, [&] {
    clients.back()->read(closed);
    return closed;
  }));
  connect(a, 1, b, 2);
}

TEST(garbage_and_half_frames_end_the_connection_and_nothing_else) {
  Node a(1), b(2);
  connect(a, 1, b, 2);
  std::mt19937_64 random(test::seed(5));
  for (int round = 0; round < 60; round++) {
    RawClient client(b.transport->port());
    std::vector<std::byte> junk(1 + random() % 600);
    for (std::byte& byte : junk) byte = static_cast<std::byte>(random());
    const tcp::Identity mine = identity_of(1, 2);
    const tcp::Prefix prefix{sizeof mine, tcp::FrameType::kHello, 0};
    if (round % 3 != 0) client.send(std::as_bytes(std::span(&prefix, 1)));
    if (round % 3 == 1) client.send(std::as_bytes(std::span(&mine, 1)).first(random() % 88));
    if (round % 3 == 2) client.send(std::as_bytes(std::span(&mine, 1)));
    client.send(junk);
    for (int i = 0; i < 3; i++) b.transport->poll(100'000, b.events);
  }
  b.events.clear();
  std::vector<std::byte> row(8);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  const uint64_t one = 1;
  a.transport->write(2, kRow, 0, std::as_bytes(std::span(&one, 1)), false);
  EXPECT(run({&a, &b}, [&] { return cell(row) == 1; }));
  EXPECT(!b.saw(PeerEvent::Kind::kDown));
}

namespace {

// Two regions with guard bytes around them, behind a parser that is fed by hand.
struct FuzzSink final : tcp::FrameSink {
  std::vector<std::byte> memory = std::vector<std::byte>(size_t{300} << 10);
  size_t frames = 0;
  bool proven = true;
  static constexpr size_t kGuard = 4096;

  bool on_frame(tcp::FrameType, Bytes body) override {
    frames++;
    return body.size() % 7 != 6;
  }
  MutableBytes find(const RegionId& id, uint64_t offset, size_t length) override {
    const size_t size = memory.size() - 2 * kGuard;
    if (id.kind != RegionKind::kRing || offset > size || length > size - offset) return {};
    return MutableBytes(memory).subspan(kGuard + offset, length);
  }
  bool is_proven() const override { return proven; }
};

// Hands `bytes` to the reader in pieces; false once it refuses them.
bool feed(tcp::FrameReader& reader, Bytes bytes, std::mt19937_64& random) {
  while (!bytes.empty()) {
    iovec targets[2];
    const int count = reader.targets(targets);
    size_t piece = std::min<size_t>(bytes.size(), 1 + random() % 9000);
    size_t given = 0;
    for (int i = 0; i < count && piece > 0; i++) {
      const size_t taken = std::min(piece, targets[i].iov_len);
      std::memcpy(targets[i].iov_base, bytes.data(), taken);
      bytes = bytes.subspan(taken);
      piece -= taken;
      given += taken;
    }
    if (!reader.received(given)) return false;
    if (random() % 50 == 0) reader.revoke({RegionKind::kRing, 0, 1, 1});
  }
  return true;
}

void append_write(std::vector<std::byte>& stream, RegionId id, uint64_t offset, size_t size,
                  std::byte fill) {
  const tcp::Prefix prefix{static_cast<uint32_t>(tcp::kWriteHeadSize + size),
                           tcp::FrameType::kWrite, 0};
  const auto put = [&stream](Bytes bytes) {
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  };
  put(std::as_bytes(std::span(&prefix, 1)));
  put(std::as_bytes(std::span(&id, 1)));
  put(std::as_bytes(std::span(&offset, 1)));
  stream.insert(stream.end(), size, fill);
}

}  // namespace

TEST(the_parser_survives_mutated_streams_and_stays_in_bounds) {
  std::mt19937_64 random(test::seed(77));
  size_t refused = 0;
  for (int round = 0; round < 1500; round++) {
    FuzzSink sink;
    sink.proven = round % 17 != 0;
    tcp::FrameReader reader(sink);
    std::vector<std::byte> stream;
    for (int i = 0; i < 6; i++) {
      const size_t size = random() % (i == 3 ? 120'000 : 400);
      const auto kind = random() % 4 == 0 ? RegionKind::kShardRow : RegionKind::kRing;
      append_write(stream, {kind, 0, 1, 1}, random() % 200'000, size, std::byte{0x11});
    }
    const size_t flips = random() % 4;
    for (size_t i = 0; i < flips; i++) {
      const size_t at = random() % (round % 2 == 0 ? 200 : stream.size());
      stream[at] = static_cast<std::byte>(random());
    }
    stream.resize(stream.size() - random() % 64);
    if (!feed(reader, stream, random)) refused++;
    for (size_t i = 0; i < FuzzSink::kGuard; i++) {
      EXPECT(sink.memory[i] == std::byte{0});
      EXPECT(sink.memory[sink.memory.size() - 1 - i] == std::byte{0});
    }
  }
  EXPECT(refused > 100);
}

TEST(the_parser_gives_the_same_memory_however_the_stream_is_cut) {
  std::mt19937_64 random(test::seed(3));
  std::vector<std::byte> stream;
  std::vector<std::byte> expected(size_t{300} << 10);
  for (int i = 0; i < 400; i++) {
    const size_t size = i % 40 == 0 ? 100'000 : random() % 20'000;
    const uint64_t offset = random() % 190'000;
    const auto fill = static_cast<std::byte>(i % 250 + 1);
    append_write(stream, {RegionKind::kRing, 0, 2, 1}, offset, size, fill);
    std::fill_n(expected.begin() + static_cast<long>(FuzzSink::kGuard + offset), size, fill);
  }
  for (int round = 0; round < 5; round++) {
    FuzzSink sink;
    tcp::FrameReader reader(sink);
    EXPECT(feed(reader, stream, random));
    EXPECT(sink.memory == expected);
  }
}
