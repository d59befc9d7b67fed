// Decides for one record whether it passes a query's filter. The byte format is normative in
// platform/expression/native-program.ts (version 1): a stack machine without jumps, verified once,
// then unable to fail.
//
// Thread: none; a program does not change once parsed.
#ifndef FRESHET_CORE_FILTER_PROGRAM_H_
#define FRESHET_CORE_FILTER_PROGRAM_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

class FilterProgram {
 public:
  static constexpr size_t kSizeMax = 4096;
  static constexpr size_t kStackMax = 32;

  // What a program can look at.
  struct Record {
    std::string_view key;
    Version version = 0;
    Micros time = 0;
    Micros event_time = kNoTime;
    uint64_t size = 0;
  };

  // kInvalidQuery: the bytes are no program. Linear in their length.
  static Status parse(Bytes bytes, FilterProgram& out);
  bool passes(const Record& record) const;

 private:
  enum class Op : uint8_t {
    kField = 0x01,
    kNumber = 0x02,
    kText = 0x03,
    kEq = 0x10,
    kNe = 0x11,
    kLt = 0x12,
    kLe = 0x13,
    kGt = 0x14,
    kGe = 0x15,
    kStartsWith = 0x16,
    kEndsWith = 0x17,
    kContains = 0x18,
    kAnd = 0x20,
    kOr = 0x21,
    kNot = 0x22,
  };
  enum class Type : uint8_t { kNumber, kText, kBoolean };
  struct Instruction {
    Op op;
    Type operands;      // of operators: what they compare
    uint8_t field = 0;  // 0 key, 1 version, 2 time, 3 event time, 4 size
    double number = 0;
    std::string text;
  };
  struct Entry {
    double number;
    std::string_view text;
    bool boolean;
  };

  static size_t decode(Bytes bytes, Instruction& out);
  static bool check(Instruction& instruction, std::vector<Type>& stack);
  static void push(const Instruction& instruction, const Record& record, Entry& out);
  static bool relate(const Instruction& instruction, const Entry& left, const Entry& right);

  std::vector<Instruction> instructions_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_FILTER_PROGRAM_H_
