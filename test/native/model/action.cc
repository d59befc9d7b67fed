#include "test/native/model/action.h"

#include <string_view>

namespace freshet::model {
namespace {

constexpr std::array<std::string_view, kKinds> kNames = {
    "tick",           "arrive",         "heartbeat",
    "send",           "receive",        "deliver",
    "persist",        "show",           "start-read",
    "finish-read",    "suspect",        "share-suspicion",
    "drop-lease",     "new-attempt",    "join-attempt",
    "propose",        "acknowledge",    "release",
    "trim",           "copy-trim",      "deliver-trim",
    "prepare",        "commit",         "install",
    "crash",          "boot",           "meet",
    "restart-fill",   "restart-adopt",  "restart-prepare",
    "restart-commit", "abandon-restart"};

constexpr std::array<std::string_view, kChanges> kChangeNames = {
    "remove the suspected", "join the view",  "join the shard",
    "leave the shard",      "leave the view", "all blank ones join, not"};

std::string set_text(Mask set) {
  std::string text = "{";
  for (int node = 0; node < kNodes; node++) {
    if (!has(set, node)) continue;
    if (text.size() > 1) text += ',';
    text += std::to_string(node);
  }
  return text + "}";
}

}  // namespace

std::string text_of(const Action& action) {
  const std::string name(kNames[static_cast<size_t>(action.kind)]);
  const std::string a = std::to_string(action.a);
  const std::string b = std::to_string(action.b);
  const std::string c = std::to_string(action.c);
  switch (action.kind) {
    case Kind::kTick:
      return action.a == kNodes ? name : name + ", the clock of " + a + " lags";
    case Kind::kArrive:
      return name + " " + a + " -> " + b;
    case Kind::kReceive:
      return a + " " + name + " from " + b;
    case Kind::kSuspect:
    case Kind::kRelease:
      return a + " " + name + " " + b;
    case Kind::kPropose:
      return a + " " + name + ": " + std::string(kChangeNames[action.b]) +
             (action.b == 0 ? "" : " " + c);
    case Kind::kMeet:
      return set_text(action.b) + " " + name;
    default:
      return a + " " + name;
  }
}

}  // namespace freshet::model
