// What every transport promises (io/transport.h), on all of them: order, bounds, loss, waking.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>

#include "test/native/support/transport_rig.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr RegionId kRing{RegionKind::kRing, 0, 1, 1};
constexpr RegionId kRow{RegionKind::kShardRow, 0, 1, 1};
constexpr auto kUp = PeerEvent::Kind::kUp;
constexpr auto kDown = PeerEvent::Kind::kDown;

// As the core reads them: hardware may write at any time.
uint64_t cell(Bytes memory, size_t at = 0) {
  return __atomic_load_n(reinterpret_cast<const uint64_t*>(memory.data() + at), __ATOMIC_ACQUIRE);
}

bool is_filled(Bytes memory, std::byte with) {
  for (std::byte byte : memory)
    if (byte != with) return false;
  return true;
}

}  // namespace

TEST_ON_ALL(peers_connect_and_say_who_they_are) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  EXPECT_EQ(a.count(kUp, 2), 1u);
  EXPECT_EQ(b.count(kUp, 1), 1u);
  EXPECT_EQ(a.events.size(), 1u);
  EXPECT_EQ(b.events.size(), 1u);
  if (rig.is_simulated()) return;  // incarnations are drawn there
  EXPECT_EQ(a.events[0].incarnation, 1002u);
  EXPECT_EQ(b.events[0].incarnation, 1001u);
}

TEST_ON_ALL(data_is_there_when_its_guard_shows) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  constexpr size_t kSize = size_t{1} << 20;
  const MutableBytes ring = rig.memory(kSize);
  const MutableBytes row = rig.memory(64);
  const MutableBytes source = rig.memory(kSize);
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  std::mt19937_64 random(seed(11));
  uint64_t guard = 0;
  for (int round = 0; round < 300; round++) {
    const size_t size = 1 + random() % (round % 3 == 0 ? 200'000 : 900);
    const size_t offset = random() % (kSize - size);
    // The bytes are stable until the guard shows, as in a ring.
    for (size_t i = 0; i < size; i++) source[offset + i] = static_cast<std::byte>(random());
    a.transport->write(2, kRing, offset, source.subspan(offset, size), round % 2 == 0);
    a.write(2, kRow, 0, ++guard);
    EXPECT(rig.run({&a, &b}, [&] { return cell(row) == guard; }));
    EXPECT(std::memcmp(ring.data() + offset, source.data() + offset, size) == 0);
  }
  EXPECT(rig.run({&a, &b}, [&] { return a.transport->backlog(2) == 0; }));
  EXPECT_EQ(b.transport->counters().dropped_writes, 0u);
  EXPECT_EQ(a.transport->counters().dropped_writes, 0u);
}

TEST_ON_ALL(order_holds_without_waiting) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  constexpr size_t kBlock = 4096;
  constexpr uint64_t kRounds = 4000;
  const MutableBytes ring = rig.memory(2 * kBlock);
  const MutableBytes row = rig.memory(64);
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  std::vector<uint64_t> block(kBlock / 8);
  uint64_t sent = 0, looked = 0;
  EXPECT(rig.run({&a, &b}, [&] {
    const uint64_t guard = cell(row);
    // The guard, its double behind it and the block before it, whose halves are written apart.
    EXPECT(cell(row, 8) <= guard);
    for (size_t at = 0; at < ring.size(); at += 8) {
      if (cell(ring, at) >= guard) continue;
      EXPECT(cell(ring, at) >= guard);
      break;
    }
    looked++;
    for (int i = 0; i < 4 && sent < kRounds && a.transport->backlog(2) < 400'000; i++) {
      std::fill(block.begin(), block.end(), ++sent);
      a.transport->write(2, kRing, kBlock, std::as_bytes(std::span(block)), false);
      a.transport->write(2, kRing, 0, std::as_bytes(std::span(block)), false);
      a.write(2, kRow, 0, sent);
      a.write(2, kRow, 8, sent);
    }
    return guard == kRounds;
  }));
  EXPECT(looked > 10);
}

