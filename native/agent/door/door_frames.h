// What a client and a member say to each other at the native door, byte for byte; "The native door"
// in native/README.md says what it means.
//
// Numbers that may exceed 32 bits are float64 that hold safe integers, which JavaScript reads
// and writes fast and exactly. NaN: none. Little endian.
//
// Thread: none; plain data.
#ifndef FRESHET_AGENT_DOOR_DOOR_FRAMES_H_
#define FRESHET_AGENT_DOOR_DOOR_FRAMES_H_

#include <array>
#include <cstdint>

#include "native/core/limits.h"

namespace freshet::door {

inline constexpr uint32_t kDoorProtocol = 1;
inline constexpr double kNumberMax = 9007199254740991.0;  // the largest safe integer
inline constexpr std::array<char, 8> kDoorMagic = {'f', 'r', 'e', 's', 'h', 'e', 't', 'd'};
inline constexpr size_t kTicketSize = 64;
inline constexpr size_t kNonceSize = 32;
inline constexpr size_t kProofSize = 32;

enum class FrameType : uint8_t {
  // Handshake.
  kHello = 1,
  kChallenge = 2,
  kProof = 3,
  kWelcome = 4,
  kRefused = 5,  // flags: a Status
  // Of a client.
  kSession = 15,
  kChange = 16,  // flags: kind | ack << 4
  kGet = 17,     // flags: a ReadLevel
  kWatch = 18,   // flags: 1: only what is persisted
  kUnwatch = 19,
  kCredit = 20,
  kTrigger = 21,
  // Of a member.
  kDone = 32,    // flags: a Status
  kObject = 33,  // flags: kObjectRemoved, kObjectHasValue
  kEvent = 34,   // flags: a RecordKind
  kWatching = 35,
  kEnded = 36,  // flags: a Status
  kView = 37,
};

enum class ReadLevel : uint8_t { kLocal = 0, kStable = 1, kLinearizable = 2 };

inline constexpr uint8_t kObjectRemoved = 1;
inline constexpr uint8_t kObjectHasValue = 2;
inline constexpr uint16_t kMayRead = 1;
inline constexpr uint16_t kMayChange = 2;

struct FrameHead {
  uint32_t size;  // bytes of the frame after this field
  FrameType type;
  uint8_t flags;
  uint16_t key_length;
};
static_assert(sizeof(FrameHead) == 8);

struct Ticket {
  uint16_t format;  // 1
  uint16_t rights;
  uint32_t reserved;
  double expires;  // µs since 1970
  std::array<std::byte, 16> id;
  std::array<std::byte, 32> mac;
};
static_assert(sizeof(Ticket) == kTicketSize);

struct HelloFrame {
  FrameHead head;
  std::array<char, 8> magic;
  uint32_t protocol;
  uint32_t node;  // that is dialled
  std::array<std::byte, 16> cluster;
  std::array<std::byte, kNonceSize> nonce;
  Ticket ticket;
};
static_assert(sizeof(HelloFrame) == 136);

struct ChallengeFrame {
  FrameHead head;
  std::array<std::byte, kNonceSize> nonce;
  std::array<std::byte, kProofSize> proof;
};
static_assert(sizeof(ChallengeFrame) == 72);

struct ProofFrame {
  FrameHead head;
  std::array<std::byte, kProofSize> proof;
};
static_assert(sizeof(ProofFrame) == 40);

struct WelcomeFrame {
  FrameHead head;
  double view;
  uint32_t requests_max;
  uint32_t bytes_max;
};
static_assert(sizeof(WelcomeFrame) == 24);

// kSession: the session id. kUnwatch: the watch. kWatching: see there. kView: the view.
struct NumberFrame {
  FrameHead head;
  double number;
};
static_assert(sizeof(NumberFrame) == 16);

// Then the extra if it has one, key, meta and value.
struct ChangeFrame {
  FrameHead head;
  double number;
  uint32_t shard;
  uint32_t pool;
  uint32_t value_length;
  uint16_t meta_length;
  uint16_t has_extra;
  double request;  // 0: of no session
  double lowest_unanswered;
};
static_assert(sizeof(ChangeFrame) == 48);

struct ChangeExtra {
  double event_time;
  double version;  // that is expected; -1: any
  double version_of_key;
  double epoch;
};
static_assert(sizeof(ChangeExtra) == 32);

// Then key, meta and value.
struct TriggerFrame {
  FrameHead head;
  double number;
  double event_time;  // NaN: none
  uint32_t pool;
  uint32_t value_length;
  uint16_t meta_length;
  std::array<uint16_t, 3> reserved;
};
static_assert(sizeof(TriggerFrame) == 40);

// Then the key.
struct GetFrame {
  FrameHead head;
  double number;
  uint32_t shard;
  uint8_t point;  // ReadPoint::Kind
  uint8_t wants_value;
  uint16_t reserved;
  double value;  // of the point
};
static_assert(sizeof(GetFrame) == 32);

// Then the prefix.
struct WatchFrame {
  FrameHead head;
  double number;
  uint32_t shard;
  uint32_t reserved;
  double from;   // first version that is wanted; NaN: from now on
  double epoch;  // of the version before it; 0: not known
  double credit;
};
static_assert(sizeof(WatchFrame) == 48);

struct CreditFrame {
  FrameHead head;
  double number;
  double credit;  // events in all since the watch was asked for
};
static_assert(sizeof(CreditFrame) == 24);

struct DoneFrame {
  FrameHead head;
  double number;
  double epoch;
  double version;
  double time;
  double previous_version_of_key;
};
static_assert(sizeof(DoneFrame) == 48);

// kObject, then meta and value; kEvent, then key, meta and value.
struct RecordFrame {
  FrameHead head;
  double number;
  double version;
  double epoch;  // kEvent, 0: a gap, everything below the version was pruned
  double time;
  double event_time;
  double previous_version_of_key;
  uint32_t value_length;  // kObject: the object's size, whether the value comes or not
  uint16_t meta_length;
  uint16_t reserved;
};
static_assert(sizeof(RecordFrame) == 64);

// kWatching: versions from `from` on are told.
struct WatchingFrame {
  FrameHead head;
  double number;
  double from;
};
static_assert(sizeof(WatchingFrame) == 24);

// The largest frame of a client: its value goes as a whole.
inline constexpr size_t kFrameSizeMax = sizeof(ChangeFrame) + sizeof(ChangeExtra) + kWholeRecordMax;

// A frame's head as it is sent, for a frame of `whole` bytes.
constexpr FrameHead make_head(FrameType type, size_t whole, uint8_t flags = 0,
                              uint16_t key_length = 0) {
  return {static_cast<uint32_t>(whole - sizeof(uint32_t)), type, flags, key_length};
}

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_DOOR_FRAMES_H_
