#include "native/io/block_writer.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace freshet {
namespace {

constexpr uint64_t floor_of(uint64_t offset) {
  return offset / BlockWriter::kBlock * BlockWriter::kBlock;
}

}  // namespace

BlockWriter::~BlockWriter() {
  if (direct_ >= 0) ::close(direct_);
}

BlockWriter::Written BlockWriter::write(uint64_t offset, Bytes bytes) {
  Written written;
  const bool is_aligned = (reinterpret_cast<uintptr_t>(bytes.data()) - offset) % kBlock == 0;
  if (is_aligned && direct_ >= 0 && !bytes.empty()) written = write_blocks(offset, bytes);
  const uint64_t end = offset + bytes.size();
  const uint64_t whole = floor_of(end + kBlock - 1);
  if (written.bytes < bytes.size()) {
    kept_at_ = UINT64_MAX;
    if (end > zeros_from_) written.padding = whole - end;
  }
  zeros_from_ = std::max(zeros_from_, whole);
  return written;
}

BlockWriter::Written BlockWriter::write_blocks(uint64_t offset, Bytes bytes) {
  const uint64_t begin = floor_of(offset);
  const size_t before = offset - begin;
  std::array<iovec, 3> parts;
  int count = 0;
  size_t total = 0;
  const auto add = [&](const std::byte* data, size_t size) {
    parts[static_cast<size_t>(count++)] = {const_cast<std::byte*>(data), size};
    total += size;
  };
  Bytes rest = bytes;
  if (before > 0 || bytes.size() < kBlock) {
    if (!load(begin, first_)) return {};
    const size_t taken = std::min(bytes.size(), kBlock - before);
    std::memcpy(first_.data() + before, bytes.data(), taken);
    rest = rest.subspan(taken);
    add(first_.data(), kBlock);
  }
  if (const size_t whole = floor_of(rest.size()); whole > 0) {
    add(rest.data(), whole);
    rest = rest.subspan(whole);
  }
  const uint64_t end = offset + bytes.size();
  if (!rest.empty()) {
    if (!load(floor_of(end), kept_)) return {};
    std::memcpy(kept_.data(), rest.data(), rest.size());
    add(kept_.data(), kBlock);
  } else if (end % kBlock != 0) {
    kept_ = first_;
  }
  kept_at_ = end % kBlock == 0 ? UINT64_MAX : floor_of(end);
  ssize_t written = 0;
  do {
    written = ::pwritev(direct_, parts.data(), count, static_cast<off_t>(begin));
  } while (written < 0 && errno == EINTR);
  if (written < 0) {
    if (errno != EINVAL && errno != EOPNOTSUPP) return {.error = errno};
    ::close(direct_);
    direct_ = -1;
    return {};
  }
  const auto done = static_cast<size_t>(written);
  return {.bytes = std::min(bytes.size(), done > before ? done - before : 0)};
}

// What the file has in the block at `at`.
bool BlockWriter::load(uint64_t at, Block& out) {
  if (at == kept_at_) {
    if (&out != &kept_) out = kept_;
    return true;
  }
  size_t got = 0;
  while (at < zeros_from_ && got < kBlock) {
    const ssize_t read =
        ::pread(descriptor_, out.data() + got, kBlock - got, static_cast<off_t>(at + got));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return false;
    if (read == 0) break;
    got += static_cast<size_t>(read);
  }
  std::fill(out.begin() + static_cast<ptrdiff_t>(got), out.end(), std::byte{0});
  return true;
}

}  // namespace freshet