TEST_ON_ALL(cells_are_never_torn) {
  if (rig.kind() == RigKind::kFabricVerbs && is_emulated()) {
    std::printf("passed over, software RDMA copies byte by byte on an emulated processor: ");
    return;
  }
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  constexpr size_t kCells = 512;
  constexpr uint64_t kWrites = kSanitized ? 10'000 : 20'000;
  const MutableBytes row = rig.memory(8 * kCells);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  const auto look = [&] {
    for (size_t at = 0; at < row.size(); at += 8)
      EXPECT_EQ(cell(row, at) % 0x0001000100010001u, 0u);
  };
  std::mt19937_64 random(seed(21));
  uint64_t count = 0;
  const auto write_some = [&] {
    for (int i = 0; i < 2000 && count < kWrites; i++) {
      if (i % 100 == 0 && a.transport->backlog(2) > 600'000) break;
      const uint64_t value = (1 + ++count % 65'000) * 0x0001000100010001u;
      // Several lengths, so that a stream is cut at every place of a cell.
      const size_t size = 1 + random() % 3;
      const std::vector<uint64_t> cells(size, value);
      const size_t at = 8 * (random() % (kCells - size));
      a.transport->write(2, kRow, at, std::as_bytes(std::span(cells)), false);
    }
    return count == kWrites && a.transport->backlog(2) == 0;
  };
  if (rig.is_simulated()) {
    EXPECT(rig.run({&a, &b}, [&] {
      look();
      return write_some();
    }));
    return;
  }
  // Both at work at once: what has come when one looks may end anywhere.
  std::atomic<bool> done{false};
  std::thread writer([&] {
    EXPECT(rig.run({&a}, write_some));
    done.store(true);
  });
  while (!done.load()) {
    b.transport->poll(0, b.events);
    look();
  }
  writer.join();
}

TEST_ON_ALL(many_small_writes_arrive_in_order) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  constexpr uint64_t kSlots = 1024, kWrites = 50'000;
  const MutableBytes row = rig.memory(8 * kSlots);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  for (uint64_t i = 1; i <= kWrites; i++) a.write(2, kRow, 8 * (i % kSlots), i);
  EXPECT(a.transport->backlog(2) >= 8 * kWrites);
  EXPECT(rig.run({&a, &b}, [&] { return cell(row, 8 * (kWrites % kSlots)) == kWrites; }));
  for (uint64_t i = kWrites - kSlots + 1; i <= kWrites; i++)
    EXPECT_EQ(cell(row, 8 * (i % kSlots)), i);
  EXPECT(rig.run({&a, &b}, [&] { return a.transport->backlog(2) == 0; }));
}

TEST_ON_ALL(writes_outside_of_what_was_granted_are_dropped_and_counted) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes row = rig.memory(128);
  EXPECT(is_ok(b.transport->grant(1, kRow, row.first(64))));
  rig.settle({&a, &b});
  const std::vector<std::byte> junk(40'000, std::byte{0xee});
  a.transport->write(2, kRing, 0, junk, true);                   // not granted
  a.transport->write(2, kRow, 60, Bytes(junk).first(8), false);  // over the end
  a.transport->write(2, kRow, UINT64_MAX - 3, Bytes(junk).first(8), false);
  a.transport->write(2, kRow, 0, Bytes(junk).first(65), false);  // too long
  a.write(2, kRow, 0, 1);
  EXPECT(rig.run({&a, &b}, [&] { return cell(row) == 1; }));
  const auto dropped = [&] {
    return a.transport->counters().dropped_writes + b.transport->counters().dropped_writes;
  };
  // A large one may travel in pieces.
  EXPECT(rig.run({&a, &b}, [&] { return dropped() >= 4; }));
  for (size_t i = 8; i < row.size(); i++) EXPECT(row[i] == std::byte{0});
  EXPECT_EQ(a.count(kDown, 2) + b.count(kDown, 1), 0u);
}

TEST_ON_ALL(a_revoked_region_is_not_written_and_its_name_may_be_given_again) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes ring = rig.memory(size_t{256} << 10);
  const MutableBytes next = rig.memory(ring.size());
  const MutableBytes row = rig.memory(8);
  const MutableBytes source = rig.memory(ring.size());
  std::fill(source.begin(), source.end(), std::byte{0x5a});
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  for (uint64_t round = 1; round <= 20; round++) {
    EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
    rig.settle({&a, &b});
    // Some of it is on its way when the region is taken back.
    a.transport->write(2, kRing, 0, source, true);
    rig.pass({&a, &b});
    b.transport->revoke(1, kRing);
    EXPECT(!b.transport->is_leaving(1, kRow));
    EXPECT_EQ(b.transport->is_leaving(1, kRing), b.transport->has_late_writes(1));
    EXPECT(rig.run({&a, &b}, [&] { return !b.transport->is_leaving(1, kRing); }));
    EXPECT(!b.transport->has_late_writes(1));
    std::fill(ring.begin(), ring.end(), std::byte{0});
    a.transport->write(2, kRing, 0, source, true);
    a.write(2, kRow, 0, round);
    EXPECT(rig.run({&a, &b}, [&] { return cell(row) == round; }));
    EXPECT(is_filled(ring, std::byte{0}));

    EXPECT(is_ok(b.transport->grant(1, kRing, next)));
    rig.settle({&a, &b});
    a.transport->write(2, kRing, 0, source, true);
    EXPECT(rig.run({&a, &b}, [&] { return is_filled(next, std::byte{0x5a}); }));
    EXPECT(is_filled(ring, std::byte{0}));
    b.transport->revoke(1, kRing);
    EXPECT(rig.run({&a, &b}, [&] { return !b.transport->has_late_writes(1); }));
    std::fill(next.begin(), next.end(), std::byte{0});
  }
  EXPECT_EQ(a.count(kDown, 2) + b.count(kDown, 1), 0u);
}

