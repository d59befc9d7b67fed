// Subscriptions against a model: every matching version once, in order, never above the frontier.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "native/core/store/store.h"
#include "native/core/xxh3.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;
using Frontier = Store::SubscriptionFrontier;

namespace {

struct Subscriber {
  std::string prefix;
  Version from;
  Frontier frontier;
  std::vector<Version> heard;
};

}  // namespace

TEST(everyone_hears_every_matching_version_once_and_in_order) {
  std::mt19937_64 random(seed(1));
  Store store({.shard = 1, .persistent = true});
  Feeder feed(store);
  (void)feed.pool(1);
  std::map<uint64_t, Subscriber> live;
  std::vector<Subscriber> done;
  std::vector<std::string> keys{""};  // by version
  const std::string prefixes[] = {"/", "/a", "/a/b", "/a/b/", "/a/c", "/b", "/a/b/c/d"};
  uint64_t next_id = 1;
  Version persisted = 0;
  std::vector<SubscriptionEvent> events;
  const auto collect = [&](size_t max) {
    events.clear();
    const bool more = store.collect_events(events, max);
    EXPECT(events.size() <= max);
    for (const SubscriptionEvent& event : events) {
      Subscriber& subscriber = live.at(event.subscription);
      if (subscriber.frontier == Frontier::kPersisted) EXPECT(event.version <= persisted);
      subscriber.heard.push_back(event.version);
    }
    return more;
  };
  for (int step = 0; step < 30'000; step++) {
    const uint64_t what = random() % 100;
    if (what < 80) {
      const std::string key = prefixes[random() % 7] + "/x" + std::to_string(random() % 20);
      keys.push_back(key);
      if (what < 10) {
        (void)feed.trigger(key, "t");
      } else {
        (void)feed.put(key, "v");
      }
    } else if (what < 90) {
      (void)collect(random() % 30);
    } else if (what < 95) {
      persisted += random() % (store.newest_version() - persisted + 1);
      store.publish_persisted(persisted);
    } else if (what < 97 && live.size() < 40) {
      const Version from = 1 + random() % (keys.size() + 5);
      const Subscriber made{prefixes[random() % 7],
                            from,
                            random() % 2 == 0 ? Frontier::kDelivered : Frontier::kPersisted,
                            {}};
      EXPECT(is_ok(store.subscribe(next_id, made.prefix, from, made.frontier)));
      live[next_id++] = made;
    } else if (what == 99 && !live.empty() && random() % 3 == 0) {
      store.unsubscribe(live.begin()->first);
      live.erase(live.begin());
    }
  }
  persisted = store.newest_version();
  store.publish_persisted(persisted);
  while (collect(1000)) {
  }
  EXPECT(live.size() > 5);
  for (const auto& [id, subscriber] : live) {
    std::vector<Version> expected;
    for (Version version = subscriber.from; version < keys.size(); version++) {
      if (keys[version].starts_with(subscriber.prefix)) expected.push_back(version);
    }
    EXPECT_EQ(subscriber.heard.size(), expected.size());
    EXPECT(subscriber.heard == expected);
  }
}

TEST(a_queue_that_runs_over_loses_nothing) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 0);
  EXPECT(is_ok(store.subscribe(5, "/", 1, Frontier::kDelivered)));
  std::vector<SubscriptionEvent> events;
  (void)store.collect_events(events, 10);
  const Version count = kEventQueueMax * 2 + 77;
  for (Version i = 0; i < count; i++) (void)feed.put("/k" + std::to_string(i % 500), "v");
  while (store.collect_events(events, 5000)) {
  }
  EXPECT_EQ(events.size(), count);
  for (size_t i = 0; i < events.size(); i++) EXPECT_EQ(events[i].version, i + 1);
}

TEST(events_outside_a_share_are_quiet_and_none_is_missing) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 0);
  std::vector<SubscriptionEvent> events;
  const auto collect = [&] {
    while (store.collect_events(events, 5000)) {
    }
  };
  const Version count = 300;
  const auto key = [](Version version) { return "/k" + std::to_string(version % 40); };
  for (Version i = 0; i < count; i++) (void)feed.put(key(i), "v");
  // One that catches up from the slots, one that hears of everything as it comes.
  for (uint32_t rank = 0; rank < 3; rank++) {
    const EventShare share{rank, 3};
    EXPECT(is_ok(store.subscribe(rank, "/", 1, Frontier::kDelivered, nullptr, share)));
  }
  EXPECT(is_ok(store.subscribe(9, "/", 1, Frontier::kDelivered)));
  collect();
  for (Version i = 0; i < count; i++) (void)feed.put(key(i), "v");
  collect();
  std::map<uint64_t, std::vector<SubscriptionEvent>> heard;
  for (const SubscriptionEvent& event : events) heard[event.subscription].push_back(event);
  for (const auto& [id, of_one] : heard) {
    EXPECT_EQ(of_one.size(), 2 * count);
    for (size_t i = 0; i < of_one.size(); i++) {
      EXPECT_EQ(of_one[i].version, i + 1);
      const bool quiet = id != 9 && xxh3_64(key(i % count)) % 3 != id;
      EXPECT_EQ(of_one[i].quiet, quiet);
    }
  }
}

