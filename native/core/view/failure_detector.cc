#include "native/core/view/failure_detector.h"

#include <algorithm>

namespace freshet {
namespace {

// Weights of a new sample, and deviations that are allowed for: those of TCP, with a wider margin,
// as a false suspicion costs a change of view and not one packet.
constexpr Nanos kIntervalWeight = 8;
constexpr Nanos kDeviationWeight = 4;
constexpr Nanos kDeviations = 8;
constexpr Nanos kIntervals = 3;  // lost in a row

}  // namespace

void FailureDetector::add(NodeId node, Nanos now) {
  Peer peer;
  peer.heard = peer.turned = now;
  peers_[node] = peer;
}

void FailureDetector::observe(NodeId node, uint64_t stamp, uint64_t loop_beat, Nanos now) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (loop_beat != peer.loop_beat) {
    peer.loop_beat = loop_beat;
    peer.turned = now;
  }
  if (stamp == 0 || stamp == peer.stamp) return;  // 0: its row is still to come
  const Nanos waited = now - peer.heard;
  if (peer.stamp != 0) {
    const Nanos error = waited - peer.interval;
    peer.interval += error / kIntervalWeight;
    peer.deviation += (std::max(error, -error) - peer.deviation) / kDeviationWeight;
  }
  peer.stamp = stamp;
  peer.heard = now;
}

bool FailureDetector::pass(Nanos now) {
  const bool paused = passed_ != 0 && now - passed_ > limits_.silence_min / 2;
  passed_ = now;
  if (!paused) return false;
  for (auto& [node, peer] : peers_) peer.heard = peer.turned = now;
  return true;
}

Nanos FailureDetector::patience(NodeId node) const {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return limits_.silence_min;
  const Peer& peer = found->second;
  return std::clamp(kIntervals * peer.interval + kDeviations * peer.deviation, limits_.silence_min,
                    limits_.silence_max);
}

bool FailureDetector::is_silent(NodeId node, Nanos now) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && now - found->second.heard > patience(node);
}

bool FailureDetector::has_loop_stopped(NodeId node, Nanos now) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && now - found->second.turned > limits_.loop_silence;
}

bool FailureDetector::is_heard_since(NodeId node, Nanos since) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.stamp != 0 && found->second.heard >= since;
}

bool FailureDetector::is_heard(NodeId node, Nanos now) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.stamp != 0 &&
         now - found->second.heard <= limits_.silence_min / 2;
}

}  // namespace freshet
