#include "native/io/posix_file.h"

#include <unistd.h>

#include <filesystem>

#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

TEST(files_do_what_their_seam_says) {
  char made[] = "/tmp/freshet-file-XXXXXX";
  const std::string folder = ::mkdtemp(made);
  const auto files = make_posix_file_system();
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
  std::filesystem::remove_all(folder);
}