TEST(versions_that_were_pruned_before_they_were_heard_are_told_as_a_gap) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  EXPECT(is_ok(store.subscribe(5, "/", 1, Frontier::kDelivered)));
  std::vector<SubscriptionEvent> events;
  (void)store.collect_events(events, 10);
  const Version count = kEventQueueMax * 2 + 77;
  for (Version i = 0; i < count; i++) (void)feed.put("/k" + std::to_string(i % 500), "v");
  while (store.collect_events(events, 5000)) {
  }
  EXPECT(!events.empty() && events[0].epoch == 0);
  Version next = 0;
  for (const SubscriptionEvent& event : events) {
    EXPECT(event.epoch == 0 ? event.version > next : event.version == next);
    next = event.epoch == 0 ? event.version : next + 1;
  }
  EXPECT_EQ(next, count + 1);
}

TEST(a_start_that_is_gone_is_refused_with_the_lowest_one) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  for (int i = 0; i < 2000; i++) (void)feed.put("/k", "v");
  Version from_min = 0;
  EXPECT(store.subscribe(1, "/", 1, Frontier::kDelivered, &from_min) == Status::kCompacted);
  EXPECT(from_min > 1000);
  EXPECT(is_ok(store.subscribe(1, "/", from_min, Frontier::kDelivered)));
  EXPECT(store.subscribe(1, "/", from_min, Frontier::kDelivered) == Status::kInvalidArgument);
}

// A record that was applied before the subscription and synced after it belongs to both sides of a
// frontier that moves in between: it must be heard, by the newcomer and by those that were there.
TEST(what_was_applied_before_and_persisted_after_a_subscription_is_heard) {
  Store store({.shard = 1, .persistent = true});
  Feeder feed(store);
  (void)feed.pool(1);
  std::vector<SubscriptionEvent> events;
  EXPECT(is_ok(store.subscribe(1, "/a", 1, Frontier::kPersisted)));
  (void)store.collect_events(events, 100);
  (void)feed.put("/a/1", "v");
  (void)feed.put("/a/2", "v");
  EXPECT(is_ok(store.subscribe(2, "/a", 1, Frontier::kPersisted)));
  (void)store.collect_events(events, 100);
  EXPECT_EQ(events.size(), size_t{0});
  (void)feed.put("/a/3", "v");
  for (Version persisted = 1; persisted <= 3; persisted++) {
    store.publish_persisted(persisted);
    (void)store.collect_events(events, 100);
  }
  std::map<uint64_t, std::vector<Version>> heard;
  for (const SubscriptionEvent& event : events) heard[event.subscription].push_back(event.version);
  const std::vector<Version> all{1, 2, 3};
  EXPECT(heard[1] == all);
  EXPECT(heard[2] == all);
}

// A volatile store forgets, and who is filled from it gets what is left: those who were subscribed
// before hear of what is missing like those who come later.
TEST(what_was_pruned_before_it_came_here_is_told_as_a_gap) {
  Store donor({.shard = 1});
  Feeder feed(donor);
  (void)feed.pool(1, 1);
  for (const char* key : {"/a", "/b", "/a", "/c", "/a"}) (void)feed.put(key, "v");
  Store store({.shard = 1});
  std::vector<SubscriptionEvent> events;
  EXPECT(is_ok(store.subscribe(1, "/", 1, Frontier::kDelivered)));
  (void)store.collect_events(events, 10);
  std::vector<std::byte> log(4096);
  size_t used = 0;
  LogPosition last;
  EXPECT(is_ok(donor.read_log({}, log, used, last)));
  for (size_t at = 0; at < used; at += RecordView(log.data() + at).size())
    EXPECT(is_ok(store.restore(RecordView(log.data() + at), std::nullopt)));
  const auto collect = [&] {
    while (store.collect_events(events, 100)) {
    }
  };
  collect();
  EXPECT(is_ok(store.subscribe(2, "/", 1, Frontier::kDelivered)));
  collect();
  using Heard = std::vector<std::pair<Version, bool>>;  // whether it tells a gap
  std::map<uint64_t, Heard> heard;
  for (const SubscriptionEvent& event : events)
    heard[event.subscription].push_back({event.version, event.epoch == 0});
  const Heard all{{2, true}, {2, false}, {4, true}, {4, false}, {5, false}};
  EXPECT(heard[1] == all);
  EXPECT(heard[2] == all);
  for (const Version version : {Version{2}, Version{4}, Version{5}})
    EXPECT_EQ(store.epoch_of(version), feed.epoch);
  EXPECT_EQ(store.epoch_of(6), 0u);
}
