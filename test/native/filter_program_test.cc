// Filter programs: the examples of the format, refusals, and random bytes.
#include "native/core/filter_program.h"

#include <cstring>
#include <limits>
#include <random>

#include "test/native/support/test.h"

using namespace freshet;

namespace {

// Builds programs byte by byte.
struct Program {
  std::vector<std::byte> bytes;

  Program& op(uint8_t code) {
    bytes.push_back(static_cast<std::byte>(code));
    return *this;
  }
  Program& field(uint8_t number) { return op(0x01).op(number); }
  Program& number(double value) {
    op(0x02);
    const Bytes raw = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return *this;
  }
  Program& text(std::string_view value) {
    op(0x03).op(static_cast<uint8_t>(value.size())).op(static_cast<uint8_t>(value.size() >> 8));
    const Bytes raw = std::as_bytes(std::span(value));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return *this;
  }
  Status parse() const {
    FilterProgram program;
    return FilterProgram::parse(bytes, program);
  }
  bool passes(const FilterProgram::Record& record) const {
    FilterProgram program;
    EXPECT(is_ok(FilterProgram::parse(bytes, program)));
    return program.passes(record);
  }
};

constexpr uint8_t kEq = 0x10, kNe = 0x11, kLt = 0x12, kLe = 0x13, kGt = 0x14, kGe = 0x15;
constexpr uint8_t kStarts = 0x16, kEnds = 0x17, kContains = 0x18, kAnd = 0x20, kOr = 0x21,
                  kNot = 0x22;
const FilterProgram::Record kRecord{"/dairy/yield/cow_128", 7, 1000, kNoTime, 42};

}  // namespace

TEST(keys_and_numbers_are_compared) {
  EXPECT(Program().field(0).text("/cow_128").op(kEnds).passes(kRecord));
  EXPECT(!Program().field(0).text("/cow_12").op(kEnds).passes(kRecord));
  EXPECT(Program().field(0).text("/dairy/").op(kStarts).passes(kRecord));
  EXPECT(Program().field(0).text("yield").op(kContains).passes(kRecord));
  EXPECT(Program().field(0).text("").op(kContains).passes(kRecord));
  EXPECT(Program().field(1).number(7).op(kEq).passes(kRecord));
  EXPECT(Program().field(2).number(999.5).op(kGt).passes(kRecord));
  EXPECT(Program().field(4).number(42).op(kLe).passes(kRecord));
  EXPECT(!Program().field(4).number(42).op(kLt).passes(kRecord));
  EXPECT(Program().field(1).number(7).op(kGe).field(4).number(1).op(kLt).op(kOr).passes(kRecord));
  EXPECT(!Program().field(1).number(7).op(kGe).field(4).number(1).op(kLt).op(kAnd).passes(kRecord));
  EXPECT(Program().field(1).number(8).op(kEq).op(kNot).passes(kRecord));
}

TEST(the_left_operand_lies_below_the_right_one) {
  EXPECT(Program().number(1).number(2).op(kLt).passes(kRecord));
  EXPECT(!Program().number(2).number(1).op(kLt).passes(kRecord));
  EXPECT(Program().text("ab").text("a").op(kStarts).passes(kRecord));
  EXPECT(!Program().text("a").text("ab").op(kStarts).passes(kRecord));
}

TEST(texts_are_ordered_by_unsigned_bytes) {
  EXPECT(Program().text("z").text("\xc3\xa9").op(kLt).passes(kRecord));
  EXPECT(Program().text("a").text("aa").op(kLt).passes(kRecord));
  EXPECT(Program().text("a").text("a").op(kGe).passes(kRecord));
  EXPECT(Program().text("").text("a").op(kNe).passes(kRecord));
}

TEST(an_absent_event_time_differs_from_everything) {
  for (uint8_t op : {kEq, kLt, kLe, kGt, kGe})
    EXPECT(!Program().field(3).number(5).op(op).passes(kRecord));
  EXPECT(Program().field(3).number(5).op(kNe).passes(kRecord));
  EXPECT(Program().field(3).field(3).op(kNe).passes(kRecord));
  FilterProgram::Record with_time = kRecord;
  with_time.event_time = 5;
  EXPECT(Program().field(3).number(5).op(kEq).passes(with_time));
}

TEST(what_is_no_program_is_refused) {
  const Program bad[] = {
      Program(),
      Program().op(0x00),
      Program().op(0x19),
      Program().field(5),
      Program().field(1),  // leaves a number
      Program().op(0x01),  // ends within an instruction
      Program().op(0x02).op(1),
      Program().op(0x03).op(9).op(0).op('a'),
      Program().op(kNot),
      Program().number(1).op(kEq),
      Program().number(1).text("a").op(kEq),
      Program().number(1).number(1).op(kStarts),
      Program().number(1).number(1).op(kAnd),
      Program().number(1).number(1).op(kEq).number(1).number(1).op(kEq),
      Program().number(1).number(1).op(kEq).number(1).number(1).op(kEq).op(kEq),
      Program().field(0).text("\xff").op(kEq),  // no UTF-8
      Program().field(0).text("\xed\xa0\x80").op(kEq),
      Program().field(0).text("\xc0\x80").op(kEq),
      Program().field(0).text("\xf0\x9f\x98").op(kEq),
  };
  for (const Program& program : bad) EXPECT(program.parse() == Status::kInvalidQuery);
  EXPECT(is_ok(Program().field(0).text("\xf0\x9f\x98\x80").op(kEq).parse()));
}

TEST(length_and_stack_are_bounded) {
  Program deep;
  for (int i = 0; i < 33; i++) deep.number(1).number(1).op(kEq);
  for (int i = 0; i < 32; i++) deep.op(kAnd);
  EXPECT(deep.parse() == Status::kInvalidQuery);
  Program fits;
  for (int i = 0; i < 31; i++) fits.number(1).number(1).op(kEq);
  for (int i = 0; i < 30; i++) fits.op(kAnd);
  EXPECT(is_ok(fits.parse()));
  Program longest;
  longest.field(0).text(std::string(4096 - 6, 'a')).op(kEq);
  EXPECT_EQ(longest.bytes.size(), 4096u);
  EXPECT(is_ok(longest.parse()));
  EXPECT(longest.op(kNot).parse() == Status::kInvalidQuery);
}

TEST(random_programs_are_refused_or_run) {
  std::mt19937_64 random(test::seed(9));
  const uint8_t operators[] = {kEq, kNe, kLt, kGe, kStarts, kContains, kAnd, kOr, kNot, 0x00, 0x04};
  size_t accepted = 0;
  for (int round = 0; round < 100'000; round++) {
    Program program;
    const size_t length = 1 + random() % 8;
    for (size_t i = 0; i < length; i++) {
      if (random() % 2 == 0) {
        program.op(operators[random() % sizeof operators]);
      } else if (random() % 4 == 0) {
        program.text("cow");
      } else {
        program.field(static_cast<uint8_t>(random() % 6));
      }
    }
    if (random() % 3 == 0)
      program.bytes[random() % program.bytes.size()] = static_cast<std::byte>(random());
    FilterProgram parsed;
    if (!is_ok(FilterProgram::parse(program.bytes, parsed))) continue;
    accepted++;
    parsed.passes(kRecord);
  }
  EXPECT(accepted > 100);
}
