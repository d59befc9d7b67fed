#include "native/io/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

#include "native/io/block_writer.h"

namespace freshet {
namespace {

constexpr size_t kZeroStep = size_t{256} << 10;
alignas(4096) const std::byte kZeros[kZeroStep] = {};

Status status_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Status::kNotFound;
    case ENOSPC:
    case EDQUOT:
      return Status::kDiskFull;
    default:
      return Status::kDiskFailed;
  }
}

class PosixFile final : public File {
 public:
  explicit PosixFile(int descriptor) : descriptor_(descriptor) {}
  ~PosixFile() override { ::close(descriptor_); }

  // `direct`: the same file, past the cache.
  Status use_blocks(int direct) {
    uint64_t end = 0;
    Status status = size(end);
    const uint64_t whole = (end + BlockWriter::kBlock - 1) / BlockWriter::kBlock;
    // Within a block that the file has, so there is room for it.
    if (is_ok(status) && end % BlockWriter::kBlock != 0)
      status = truncate(whole * BlockWriter::kBlock);
    blocks_ = std::make_unique<BlockWriter>(descriptor_, direct, whole * BlockWriter::kBlock);
    return status;
  }

  uint64_t block_size() const override { return blocks_ == nullptr ? 1 : BlockWriter::kBlock; }

  Status write_at(uint64_t offset, Bytes bytes) override {
    if (blocks_ == nullptr) return write_cached(offset, bytes);
    const BlockWriter::Written written = blocks_->write(offset, bytes);
    if (written.error != 0) return status_of(written.error);
    const Status status = write_cached(offset + written.bytes, bytes.subspan(written.bytes));
    if (!is_ok(status) || written.padding == 0) return status;
    return write_cached(offset + bytes.size(), {kZeros, written.padding});
  }

  Status read_at(uint64_t offset, MutableBytes out) override {
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0) {
        if (errno == EINTR) continue;
        return status_of(errno);
      }
      if (got == 0) return Status::kNotFound;
      out = out.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return Status::kOk;
  }

  // Never tried again after a failure: the kernel may have dropped the pages it could not write.
  Status sync_data() override {
    return ::fdatasync(descriptor_) == 0 ? Status::kOk : Status::kDiskFailed;
  }

  Status preallocate(uint64_t wanted) override {
    uint64_t at = 0;
    if (const Status status = size(at); !is_ok(status)) return status;
    if (at >= wanted) return Status::kOk;
    while (at < wanted) {
      const size_t step = static_cast<size_t>(std::min<uint64_t>(kZeroStep, wanted - at));
      if (const Status status = write_cached(at, {kZeros, step}); !is_ok(status)) return status;
      at += step;
    }
    return sync_data();
  }

  Status size(uint64_t& out) override {
    struct stat about;
    if (::fstat(descriptor_, &about) != 0) return status_of(errno);
    out = static_cast<uint64_t>(about.st_size);
    return Status::kOk;
  }

  Status truncate(uint64_t wanted) override {
    return ::ftruncate(descriptor_, static_cast<off_t>(wanted)) == 0 ? Status::kOk
                                                                     : status_of(errno);
  }

 private:
  Status write_cached(uint64_t offset, Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0) {
        if (errno == EINTR) continue;
        return status_of(errno);
      }
      bytes = bytes.subspan(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return Status::kOk;
  }

  const int descriptor_;
  std::unique_ptr<BlockWriter> blocks_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}
  ~PosixLock() override { ::close(descriptor_); }

 private:
  const int descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Status open(const std::string& path, Mode mode, std::unique_ptr<File>& out) override {
    int flags = O_CLOEXEC | (mode == Mode::kRead ? O_RDONLY : O_RDWR);
    if (mode == Mode::kCreate || mode == Mode::kLog) flags |= O_CREAT;
    const int descriptor = ::open(path.c_str(), flags, 0644);
    if (descriptor < 0) return status_of(errno);
    auto file = std::make_unique<PosixFile>(descriptor);
    Status status = Status::kOk;
    if (mode == Mode::kLog) {
      const int direct = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
      if (direct >= 0) status = file->use_blocks(direct);
    }
    if (is_ok(status)) out = std::move(file);
    return status;
  }

  Status list(const std::string& folder, std::vector<std::string>& names) override {
    names.clear();
    DIR* open = ::opendir(folder.c_str());
    if (open == nullptr) return status_of(errno);
    errno = 0;
    while (const dirent* entry = ::readdir(open)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    const int error = errno;
    ::closedir(open);
    if (error != 0) return status_of(error);
    std::sort(names.begin(), names.end());
    return Status::kOk;
  }

  Status make_folder(const std::string& path) override {
    struct stat about;
    if (::stat(path.c_str(), &about) == 0)
      return S_ISDIR(about.st_mode) ? Status::kOk : Status::kDiskFailed;
    const size_t slash = path.find_last_of('/');
    const std::string parent = slash == std::string::npos ? "."
                               : slash == 0               ? "/"
                                                          : path.substr(0, slash);
    if (const Status status = make_folder(parent); !is_ok(status)) return status;
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return status_of(errno);
    return sync_folder(parent);
  }

  Status remove(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? Status::kOk : status_of(errno);
  }

  Status rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Status::kOk : status_of(errno);
  }

  Status sync_folder(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return status_of(errno);
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced ? Status::kOk : Status::kDiskFailed;
  }

  Status free_space(const std::string& path, uint64_t& bytes) override {
    struct statvfs about;
    if (::statvfs(path.c_str(), &about) != 0) return status_of(errno);
    bytes = static_cast<uint64_t>(about.f_bavail) * about.f_frsize;
    return Status::kOk;
  }

  Status lock(const std::string& path, std::unique_ptr<FileLock>& out) override {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return status_of(errno);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(descriptor);
      return error == EWOULDBLOCK ? Status::kDataInUse : status_of(error);
    }
    out = std::make_unique<PosixLock>(descriptor);
    return Status::kOk;
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace freshet
