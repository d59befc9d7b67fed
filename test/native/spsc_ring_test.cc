// The rings between event loop and agent, with both threads.
#include "native/agent/spsc_ring.h"

#include <random>
#include <thread>
#include <vector>

#include "native/agent/row_ring.h"
#include "test/native/support/test.h"

using namespace freshet;

TEST(records_come_out_as_they_went_in) {
  SpscRing ring(1024);
  std::mt19937_64 random(test::seed(1));
  uint64_t written = 0;
  uint64_t read = 0;
  for (int round = 0; round < 20'000; round++) {
    if (random() % 2 == 0) {
      const size_t size = 8 + random() % (ring.body_max() - 8);
      std::byte* body = ring.reserve(static_cast<uint32_t>(1 + written % 7), size);
      if (body == nullptr) continue;
      std::memset(body, static_cast<int>(written & 0xff), size);
      ring.commit();
      written++;
    } else {
      uint32_t type;
      MutableBytes body;
      if (!ring.front(type, body)) {
        EXPECT_EQ(read, written);
        EXPECT(ring.empty());
        continue;
      }
      EXPECT_EQ(uint64_t{type}, 1 + read % 7);
      for (std::byte byte : body) EXPECT(byte == static_cast<std::byte>(read & 0xff));
      ring.pop();
      read++;
    }
  }
  EXPECT(read > 1000);
}

TEST(a_full_ring_refuses_and_takes_again_after_a_pop) {
  SpscRing ring(256);
  int count = 0;
  while (ring.reserve(1, 24) != nullptr) {
    ring.commit();
    count++;
  }
  EXPECT_EQ(count, 8);
  uint32_t type;
  MutableBytes body;
  EXPECT(ring.front(type, body));
  ring.pop();
  EXPECT(ring.reserve(1, 24) != nullptr);
}

TEST(an_empty_body_is_a_record) {
  SpscRing ring(256);
  EXPECT(ring.reserve(5, 0) != nullptr);
  ring.commit();
  uint32_t type = 0;
  MutableBytes body;
  EXPECT(ring.front(type, body));
  EXPECT_EQ(type, 5u);
  EXPECT_EQ(body.size(), 0u);
}

TEST(two_threads_share_a_ring) {
  SpscRing ring(4096);
  constexpr uint64_t kCount = 200'000;
  std::thread producer([&] {
    for (uint64_t i = 1; i <= kCount;) {
      const size_t size = 8 * (1 + i % 20);
      std::byte* body = ring.reserve(1, size);
      if (body == nullptr) {
        std::this_thread::yield();
        continue;
      }
      for (size_t at = 0; at < size; at += 8) std::memcpy(body + at, &i, sizeof i);
      ring.commit();
      i++;
    }
  });
  uint64_t expected = 1;
  bool right = true;
  while (expected <= kCount) {
    uint32_t type;
    MutableBytes body;
    if (!ring.front(type, body)) {
      std::this_thread::yield();
      continue;
    }
    right = right && body.size() == 8 * (1 + expected % 20);
    for (size_t at = 0; at < body.size(); at += 8) {
      uint64_t value;
      std::memcpy(&value, body.data() + at, sizeof value);
      right = right && value == expected;
    }
    ring.pop();
    expected++;
  }
  producer.join();
  EXPECT(right);
}

TEST(rows_cross_in_order_and_every_batch_is_announced) {
  RowRing ring(256);
  constexpr uint64_t kCount = 300'000;
  std::atomic<uint64_t> wakes{0};
  std::thread agent([&] {
    uint64_t next = 1;
    while (next <= kCount) {
      for (size_t room = ring.room(); room > 0 && next <= kCount; room--)
        ring.push(make_row(RowKind::kEvent, next++));
      if (ring.publish()) wakes.fetch_add(1);
      std::this_thread::yield();
    }
  });
  std::vector<double> out(100 * kRowWidth);
  uint64_t expected = 1;
  uint64_t woken = 0;
  bool right = true;
  while (expected <= kCount) {
    // Sleeps, as it were, until it is woken; a lost wake would hang here.
    while (wakes.load() == woken) std::this_thread::yield();
    woken++;
    size_t count;
    do {
      count = ring.drain(out.data(), 100);
      for (size_t i = 0; i < count; i++)
        right = right && out[i * kRowWidth + 1] == static_cast<double>(expected++);
    } while (count == 100);
  }
  agent.join();
  EXPECT(right);
}