// As epochs do: who is told of a region by a write may write it at once.
TEST_ON_ALL(a_grant_is_known_before_any_write_behind_it) {
  RigNode a = rig.make(1), b = rig.make(2);
  const MutableBytes told = rig.memory(8), row = rig.memory(8);
  rig.introduce(a, b);
  EXPECT(is_ok(a.transport->grant(2, kRow, told)));
  EXPECT(rig.run({&a, &b}, [&] { return a.count(kUp, 2) == 1 && b.count(kUp, 1) == 1; }));
  constexpr uint32_t kEpochs = kSanitized ? 100 : 400;
  const auto id_of = [](uint64_t epoch) {
    return RegionId{RegionKind::kRing, 0, 1, static_cast<Epoch>(epoch)};
  };
  uint32_t given = 0;
  const auto give = [&] {
    if (given > 0 && cell(row) != given) return false;
    if (given > 0) b.transport->revoke(1, id_of(given));
    if (given == kEpochs) return true;
    EXPECT(is_ok(b.transport->grant(1, id_of(++given), row)));
    b.write(1, kRow, 0, given);
    return false;
  };
  uint64_t answered = 0;
  const auto answer = [&] {
    if (cell(told) > answered) a.write(2, id_of(answered = cell(told)), 0, cell(told));
    return answered == kEpochs && a.transport->backlog(2) == 0;
  };
  if (rig.is_simulated()) {
    EXPECT(rig.run({&a, &b}, [&] {
      answer();
      return give();
    }));
  } else {
    std::atomic<bool> done{false};
    std::thread giver([&] {
      EXPECT(rig.run({&b}, give));
      done.store(true);
    });
    EXPECT(rig.run({&a}, [&] { return answer() && done.load(); }));
    giver.join();
  }
  EXPECT_EQ(a.transport->counters().dropped_writes, 0u);
  EXPECT_EQ(b.transport->counters().dropped_writes, 0u);
}

TEST_ON_ALL(a_slow_peer_shows_as_backlog_and_never_blocks) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes ring = rig.memory(size_t{8} << 20);
  const MutableBytes row = rig.memory(8);
  const MutableBytes source = rig.memory(ring.size());
  std::fill(source.begin(), source.end(), std::byte{1});
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  // Hardware needs no poll of the other side, only time.
  const bool places = rig.kind() == RigKind::kFabricVerbs;
  for (int i = 0; i < 8; i++) a.transport->write(2, kRing, 0, source, true);
  a.write(2, kRow, 0, 1);
  for (int i = 0; i < (places ? 1 : 50); i++) a.transport->poll(0, a.events);
  EXPECT(a.transport->backlog(2) > source.size());
  EXPECT(rig.run({&a, &b}, [&] { return cell(row) == 1; }));
  EXPECT(rig.run({&a, &b}, [&] { return a.transport->backlog(2) == 0; }));
  EXPECT(is_filled(ring, std::byte{1}));
}

