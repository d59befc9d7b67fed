// Whether bytes are a key, as platform/base/key.ts decides for all other doors.
//
// Thread: any; pure.
#ifndef FRESHET_AGENT_DOOR_KEY_CHECK_H_
#define FRESHET_AGENT_DOOR_KEY_CHECK_H_

#include <string_view>

#include "native/core/status.h"

namespace freshet::door {

inline constexpr size_t kKeySegmentsMax = 64;

// kInvalidKey: no UTF-8 (RFC 3629), no absolute path, with control characters, with an empty
// segment or one that a proxy could take for `.` or `..`, or with too many. kKeyTooLong.
Status check_key(std::string_view key);

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_KEY_CHECK_H_
