#include "native/io/posix_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "native/core/store/mapped_memory.h"
#include "native/io/seeded_random.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr size_t kPage = 4096;

// A folder that goes with this.
struct Scratch {
  Scratch() { folder = ::mkdtemp(made); }
  ~Scratch() { std::filesystem::remove_all(folder); }
  char made[32] = "/tmp/freshet-file-XXXXXX";
  std::string folder;
  std::unique_ptr<FileSystem> files = make_posix_file_system();
};

std::vector<std::byte> content_of(FileSystem& files, const std::string& path) {
  std::unique_ptr<File> file;
  uint64_t size = 0;
  EXPECT(is_ok(files.open(path, FileSystem::Mode::kRead, file)));
  EXPECT(is_ok(file->size(size)));
  std::vector<std::byte> bytes(size);
  EXPECT(is_ok(file->read_at(0, bytes)));
  return bytes;
}

// Does the file end with a block, and hold zeros from `end` on?
bool is_zero_from(File& file, uint64_t end) {
  uint64_t size = 0;
  EXPECT(is_ok(file.size(size)));
  EXPECT(size >= end && size % file.block_size() == 0);
  std::vector<std::byte> rest(size - end);
  EXPECT(is_ok(file.read_at(end, rest)));
  return std::ranges::all_of(rest, [](std::byte byte) { return byte == std::byte{0}; });
}

// What of the file lies in the system's cache.
size_t cached_pages(const std::string& path, size_t size) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  std::vector<unsigned char> pages((size + kPage - 1) / kPage);
  EXPECT(mapped != MAP_FAILED && ::mincore(mapped, size, pages.data()) == 0);
  ::munmap(mapped, size);
  ::close(descriptor);
  return static_cast<size_t>(
      std::ranges::count_if(pages, [](auto page) { return (page & 1) != 0; }));
}

}  // namespace

