#include "native/io/simulated_file.h"

#include <map>
#include <mutex>
#include <set>

#include "native/io/simulated_content.h"

namespace freshet {
namespace {

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
  using Content = SimulatedContent;

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
    for (const auto& [path, content] : names) sum += content->size();
    return sum;
  }
  bool fits(const Content& content, uint64_t size) const {
    return size <= content.size() || faults.space == UINT64_MAX ||
           used() + size - content.size() <= faults.space;
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
    if (offset + out.size() > content_->size()) return Status::kNotFound;
    content_->read(offset, out);
    return Status::kOk;
  }

  Status sync_data() override {
    const std::lock_guard lock(state_->mutex);
    return sync_locked();
  }

  Status preallocate(uint64_t wanted) override {
    const std::lock_guard lock(state_->mutex);
    if (content_->size() >= wanted) return Status::kOk;
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    if (!state_->fits(*content_, wanted)) return Status::kDiskFull;
    content_->resize(wanted);
    return sync_locked();
  }

  Status size(uint64_t& out) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life != life_) return Status::kDiskFailed;
    out = content_->size();
    return Status::kOk;
  }

  Status truncate(uint64_t wanted) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    content_->resize(wanted);
    return Status::kOk;
  }

 private:
  Status write_locked(uint64_t offset, Bytes bytes) {
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    if (!state_->fits(*content_, offset + bytes.size())) return Status::kDiskFull;
    content_->write(offset, bytes);
    return Status::kOk;
  }

  Status sync_locked() {
    if (state_->life != life_ || !state_->operate()) return Status::kDiskFailed;
    if (state_->syncs++ == state_->faults.fail_sync_at) return Status::kDiskFailed;
    if (state_->faults.ignore_syncs) return Status::kOk;
    content_->sync();
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
  for (auto& [path, content] : names) content = content->after_crash(survives);
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
  return found == state_->names.end() ? 0 : found->second->written();
}

bool SimulatedFileSystem::flip_bit(const std::string& path, uint64_t offset, int bit) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(path);
  return found != state_->names.end() && found->second->flip_bit(offset, bit);
}

Status SimulatedFileSystem::open(const std::string& path, Mode mode, std::unique_ptr<File>& out) {
  const std::lock_guard lock(state_->mutex);
  auto found = state_->names.find(path);
  if (found == state_->names.end()) {
    if (mode != Mode::kCreate && mode != Mode::kLog) return Status::kNotFound;
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
