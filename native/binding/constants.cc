// statusNames and limits: defined once in C++, read at load.
#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

struct Limit {
  const char* name;
  double value;
};

constexpr Limit kLimits[] = {
    {"protocolVersion", kProtocolVersion},
    {"diskFormat", kDiskFormat},
    {"membersMax", kMembersMax},
    {"peersMax", kPeersMax},
    {"shardsMax", kShardsMax},
    {"keySizeMax", kKeySizeMax},
    {"metaSizeMax", kMetaSizeMax},
    {"valueSizeMax", kValueSizeMax},
    {"messageSizeMax", kPairMessageMax},
    {"recordAlignment", kRecordAlignment},
    {"recordHeaderSize", sizeof(RecordHeader)},
    {"ringSizeMin", kRingSizeMin},
    {"ringSizeMax", kRingSizeMax},
    {"ringInlineDivisor", kRingInlineDivisor},
    {"blockSizeMin", kBlockSizeMin},
    {"blockSizeMax", kBlockSizeMax},
    {"blockSizeDefault", kBlockSizeDefault},
    {"segmentSize", kSegmentSize},
    {"readersMax", kReadersMax},
    {"subscriptionsMax", kSubscriptionsMax},
    {"sessionsMax", kSessionsMax},
    {"sessionWindow", kSessionWindow},
    {"poolsMax", kPoolsMax},
    {"borrowThreshold", kBorrowThreshold},
    {"outstandingMax", kOutstandingMax},
    {"jobsMax", kJobsMax},
    {"sharedRecordMin", kSharedRecordMin},
    {"scanBytesMax", kScanBytesMax},
    {"logBytesMax", kLogBytesMax},
    {"pieceBytesMax", kPieceBytesMax},
    {"wholeRecordMax", kWholeRecordMax},
};

}  // namespace

void init_constants(napi_env env, napi_value exports) {
  const char* names[] = {
#define FRESHET_STATUS_TEXT(name, number, text) text,
      FRESHET_STATUS_CODES(FRESHET_STATUS_TEXT)
#undef FRESHET_STATUS_TEXT
  };
  napi_value list;
  napi_create_array(env, &list);
  uint32_t index = 0;
  for (const char* name : names) {
    napi_value text;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, list, index++, text);
  }
  napi_object_freeze(env, list);
  napi_set_named_property(env, exports, "statusNames", list);

  napi_value limits;
  napi_create_object(env, &limits);
  for (const auto& [name, value] : kLimits)
    napi_set_named_property(env, limits, name, make_number(env, value));
  napi_object_freeze(env, limits);
  napi_set_named_property(env, exports, "limits", limits);
}

}  // namespace freshet::binding
