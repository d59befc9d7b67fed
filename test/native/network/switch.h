// Purpose: the switch that the cables of all hosts of a test end in. It learns where addresses are
// and
//   passes frames on, and every way from one host to another can be cut, made slow or made to lose
//   frames, each direction by itself. In user space, since a kernel may lack netem and packet
//   filters.
// Thread: one, which calls everything.
// Invariants
//  1. Frames of one way leave in the order they came.
//  2. While a way is cut nothing of it arrives, also nothing that was under way.
#pragma once

#include <time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace freshet::network {

using Clock = std::chrono::steady_clock;

// What happens to the frames from one host to another.
struct Way {
  bool cut = false;
  std::chrono::microseconds delay{0};
  uint32_t loss_per_mille = 0;
};

class Switch {
 public:
  // Interfaces of this network namespace, one a host, in the order in which hosts are counted. Ends
  // the process with a sentence if one cannot be opened. `seed` draws the frames that are lost.
  Switch(const std::vector<std::string>& interfaces, uint64_t seed);
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  size_t hosts() const { return ports_.size(); }
  void set_way(size_t from, size_t to, const Way& way);

  // Waits for frames, for delayed ones to become due, or for input on `control`; passes on what
  // there is. True: `control` can be read.
  bool run_once(int control);

 private:
  struct Frame {
    std::vector<std::byte> bytes;
    Clock::time_point due;
  };
  struct Line {
    Way way;
    std::deque<Frame> under_way;
  };

  Line& line(size_t from, size_t to) { return lines_[from * ports_.size() + to]; }
  void receive(size_t from);
  void pass_on(size_t from, size_t to, const std::byte* bytes, size_t size);
  void send_due(Clock::time_point now);
  void send(size_t to, const std::byte* bytes, size_t size) const;
  std::optional<timespec> time_to_next(Clock::time_point now) const;

  std::vector<int> ports_;
  std::vector<Line> lines_;
  std::map<uint64_t, size_t> places_;  // port by hardware address
  std::vector<std::byte> buffer_;
  std::minstd_rand random_;
};

}  // namespace freshet::network
