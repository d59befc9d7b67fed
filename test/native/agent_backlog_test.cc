// An agent whose peer does not take all that is sent to it.
#include <algorithm>

#include "native/agent/agent.h"
#include "test/native/support/idle_transport.h"
#include "test/native/support/test.h"

using namespace freshet;

namespace {

// Sends all that waits with the next poll, of which it says nothing.
class QuietTransport final : public test::IdleTransport {
 public:
  size_t backlog(NodeId) const override { return told_ = waits_; }
  int poll(Nanos timeout, std::vector<PeerEvent>&) override {
    if (timeout > 0) {
      sleeps++;
      if (told_ > 0) sleeps_unaware++;
      waits_ = 2 * kCongestedBytes;
      done = sleeps == 3;
    } else if (told_ > 0) {
      waits_ = 0;
    }
    return 0;
  }

  int sleeps = 0;
  int sleeps_unaware = 0;
  std::atomic<bool> done{false};

 private:
  size_t waits_ = 0;
  mutable size_t told_ = 0;
};

}  // namespace

TEST(an_agent_does_not_sleep_before_it_knows_that_a_peer_is_relieved) {
  QuietTransport transport;
  AgentShared shared;
  shared.wake_loop = [] {};
  AgentConfig config;
  config.node = 1;
  config.incarnation = 1;
  Nanos now = 1;
  config.now = [&] { return now += 1000; };
  config.wall = [] { return Micros{1'700'000'000'000'000}; };
  Agent agent(config, shared, transport, nullptr);
  EXPECT_EQ(agent.add_peer({2, "", 0}, std::make_shared<PeerView>()), Status::kOk);
  agent.run(transport.done);
  EXPECT_EQ(transport.sleeps, 3);
  EXPECT_EQ(transport.sleeps_unaware, 0);
}
