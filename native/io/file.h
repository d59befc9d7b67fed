// The seam to the disk, real and simulated. Blocking: for the log and query threads only.
#ifndef FRESHET_IO_FILE_H_
#define FRESHET_IO_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

class File {
 public:
  virtual ~File() = default;
  virtual Status write_at(uint64_t offset, Bytes bytes) = 0;
  // Reads exactly out.size() bytes; kNotFound if the file ends before.
  virtual Status read_at(uint64_t offset, MutableBytes out) = 0;
  virtual Status sync_data() = 0;  // fdatasync; a failure leaves the file's content unknown
  // Makes the file `size` bytes long with zeros allocated on disk, so that later writes neither
  // grow metadata nor run out of space.
  virtual Status preallocate(uint64_t size) = 0;
  virtual Status size(uint64_t& out) = 0;
  virtual Status truncate(uint64_t size) = 0;
  // Over 1: what is written is written in blocks of so many bytes, past the system's cache. Nobody
  // else may write to a block of it meanwhile.
  virtual uint64_t block_size() const { return 1; }
};

// Held while this lives; gone with the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // kCreate: read and write, made if need be. kLog: the same, for what is written in order from
  // memory that lies in pages as the file does in blocks: past the system's cache if it can be.
  enum class Mode : uint8_t { kRead, kReadWrite, kCreate, kLog };
  // kNotFound: no such file (or folder).
  virtual Status open(const std::string& path, Mode mode, std::unique_ptr<File>& out) = 0;
  virtual Status list(const std::string& folder, std::vector<std::string>& names) = 0;
  virtual Status make_folder(const std::string& path) = 0;  // with parents, durable; ok if there
  virtual Status remove(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status sync_folder(const std::string& path) = 0;
  virtual Status free_space(const std::string& path, uint64_t& bytes) = 0;
  // Makes the file if need be. kDataInUse: someone else holds it.
  virtual Status lock(const std::string& path, std::unique_ptr<FileLock>& out) = 0;
};

}  // namespace freshet

#endif  // FRESHET_IO_FILE_H_