TEST_ON_ALL(a_closed_peer_writes_nothing_until_it_is_up_again) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes ring = rig.memory(size_t{1} << 20);
  const MutableBytes source = rig.memory(ring.size());
  std::fill(source.begin(), source.end(), std::byte{7});
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  rig.settle({&a, &b});
  for (size_t round = 1; round <= 5; round++) {
    a.transport->write(2, kRing, 0, source, true);
    rig.pass({&a, &b});
    RigNode& closer = round % 2 == 0 ? a : b;
    a.transport->write(2, kRing, 0, source, true);
    closer.transport->close_peer(round % 2 == 0 ? 2 : 1);
    EXPECT_EQ(closer.transport->backlog(round % 2 == 0 ? 2 : 1), 0u);
    EXPECT(rig.run({&a, &b}, [&] { return b.count(kDown, 1) == round; }));
    std::fill(ring.begin(), ring.end(), std::byte{0});
    const auto both_up = [&] {
      return a.count(kUp, 2) == round + 1 && b.count(kUp, 1) == round + 1;
    };
    bool clean = true;
    EXPECT(rig.run({&a, &b}, [&] {
      if (b.count(kUp, 1) == round && !is_filled(ring, std::byte{0})) clean = false;
      // Who is up there may not be up here yet: then it waits, or it is lost.
      a.transport->write(2, kRing, 0, source.first(8), false);
      return both_up();
    }));
    EXPECT(clean);
    EXPECT_EQ(a.count(kDown, 2), round);
    a.transport->write(2, kRing, 0, source, true);
    EXPECT(rig.run({&a, &b}, [&] { return is_filled(ring, std::byte{7}); }));
  }
}

TEST_ON_ALL(another_incarnation_closes_and_shows) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes ring = rig.memory(4096), source = rig.memory(4096);
  EXPECT(is_ok(b.transport->grant(1, kRing, ring)));
  rig.settle({&a, &b});
  a.transport->write(2, kRing, 0, source, true);
  a.transport->renew(77);
  EXPECT_EQ(a.transport->backlog(2), 0u);
  EXPECT(rig.run({&a, &b}, [&] { return a.count(kUp, 2) == 2 && b.count(kUp, 1) == 2; }));
  EXPECT_EQ(a.count(kDown, 2), 1u);
  EXPECT_EQ(b.count(kDown, 1), 1u);
  EXPECT_EQ(b.events.back().incarnation, 77u);
}

TEST_ON_ALL(a_forgotten_peer_stays_away) {
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes row = rig.memory(8);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  rig.settle({&a, &b});
  b.transport->forget_peer(1);
  EXPECT(rig.run({&a, &b}, [&] { return a.count(kDown, 2) == 1; }));
  a.write(2, kRow, 0, 1);
  rig.settle({&a, &b});
  EXPECT_EQ(a.count(kUp, 2), 1u);
  EXPECT_EQ(cell(row), 0u);
  EXPECT(is_ok(b.transport->add_peer({1, a.host, a.port})));
  EXPECT(rig.run({&a, &b}, [&] { return a.count(kUp, 2) == 2; }));
}

TEST_ON_ALL(three_write_to_each_other) {
  RigNode a = rig.make(1), b = rig.make(2), c = rig.make(3);
  rig.connect({&a, &b, &c});
  RigNode* const nodes[] = {&a, &b, &c};
  // rows[i][j]: at i, written by j.
  MutableBytes rows[3][3];
  for (auto& of_one : rows)
    for (auto& row : of_one) row = rig.memory(4096);
  for (NodeId i = 1; i <= 3; i++)
    for (NodeId j = 1; j <= 3; j++)
      if (i != j) EXPECT(is_ok(nodes[i - 1]->transport->grant(j, kRow, rows[i - 1][j - 1])));
  rig.settle({&a, &b, &c});
  for (uint64_t round = 1; round <= 500; round++) {
    const std::vector<uint64_t> cells(512, round);
    for (NodeId i = 1; i <= 3; i++)
      for (NodeId j = 1; j <= 3; j++)
        if (i != j)
          nodes[j - 1]->transport->write(i, kRow, 0, std::as_bytes(std::span(cells)), false);
    if (round % 50 != 0) continue;
    EXPECT(rig.run({&a, &b, &c}, [&] {
      for (NodeId i = 0; i < 3; i++)
        for (NodeId j = 0; j < 3; j++)
          if (i != j && (cell(rows[i][j]) != round || cell(rows[i][j], 4088) != round))
            return false;
      return true;
    }));
  }
}

