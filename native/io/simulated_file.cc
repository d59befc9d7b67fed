#include "native/io/simulated_file.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

namespace freshet {
namespace {

constexpr size_t kSector = 512;
constexpr uint64_t kSpaceUnlimited = uint64_t{1} << 50;

uint64_t next_random(uint64_t& state) {  // SplitMix64
  state += 0x9E3779B97F4A7C15;
  uint64_t x = state;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

struct SimulatedFileSystem::State {
  struct Content {
    std::vector<std::byte> now;     // what a reader sees
    std::vector<std::byte> synced;  // what surely survives
    std::set<uint64_t> dirty;       // sectors that differ
  };

  std::mutex mutex;
  Faults faults;
  uint64_t operations = 0;
  uint64_t syncs = 0;
  uint64_t life = 0;  // counts crashes
  std::map<std::string, std::shared_ptr<Content>> names;
  std::map<std::string, std::shared_ptr<Content>> synced_names;
  std::set<std::string> folders;
  std::set<std::string> locks;

  // Before each operation that changes something. False: the power is gone.
  bool operate() { return operations < faults.stop_after && ++operations <= faults.stop_after; }
  uint64_t used() const {
    uint64_t sum = 0;
    for (const auto& [path, content] : names) sum += content->now.size();
    return sum;
  }
  bool fits(const Content& content, uint64_t size) const {
    return size <= content.now.size() || faults.space == UINT64_MAX ||
           used() + size - content.now.size() <= faults.space;
  }
};

namespace {

using State = SimulatedFileSystem::State;

class SimulatedFile final : public File {
 public:
  SimulatedFile(std::shared_ptr<State> state, std::shared_ptr<State::Content> content)
      : state_(std::move(state)), content_(std::move(content)), life_(state_->life) {}

  Status write_at(uint64_t offset, Bytes bytes) override {
    const std::lock_guard lock(state_->mutex);
    return write_locked(offset, bytes);
  }

  Status read_at(uint64_t offset, MutableBytes out) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life != life_) return Status::kDiskFailed;
    if (offset + out.size() > content_->now.size()) return Status::kNotFound;
    if (!out.empty()) std::memcpy(out.data(), content_->now.data() + offset, out.size());
    return Status::kOk;
  }

  Status sync_data() override {
    const std::lock_guard lock(state_->mutex);
    return sync_locked();
  }

  Status preallocate(uint64_t wanted) override {
    const std::lock_guard lock(state_->mutex);
    const uint64_t at = content_->now.size();
    if (at >= wanted) return Status::kOk;
    const std::vector<std::byte> zeros(wanted - at);
    const Status status = write_locked(at, zeros);
    return is_ok(status) ? sync_locked() : status;
  }

  Status size(uint64_t& out) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life != life_) return Status::kDiskFailed;
    out = content_->now.size();
    return Status::kOk;
  }

  Status truncate(uint64_t wanted) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    content_->now.resize(wanted);
    return Status::kOk;
  }

 private:
  Status write_locked(uint64_t offset, Bytes bytes) {
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    const uint64_t end = offset + bytes.size();
    if (!state_->fits(*content_, end)) return Status::kDiskFull;
    if (end > content_->now.size()) content_->now.resize(end);
    std::memcpy(content_->now.data() + offset, bytes.data(), bytes.size());
    for (uint64_t sector = offset / kSector; sector * kSector < end; sector++)
      content_->dirty.insert(sector);
    return Status::kOk;
  }

  Status sync_locked() {
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    if (state_->syncs++ == state_->faults.fail_sync_at) return Status::kDiskFailed;
    if (state_->faults.ignore_syncs) return Status::kOk;
    content_->synced.resize(content_->now.size());
    for (const uint64_t sector : content_->dirty) {
      const uint64_t begin = sector * kSector;
      if (begin >= content_->now.size()) continue;
      const uint64_t size = std::min<uint64_t>(kSector, content_->now.size() - begin);
      std::memcpy(content_->synced.data() + begin, content_->now.data() + begin, size);
    }
    content_->dirty.clear();
    return Status::kOk;
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<State::Content> content_;
  const uint64_t life_;
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), life_(state_->life) {}
  ~SimulatedLock() override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life == life_) state_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::string path_;
  const uint64_t life_;
};

}  // namespace

SimulatedFileSystem::SimulatedFileSystem() : state_(std::make_shared<State>()) {}
SimulatedFileSystem::~SimulatedFileSystem() = default;

void SimulatedFileSystem::set_faults(const Faults& faults) {
  const std::lock_guard lock(state_->mutex);
  state_->faults = faults;
}

uint64_t SimulatedFileSystem::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->operations;
}