TEST(files_do_what_their_seam_says) {
  const Scratch scratch;
  const std::string& folder = scratch.folder;
  const auto& files = scratch.files;
  std::unique_ptr<File> file;
  EXPECT(files->open(folder + "/none", FileSystem::Mode::kRead, file) == Status::kNotFound);
  EXPECT(files->open(folder + "/none/x", FileSystem::Mode::kCreate, file) == Status::kNotFound);
  EXPECT(is_ok(files->make_folder(folder + "/a/b")));
  EXPECT(is_ok(files->make_folder(folder + "/a/b")));
  EXPECT(is_ok(files->open(folder + "/a/b/f", FileSystem::Mode::kCreate, file)));
  EXPECT(is_ok(file->write_at(10, bytes_of("hello"))));
  uint64_t size = 0;
  EXPECT(is_ok(file->size(size)));
  EXPECT_EQ(size, uint64_t{15});
  std::byte out[5];
  EXPECT(is_ok(file->read_at(10, out)));
  EXPECT(text_of(out) == "hello");
  EXPECT(file->read_at(11, out) == Status::kNotFound);
  EXPECT(is_ok(file->preallocate(600'000)));
  EXPECT(is_ok(file->size(size)));
  EXPECT_EQ(size, uint64_t{600'000});
  EXPECT(is_ok(file->read_at(10, out)));
  EXPECT(text_of(out) == "hello");
  EXPECT(is_ok(file->read_at(599'995, out)));
  EXPECT(out[4] == std::byte{0});
  EXPECT(is_ok(file->truncate(12)));
  EXPECT(is_ok(file->sync_data()));
  EXPECT(is_ok(files->rename(folder + "/a/b/f", folder + "/a/b/g")));
  EXPECT(is_ok(files->sync_folder(folder + "/a/b")));
  std::vector<std::string> names;
  EXPECT(is_ok(files->list(folder + "/a/b", names)));
  EXPECT(names == std::vector<std::string>{"g"});
  EXPECT(files->list(folder + "/nothing", names) == Status::kNotFound);
  uint64_t bytes = 0;
  EXPECT(is_ok(files->free_space(folder, bytes)));
  EXPECT(bytes > 0);
  std::unique_ptr<FileLock> lock;
  std::unique_ptr<FileLock> second;
  EXPECT(is_ok(files->lock(folder + "/lock", lock)));
  EXPECT(files->lock(folder + "/lock", second) == Status::kDataInUse);
  lock.reset();
  EXPECT(is_ok(files->lock(folder + "/lock", second)));
  EXPECT(is_ok(files->remove(folder + "/a/b/g")));
  EXPECT(files->remove(folder + "/a/b/g") == Status::kNotFound);
}

// Records of any length one behind the other, room made ahead or not, the file opened anew now and
// then, and a header that comes last: the file always holds what was written, and zeros.
TEST(a_log_is_written_in_blocks) {
  const Scratch scratch;
  const std::string path = scratch.folder + "/log";
  constexpr size_t kSize = size_t{4} << 20;
  const MappedBlock memory(kSize, PageUse::kPlain);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    SeededRandom random(seed);
    std::unique_ptr<File> file;
    EXPECT(is_ok(scratch.files->open(path, FileSystem::Mode::kLog, file)));
    uint64_t end = kPage;
    while (end < kSize) {
      const uint64_t most = random.chance(30) ? 300'000 : random.chance(50) ? 9'000 : 300;
      const uint64_t length =
          std::min<uint64_t>(kSize - end, 64 * static_cast<uint64_t>(random.between(1, most / 64)));
      for (uint64_t i = 0; i < length; i++)
        memory.data()[end + i] = static_cast<std::byte>(random.next() | 1);
      if (random.chance(5)) {
        // As a file that ended anywhere before this was known.
        file.reset();
        if (random.chance(50)) std::filesystem::resize_file(path, end);
        EXPECT(is_ok(scratch.files->open(path, FileSystem::Mode::kLog, file)));
        uint64_t size = 0;
        EXPECT(is_ok(file->size(size)));
        EXPECT_EQ(size % file->block_size(), uint64_t{0});
      }
      if (random.chance(10)) EXPECT(is_ok(file->preallocate((end / kPage + 3) * kPage)));
      EXPECT(is_ok(file->write_at(end, {memory.data() + end, length})));
      end += length;
      EXPECT(is_zero_from(*file, end));
    }
    EXPECT(is_ok(file->write_at(0, bytes_of("header"))));
    EXPECT(is_ok(file->sync_data()));
    const std::vector<std::byte> content = content_of(*scratch.files, path);
    EXPECT_EQ(content.size(), kSize);
    EXPECT(std::equal(content.begin() + kPage, content.end(), memory.data() + kPage));
    EXPECT(text_of({content.data(), 6}) == "header");
    EXPECT(content[6] == std::byte{0});
    file.reset();
    EXPECT(is_ok(scratch.files->remove(path)));
  }
}

TEST(what_lies_apart_from_blocks_is_written_all_the_same) {
  const Scratch scratch;
  const std::string path = scratch.folder + "/log";
  const MappedBlock memory(size_t{1} << 20, PageUse::kPlain);
  std::fill_n(memory.data(), memory.size(), std::byte{7});
  std::unique_ptr<File> file;
  EXPECT(is_ok(scratch.files->open(path, FileSystem::Mode::kLog, file)));
  EXPECT(is_ok(file->write_at(100, {memory.data() + 100, 5'000})));
  // From memory that lies otherwise; then again behind it.
  EXPECT(is_ok(file->write_at(5'100, {memory.data(), 100})));
  EXPECT(is_zero_from(*file, 5'200));
  EXPECT(is_ok(file->write_at(5'200, {memory.data() + 5'200, 19'900})));
  EXPECT(is_ok(file->write_at(25'100, {memory.data(), 10'000})));
  EXPECT(is_zero_from(*file, 35'100));
  EXPECT(is_ok(file->write_at(200, bytes_of("amid"))));
  const std::vector<std::byte> content = content_of(*scratch.files, path);
  std::vector<std::byte> wanted(content.size());
  std::fill(wanted.begin() + 100, wanted.begin() + 35'100, std::byte{7});
  std::ranges::copy(bytes_of("amid"), wanted.begin() + 200);
  EXPECT(content == wanted);
}

// Where files lie on a disk, and the file system can.
TEST(a_log_takes_no_memory_of_the_system) {
  const Scratch scratch;
  struct statfs about;
  EXPECT(::statfs(scratch.folder.c_str(), &about) == 0);
  if (about.f_type == TMPFS_MAGIC) return;
  constexpr size_t kSize = size_t{1} << 20;
  const MappedBlock memory(kSize, PageUse::kPlain);
  std::fill_n(memory.data(), kSize, std::byte{7});
  size_t cached[2];
  for (const auto mode : {FileSystem::Mode::kCreate, FileSystem::Mode::kLog}) {
    const bool is_log = mode == FileSystem::Mode::kLog;
    const std::string path = scratch.folder + (is_log ? "/log" : "/file");
    std::unique_ptr<File> file;
    EXPECT(is_ok(scratch.files->open(path, mode, file)));
    EXPECT(is_ok(file->write_at(0, {memory.data(), kSize})));
    EXPECT(is_ok(file->sync_data()));
    cached[is_log ? 1 : 0] = cached_pages(path, kSize);
    if (is_log && file->block_size() == 1) return;
  }
  EXPECT_EQ(cached[0], kSize / kPage);
  EXPECT_EQ(cached[1], size_t{0});
}