// One that is gone without a word shows as a lost peer, and the others go on.
TEST_ON_ALL(a_lost_peer_is_told_and_comes_back) {
  RigNode a = rig.make(1), b = rig.make(2), c = rig.make(3);
  rig.connect({&a, &b, &c});
  const MutableBytes row = rig.memory(8);
  EXPECT(is_ok(a.transport->grant(3, kRow, row)));
  rig.settle({&a, &b, &c});
  b.transport.reset();
  EXPECT(rig.run({&a, &c}, [&] { return a.count(kDown, 2) == 1 && c.count(kDown, 2) == 1; }));
  a.write(2, kRow, 0, 1);
  EXPECT_EQ(a.transport->backlog(2), 0u);
  c.write(1, kRow, 0, 5);
  EXPECT(rig.run({&a, &c}, [&] { return cell(row) == 5; }));
  RigNode again = rig.make(2);
  rig.introduce(a, again);
  EXPECT(rig.run({&a, &c, &again}, [&] { return a.count(kUp, 2) == 2; }));
  EXPECT_EQ(a.count(kDown, 3), 0u);
}

TEST_ON_ALL(a_write_ends_a_wait) {
  if (rig.is_simulated()) return;  // there is no waiting in virtual time
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  const MutableBytes row = rig.memory(8);
  const MutableBytes answer = rig.memory(8);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  EXPECT(is_ok(a.transport->grant(2, kRow, answer)));
  rig.settle({&a, &b});
  constexpr uint64_t kRounds = 60;
  constexpr Nanos kLong = 20'000'000'000;
  std::thread other([&] {
    for (uint64_t seen = 0; seen < kRounds;) {
      const uint64_t now = cell(row);
      if (now > seen) b.write(1, kRow, 0, seen = now);
      b.transport->poll(kLong, b.events);
    }
    for (int i = 0; i < 10; i++) b.transport->poll(1'000'000, b.events);
  });
  const Nanos begin = rig_now();
  for (uint64_t round = 1; round <= kRounds; round++) {
    a.write(2, kRow, 0, round);
    while (cell(answer) != round && rig_now() - begin < 3 * kLong)
      a.transport->poll(kLong, a.events);
  }
  other.join();
  EXPECT_EQ(cell(answer), kRounds);
  // No round had to wait for its time to be over.
  EXPECT(rig_now() - begin < kLong);
}

TEST_ON_ALL(a_wait_is_ended_from_another_thread) {
  if (rig.is_simulated()) return;
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  rig.settle({&a, &b});
  constexpr Nanos kLong = 20'000'000'000;
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done.load()) {
      a.transport->wake_self();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  const Nanos begin = rig_now();
  for (int i = 0; i < 10; i++) a.transport->poll(kLong, a.events);
  done.store(true);
  other.join();
  EXPECT(rig_now() - begin < kLong);
}

TEST_ON_ALL(a_killed_peer_is_told_and_its_successor_is_let_in) {
  if (rig.is_simulated()) return;
  RigNode a = rig.make_process(1);
  const MutableBytes row = rig.memory(8);
  for (size_t round = 0; round < 3; round++) {
    RigNode b = rig.make_process(2);
    rig.introduce(a, b);
    EXPECT(rig.run({&a, &b}, [&] { return a.count(kUp, 2) == round + 1 && b.count(kUp, 1) == 1; }));
    EXPECT(is_ok(b.transport->grant(1, kRow, row)));
    rig.settle({&a, &b});
    // In the middle of much.
    for (uint64_t i = 0; i < 300; i++) a.write(2, kRow, 0, i);
    static_cast<ProcessTransport&>(*b.transport).kill();
    EXPECT(rig.run({&a}, [&] { return a.count(kDown, 2) == round + 1; }));
    EXPECT_EQ(a.transport->backlog(2), 0u);
  }
}