void SimulatedFileSystem::crash(uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  uint64_t random = seed;
  // How much of the unsynced survives differs from crash to crash: none, all, or a share.
  const uint64_t share = next_random(random) % 4;
  const auto survives = [&] { return next_random(random) % 3 < share; };

  std::map<std::string, std::shared_ptr<State::Content>> names = state_->synced_names;
  for (const auto& [path, content] : state_->names) {
    if (!names.contains(path) && survives()) names[path] = content;
  }
  for (const auto& [path, content] : state_->synced_names) {
    if (!state_->names.contains(path) && survives()) names.erase(path);
  }
  for (auto& [path, content] : names) {
    std::vector<std::byte> left = content->synced;
    if (content->now.size() != left.size() && survives()) left.resize(content->now.size());
    for (const uint64_t sector : content->dirty) {
      const uint64_t begin = sector * kSector;
      const uint64_t limit = std::min(content->now.size(), left.size());
      if (begin >= limit || !survives()) continue;
      std::memcpy(left.data() + begin, content->now.data() + begin,
                  std::min<uint64_t>(kSector, limit - begin));
    }
    auto fresh = std::make_shared<State::Content>();
    fresh->now = left;
    fresh->synced = std::move(left);
    content = std::move(fresh);
  }
  state_->names = names;
  state_->synced_names = std::move(names);
  state_->locks.clear();
  state_->faults = {};
  state_->life++;
}

void SimulatedFileSystem::end_process() {
  const std::lock_guard lock(state_->mutex);
  state_->locks.clear();
  state_->faults = {};
  state_->life++;
}

uint64_t SimulatedFileSystem::used() const {
  const std::lock_guard lock(state_->mutex);
  return state_->used();
}

uint64_t SimulatedFileSystem::written(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(path);
  if (found == state_->names.end()) return 0;
  const std::vector<std::byte>& bytes = found->second->now;
  size_t size = bytes.size();
  while (size > 0 && bytes[size - 1] == std::byte{0}) size--;
  return size;
}

bool SimulatedFileSystem::flip_bit(const std::string& path, uint64_t offset, int bit) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(path);
  if (found == state_->names.end() || offset >= found->second->now.size()) return false;
  found->second->now[offset] ^= std::byte{1} << bit;
  if (offset < found->second->synced.size())
    found->second->synced[offset] = found->second->now[offset];
  return true;
}

Status SimulatedFileSystem::open(const std::string& path, Mode mode, std::unique_ptr<File>& out) {
  const std::lock_guard lock(state_->mutex);
  auto found = state_->names.find(path);
  if (found == state_->names.end()) {
    if (mode != Mode::kCreate) return Status::kNotFound;
    if (!state_->folders.contains(folder_of(path))) return Status::kNotFound;
    if (!state_->operate()) return Status::kDiskFailed;
    found = state_->names.emplace(path, std::make_shared<State::Content>()).first;
  }
  out = std::make_unique<SimulatedFile>(state_, found->second);
  return Status::kOk;
}

Status SimulatedFileSystem::list(const std::string& folder, std::vector<std::string>& names) {
  const std::lock_guard lock(state_->mutex);
  names.clear();
  if (!state_->folders.contains(folder)) return Status::kNotFound;
  for (const auto& [path, content] : state_->names) {
    if (folder_of(path) == folder) names.push_back(path.substr(folder.size() + 1));
  }
  return Status::kOk;
}

Status SimulatedFileSystem::make_folder(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->operate()) return Status::kDiskFailed;
  for (std::string at = path; !at.empty(); at = folder_of(at)) state_->folders.insert(at);
  return Status::kOk;
}

Status SimulatedFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->operate()) return Status::kDiskFailed;
  return state_->names.erase(path) > 0 ? Status::kOk : Status::kNotFound;
}

Status SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(from);
  if (found == state_->names.end()) return Status::kNotFound;
  if (!state_->operate()) return Status::kDiskFailed;
  state_->names[to] = found->second;
  state_->names.erase(from);
  return Status::kOk;
}

Status SimulatedFileSystem::sync_folder(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->operate()) return Status::kDiskFailed;
  if (state_->faults.ignore_syncs) return Status::kOk;
  std::erase_if(state_->synced_names,
                [&](const auto& item) { return folder_of(item.first) == path; });
  for (const auto& [name, content] : state_->names) {
    if (folder_of(name) == path) state_->synced_names[name] = content;
  }
  return Status::kOk;
}

Status SimulatedFileSystem::free_space(const std::string&, uint64_t& bytes) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t used = state_->used();
  bytes = state_->faults.space == UINT64_MAX ? kSpaceUnlimited
          : state_->faults.space > used      ? state_->faults.space - used
                                             : 0;
  return Status::kOk;
}

Status SimulatedFileSystem::lock(const std::string& path, std::unique_ptr<FileLock>& out) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->locks.insert(path).second) return Status::kDataInUse;
  out = std::make_unique<SimulatedLock>(state_, path);
  return Status::kOk;
}

}  // namespace freshet
