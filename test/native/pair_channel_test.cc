#include "native/core/pair_channel.h"

#include <cstring>
#include <deque>
#include <memory>

#include "native/io/seeded_random.h"
#include "native/io/simulated_network.h"
#include "native/io/simulated_transport.h"
#include "test/native/support/test.h"

namespace freshet {
namespace {

constexpr size_t kSmallRing = size_t{64} << 10;

std::vector<std::byte> message(uint64_t number, size_t size) {
  std::vector<std::byte> bytes(sizeof number + size);
  std::memcpy(bytes.data(), &number, sizeof number);
  SeededRandom random(number);
  for (size_t i = sizeof number; i < bytes.size(); i++)
    bytes[i] = static_cast<std::byte>(random.next());
  return bytes;
}

uint64_t number_of(const MemberMessage& item) {
  uint64_t number = 0;
  std::memcpy(&number, item.bytes.data(), sizeof number);
  return number;
}

// One member's end: channel and transport.
struct End {
  End(SimulatedNetwork& network, NodeId me, NodeId peer)
      : transport(network.join(me)), channel(peer, kSmallRing) {
    for (const GrantedRegion& region : channel.regions())
      (void)transport->grant(region.writer, region.id, region.memory);
  }

  int turn() {
    events.clear();
    int work = transport->poll(0, events);
    for (const PeerEvent& event : events) {
      if (event.kind == PeerEvent::Kind::kUp) channel.on_up(++session * 2654435761u);
      if (event.kind == PeerEvent::Kind::kDown) channel.on_down();
    }
    out.clear();
    work += channel.step(out);
    for (const RegionWrite& write : out.writes)
      transport->write(write.peer, write.region, write.offset, write.bytes, write.stable);
    return work;
  }

