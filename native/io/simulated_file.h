// A file system in memory that forgets: what was not synced may be gone, torn or out of order after
// crash(). For simulation and tests of durability.
//
// The model. A write is split into sectors of 512 bytes; until the file is synced each may or may
// not have reached the disk. A size (truncate, growth) is kept by a sync of the file. A name
// (create, remove, rename) is kept by a sync of its folder.
//
// Threads: any; one lock.
#ifndef FRESHET_IO_SIMULATED_FILE_H_
#define FRESHET_IO_SIMULATED_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "native/io/file.h"

namespace freshet {

class SimulatedFileSystem final : public FileSystem {
 public:
  struct Faults {
    bool ignore_syncs = false;           // syncs say kOk and do nothing: a disk that lies
    uint64_t stop_after = UINT64_MAX;    // changing operations until the power fails
    uint64_t fail_sync_at = UINT64_MAX;  // number of the sync that says kDiskFailed
    uint64_t space = UINT64_MAX;         // bytes that files may take in all
  };

  SimulatedFileSystem();
  ~SimulatedFileSystem() override;

  void set_faults(const Faults& faults);
  uint64_t operations() const;  // changing operations so far
  // Power fails now: drops, tears and reorders unsynced writes as `seed` says, and clears the
  // faults. Files and locks opened before answer kDiskFailed from now on.
  void crash(uint64_t seed);
  // The process ends: nothing is lost, what it had open answers kDiskFailed from now on, and the
  // faults are cleared.
  void end_process();
  // Bytes that files take, and of one file up to its last byte that is not zero.
  uint64_t used() const;
  uint64_t written(const std::string& path) const;
  // Flips one bit of what a file holds, as bad storage would. False: no such byte.
  bool flip_bit(const std::string& path, uint64_t offset, int bit);

  Status open(const std::string& path, Mode mode, std::unique_ptr<File>& out) override;
  Status list(const std::string& folder, std::vector<std::string>& names) override;
  Status make_folder(const std::string& path) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_folder(const std::string& path) override;
  Status free_space(const std::string& path, uint64_t& bytes) override;
  Status lock(const std::string& path, std::unique_ptr<FileLock>& out) override;

  struct State;  // shared with open files

 private:
  std::shared_ptr<State> state_;
};

}  // namespace freshet

#endif  // FRESHET_IO_SIMULATED_FILE_H_
