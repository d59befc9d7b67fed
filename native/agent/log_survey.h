// Finds the holes of a shard's log: bytes below what was synced that hold no sound record.
//
// Behind damage a sound record is looked for at every multiple of 64 that fits the order of the
// log, so one bad byte costs one record, not the rest of its segment. What lies above the newest
// claim of any mark is no hole: recovery cuts it as a torn tail.
//
// Thread: any that may block. The log may be written meanwhile, above `end`.
#ifndef FRESHET_AGENT_LOG_SURVEY_H_
#define FRESHET_AGENT_LOG_SURVEY_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "native/agent/log_segment.h"

namespace freshet {

struct LogHole {
  uint64_t segment = 0;
  uint64_t begin = 0;  // 0: the segment's header
  uint64_t end = 0;    // 0: up to the segment's end, whose index and mark are gone too
  // The sound records of history next to it, in this or another segment; none: there is none.
  std::optional<RecordHeader> before;
  std::optional<RecordHeader> behind;
  Version version = 0;                          // the last one up to `before`; 0: not known
  LogPosition until = {UINT32_MAX, INT64_MAX};  // nothing that belongs into it comes after this
};

class LogSurvey {
 public:
  struct Config {
    std::string folder;
    uint64_t cluster = 0;
    ShardId shard = 0;
    // Up to where an open log is synced: what lies behind is being written and not looked at.
    std::optional<LogPlace> end;
    // Without it: what end() of an earlier survey said, to look at one segment alone.
    LogPlace claimed;
  };

  LogSurvey(FileSystem& files, Config config);

  // The holes of the whole log, or of one segment, in order. kNotFound: there is no log.
  // kNewerFormat, kWrongCluster: as a segment's header says.
  Status find_holes(std::optional<uint64_t> segment, std::vector<LogHole>& holes);
  // What was taken as synced; after a survey of the whole log.
  LogPlace end() const { return end_; }

  // Sound records after `after`, in order, back to back, up to a hole that may hold some, or about
  // `size_max` bytes. Of a record over kWholeRecordMax that comes first so many bytes, from its
  // byte `from` on; of any other `from` is 0. kLogCorrupt: such a hole is what follows first;
  // kNotFound: no such byte does.
  Status read_sound(LogPosition after, uint64_t from, size_t size_max, std::vector<std::byte>& out);

 private:
  struct Summary {
    Status header = Status::kOk;
    LogPosition header_first;  // with a sound header
    bool sealed = false;
    bool missing = false;
    bool blank = false;          // nothing but zeros
    uint64_t tail = 0;           // behind the last sound record
    std::vector<LogHole> holes;  // with the neighbours within the segment
    std::optional<RecordHeader> first, last;
    Version version = 0;  // the last one up to `last`; 0: not known
    LogPlace claimed;
  };
  class Scan;

  Status open();
  Status summary_of(uint64_t segment, const Summary*& out);
  Status summarize(uint64_t segment, Summary& out);
  bool is_cut_short(uint64_t segment, const Summary& summary) const;
  Status find_in(uint64_t segment, std::vector<LogHole>& holes);
  Status find_neighbours(LogHole& hole);
  struct Reading {
    LogPosition after;
    uint64_t from = 0;
    size_t size_max = 0;
    bool is_end = false;  // a hole hides what comes next, or it is long
  };
  Status read_segment(uint64_t segment, Reading& reading, std::vector<std::byte>& out);
  bool read_next(const RecordView& record, Reading& reading, std::vector<std::byte>& out) const;

  FileSystem& files_;
  const Config config_;
  uint64_t count_ = 0;  // of segments, up to the last that is begun
  LogPlace end_;
  std::map<uint64_t, Summary> summaries_;
  std::vector<std::byte> bytes_;  // of the segment at hand
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_SURVEY_H_