  std::unique_ptr<SimulatedTransport> transport;
  PairChannel channel;
  std::vector<PeerEvent> events;
  Outputs out;
  uint64_t session = 0;
};

struct Pair {
  explicit Pair(uint64_t seed, uint32_t tear = 20)
      : network({seed, 1000, 50'000, 200'000, tear}), a(network, 1, 2), b(network, 2, 1) {
    (void)a.transport->add_peer({2, "", 0});
    (void)b.transport->add_peer({1, "", 0});
    while (!a.channel.is_up() || !b.channel.is_up()) turn();
  }
  void turn() {
    network.advance_to(network.now() + 20'000);
    a.turn();
    b.turn();
  }
  SimulatedNetwork network;
  End a;
  End b;
};

TEST(small_messages_arrive_in_order) {
  Pair pair(test::seed(1));
  uint64_t sent = 0;
  uint64_t received = 0;
  for (int round = 0; received < 500 && round < 100'000; round++) {
    while (sent < 500 && pair.a.channel.send(message(sent, sent % 300)) == Status::kOk) sent++;
    pair.turn();
    for (const MemberMessage& item : pair.b.out.messages) {
      EXPECT_EQ(item.from, 1u);
      EXPECT(item.bytes == message(received, received % 300));
      received++;
    }
  }
  EXPECT_EQ(received, 500u);
}

TEST(an_empty_message_is_a_message) {
  Pair pair(1);
  EXPECT_EQ(pair.a.channel.send(Bytes()), Status::kOk);
  for (int round = 0; round < 20; round++) {
    pair.turn();
    if (pair.b.out.messages.empty()) continue;
    EXPECT(pair.b.out.messages[0].bytes.empty());
    return;
  }
  EXPECT(false);
}

TEST(thread_63_messages_larger_than_the_ring_arrive_whole) {
  Pair pair(test::seed(2));
  const std::vector<size_t> sizes = {10, kSmallRing / 4, kSmallRing, 5 * kSmallRing + 3,
                                     1,  1'000'000,      77};
  for (size_t i = 0; i < sizes.size(); i++)
    EXPECT_EQ(pair.a.channel.send(message(i, sizes[i])), Status::kOk);
  size_t received = 0;
  for (int round = 0; received < sizes.size() && round < 100'000; round++) {
    pair.turn();
    for (const MemberMessage& item : pair.b.out.messages) {
      EXPECT(item.bytes == message(received, sizes[received]));
      received++;
    }
  }
  EXPECT_EQ(received, sizes.size());
}

TEST(too_much_is_refused) {
  Pair pair(3);
  EXPECT_EQ(pair.a.channel.send(std::vector<std::byte>(kPairMessageMax + 1)),
            Status::kValueTooLarge);
  size_t taken = 0;
  while (pair.a.channel.send(message(taken, 30'000)) == Status::kOk) taken++;
  EXPECT(taken >= kPairQueueMessages);
  EXPECT_EQ(pair.a.channel.send(message(taken, 10)), Status::kOverloaded);
  pair.a.channel.on_down();
  EXPECT_EQ(pair.a.channel.send(message(0, 10)), Status::kPeerUnreachable);
}

// Connections break at any moment, in the middle of messages too: what arrives is whole, in order
// and never twice; what was sent after the last break arrives.
TEST(a_lost_connection_loses_messages_but_tears_none) {
  for (uint64_t round = 0; round < 30; round++) {
    Pair pair(test::seed(10) + round);
    SeededRandom random(round);
    uint64_t sent = 0;
    uint64_t next = 0;  // least number that may still come
    const auto take = [&] {
      pair.turn();
      for (const MemberMessage& item : pair.b.out.messages) {
        const uint64_t number = number_of(item);
        EXPECT(number >= next);
        EXPECT(item.bytes == message(number, (number * 7919) % 40'000));
        next = number + 1;
      }
    };
    for (int i = 0; i < 400; i++) {
      if (random.chance(3)) pair.network.drop_connection(1, 2);
      if (random.chance(50) &&
          pair.a.channel.send(message(sent, (sent * 7919) % 40'000)) == Status::kOk)
        sent++;
      take();
    }
    while (!pair.a.channel.is_up()) take();
    const uint64_t last = sent++;
    EXPECT_EQ(pair.a.channel.send(message(last, (last * 7919) % 40'000)), Status::kOk);
    for (int i = 0; i < 3000 && next <= last; i++) take();
    EXPECT_EQ(next, last + 1);
    EXPECT_EQ(pair.a.channel.fault(), Status::kOk);
    EXPECT_EQ(pair.b.channel.fault(), Status::kOk);
  }
}

// A connection dies with messages in the ring that nobody has looked at: what the next one writes
// over them is not theirs.
TEST(what_an_ended_connection_left_in_the_ring_is_not_taken_from_the_next_one) {
  for (uint64_t round = 0; round < 60; round++) {
    Pair pair(test::seed(30) + round, 0);
    SeededRandom random(round);
    const size_t size = 64 * (1 + random.below(40));  // of all, so that records lie alike
    uint64_t sent = 0;
    uint64_t next = 0;
    uint64_t first = 0;  // of the connection that stands
    const auto look = [&] {
      for (const MemberMessage& item : pair.b.out.messages) {
        const uint64_t number = number_of(item);
        EXPECT(number >= next && number >= first);
        EXPECT(item.bytes == message(number, size));
        next = number + 1;
      }
      pair.b.out.clear();
    };
    for (int connection = 0; connection < 6; connection++) {
      for (uint64_t i = random.below(4); i > 0; i--) {
        EXPECT_EQ(pair.a.channel.send(message(sent++, size)), Status::kOk);
        pair.turn();
        look();
      }
      for (uint64_t i = random.below(8); i > 0; i--)
        EXPECT_EQ(pair.a.channel.send(message(sent++, size)), Status::kOk);
      pair.a.turn();
      // All that was sent arrives, and with it the end of the connection.
      pair.network.advance_to(pair.network.now() + 1'000'000);
      std::vector<PeerEvent> events;
      (void)pair.b.transport->poll(0, events);
      pair.network.drop_connection(1, 2);
      first = sent;
      do {
        pair.turn();
        look();
      } while (!pair.a.channel.is_up() || !pair.b.channel.is_up());
    }
    EXPECT_EQ(pair.a.channel.send(message(sent++, size)), Status::kOk);
    for (int i = 0; i < 100 && next < sent; i++) {
      pair.turn();
      look();
    }
    EXPECT_EQ(next, sent);
    EXPECT_EQ(pair.b.channel.fault(), Status::kOk);
  }
}

// A broken peer: any bytes in the ring, any guard, any ack. No crash, no message of wrong bytes.
TEST(nonsense_closes_the_session) {
  size_t faults = 0;
  for (uint64_t round = 0; round < 400; round++) {
    Pair pair(1000 + round, 0);
    SeededRandom random(test::seed(50) + round);
    uint64_t sent = 0;
    for (int i = 0; i < 40; i++) {
      if (pair.a.channel.send(message(sent, random.below(3000))) == Status::kOk) sent++;
      pair.network.advance_to(pair.network.now() + 20'000);
      pair.a.turn();
      const auto regions = pair.b.channel.regions();
      const MutableBytes target = regions[random.below(2)].memory;
      auto* cell = reinterpret_cast<uint64_t*>(target.data());
      if (random.chance(10)) *cell += random.below(3) == 0 ? random.next() : random.below(2000);
      if (random.chance(20)) target[random.below(target.size())] ^= std::byte{16};
      pair.b.turn();
    }
    if (pair.b.channel.fault() != Status::kOk) faults++;
  }
  EXPECT(faults > 50);
}

}  // namespace
}  // namespace freshet
