#include "native/core/filter_program.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace freshet {
namespace {

constexpr uint8_t kFieldCount = 5;

bool is_continuation(std::byte byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

// Well-formed UTF-8 as in Unicode, table 3-7: no overlong forms, no surrogates, up to U+10FFFF.
bool is_utf8(Bytes text) {
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<uint8_t>(text[at]);
    if (lead < 0x80) {
      at++;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - at < length) return false;
    for (size_t i = 1; i < length; i++)
      if (!is_continuation(text[at + i])) return false;
    const auto second = static_cast<uint8_t>(text[at + 1]);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
      return false;
    at += length;
  }
  return true;
}

}  // namespace

Status FilterProgram::parse(Bytes bytes, FilterProgram& out) {
  out.instructions_.clear();
  if (bytes.empty() || bytes.size() > kSizeMax) return Status::kInvalidQuery;
  std::vector<Type> stack;
  while (!bytes.empty()) {
    Instruction instruction = {};
    const size_t size = decode(bytes, instruction);
    if (size == 0 || !check(instruction, stack) || stack.size() > kStackMax)
      return Status::kInvalidQuery;
    bytes = bytes.subspan(size);
    out.instructions_.push_back(std::move(instruction));
  }
  return stack.size() == 1 && stack[0] == Type::kBoolean ? Status::kOk : Status::kInvalidQuery;
}

// Returns the instruction's size, 0 if there is none.
size_t FilterProgram::decode(Bytes bytes, Instruction& out) {
  out.op = static_cast<Op>(bytes[0]);
  switch (out.op) {
    case Op::kField:
      if (bytes.size() < 2) return 0;
      out.field = static_cast<uint8_t>(bytes[1]);
      return out.field < kFieldCount ? 2 : 0;
    case Op::kNumber:
      if (bytes.size() < 9) return 0;
      std::memcpy(&out.number, bytes.data() + 1, sizeof out.number);
      return 9;
    case Op::kText: {
      if (bytes.size() < 3) return 0;
      uint16_t length;
      std::memcpy(&length, bytes.data() + 1, sizeof length);
      if (bytes.size() - 3 < length || !is_utf8(bytes.subspan(3, length))) return 0;
      out.text.assign(reinterpret_cast<const char*>(bytes.data()) + 3, length);
      return size_t{3} + length;
    }
    case Op::kEq:
    case Op::kNe:
    case Op::kLt:
    case Op::kLe:
    case Op::kGt:
    case Op::kGe:
    case Op::kStartsWith:
    case Op::kEndsWith:
    case Op::kContains:
    case Op::kAnd:
    case Op::kOr:
    case Op::kNot:
      return 1;
  }
  return 0;
}

bool FilterProgram::check(Instruction& instruction, std::vector<Type>& stack) {
  switch (instruction.op) {
    case Op::kField:
      stack.push_back(instruction.field == 0 ? Type::kText : Type::kNumber);
      return true;
    case Op::kNumber:
      stack.push_back(Type::kNumber);
      return true;
    case Op::kText:
      stack.push_back(Type::kText);
      return true;
    case Op::kNot:
      return !stack.empty() && stack.back() == Type::kBoolean;
    default:
      break;
  }
  if (stack.size() < 2) return false;
  const Type right = stack.back();
  stack.pop_back();
  if (stack.back() != right) return false;
  instruction.operands = right;
  stack.back() = Type::kBoolean;
  if (instruction.op == Op::kAnd || instruction.op == Op::kOr) return right == Type::kBoolean;
  const bool of_text = instruction.op >= Op::kStartsWith && instruction.op <= Op::kContains;
  return right == Type::kText || (right == Type::kNumber && !of_text);
}

bool FilterProgram::passes(const Record& record) const {
  Entry stack[kStackMax];
  size_t depth = 0;
  for (const Instruction& instruction : instructions_) {
    if (instruction.op <= Op::kText) {
      push(instruction, record, stack[depth++]);
    } else if (instruction.op == Op::kNot) {
      stack[depth - 1].boolean = !stack[depth - 1].boolean;
    } else {
      depth--;
      stack[depth - 1].boolean = relate(instruction, stack[depth - 1], stack[depth]);
    }
  }
  return depth == 1 && stack[0].boolean;
}

void FilterProgram::push(const Instruction& instruction, const Record& record, Entry& out) {
  out = {instruction.number, instruction.text, false};
  if (instruction.op != Op::kField) return;
  switch (instruction.field) {
    case 0:
      out.text = record.key;
      return;
    case 1:
      out.number = static_cast<double>(record.version);
      return;
    case 2:
      out.number = static_cast<double>(record.time);
      return;
    case 3:
      out.number = record.event_time == kNoTime ? std::numeric_limits<double>::quiet_NaN()
                                                : static_cast<double>(record.event_time);
      return;
    default:
      out.number = static_cast<double>(record.size);
  }
}

bool FilterProgram::relate(const Instruction& instruction, const Entry& left, const Entry& right) {
  const bool text = instruction.operands == Type::kText;
  // string_view compares as unsigned bytes, the shorter first: the order of the format.
  const double a = text ? left.text.compare(right.text) : left.number;
  const double b = text ? 0 : right.number;
  switch (instruction.op) {
    case Op::kEq:
      return a == b;
    case Op::kNe:
      return a != b;
    case Op::kLt:
      return a < b;
    case Op::kLe:
      return a <= b;
    case Op::kGt:
      return a > b;
    case Op::kGe:
      return a >= b;
    case Op::kStartsWith:
      return left.text.starts_with(right.text);
    case Op::kEndsWith:
      return left.text.ends_with(right.text);
    case Op::kContains:
      return left.text.find(right.text) != std::string_view::npos;
    case Op::kAnd:
      return left.boolean && right.boolean;
    default:
      return left.boolean || right.boolean;
  }
}

}  // namespace freshet
