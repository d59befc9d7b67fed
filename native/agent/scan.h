// One batch of one scan; see query.h for what it gives.
//
// Resume bytes: u64 cut, u64 records given so far, then the next version (u64) of a scan of
// versions, or the last key given.
//
// Thread: the query thread's.
#ifndef FRESHET_AGENT_SCAN_H_
#define FRESHET_AGENT_SCAN_H_

#include "native/agent/query.h"

namespace freshet {

// What is given of a record without its value (kWithoutValue).
void append_head(const RecordView& record, std::vector<std::byte>& out);

class Scan {
 public:
  struct Source {
    const ShardView& view;
    Store& store;
    Store::Reader& reader;
    LogReader* cold;  // null: nothing is
    const QueryRunner::Stop& stop;
  };

  Scan(const Source& source, const ScanRequest& request, std::vector<std::byte>& out)
      : source_(source), request_(request), out_(out) {}
  Status run();

 private:
  Status prepare();
  Status scan_versions();
  Status scan_keys();
  Status visit_versions(Version& next, Version last);
  Status visit_keys(const std::vector<std::string>& keys);
  Status next_keys(std::vector<std::string>& keys, bool& more);
  Status all_keys_backwards(std::vector<std::string>& keys);
  // Reads the record from disk if it is cold, which lets go of the guard.
  Status visit(const Found& found);
  void emit(const RecordView& record);
  bool passes(const RecordView& record) const;
  bool is_full() const { return out_.size() >= batch_bytes_ || given_ >= request_.limit; }
  void finish(Bytes position, bool complete);

  const Source source_;
  const ScanRequest& request_;
  std::vector<std::byte>& out_;
  FilterProgram program_;
  size_t batch_bytes_ = 0;
  Version cut_ = 0;
  uint64_t given_ = 0;  // over all batches
  uint32_t count_ = 0;  // in this one
  Bytes position_;      // where the last batch ended; empty: the start
  std::string last_key_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SCAN_H_
