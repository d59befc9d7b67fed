#include "native/agent/shared_records.h"

#include <cstring>

#include "native/core/checksum.h"

namespace freshet {

SharedRecord::SharedRecord(uint64_t number, const Source& source, const RecordView& record)
    : number_(number),
      source_(source),
      size_(record.size()),
      header_(record.header()),
      block_(record.size(), PageUse::kHuge) {
  std::memcpy(block_.data(), record.start(), size_);
}

bool SharedRecord::is_sound() {
  if (is_spoilt()) return false;
  // By the header that is kept: who writes meanwhile may say anything in the other.
  const size_t payload = header_.length - sizeof header_;
  const bool sound = std::memcmp(data(), &header_, sizeof header_) == 0 &&
                     crc32c(data() + sizeof header_, payload) == header_.payload_crc;
  if (!sound) spoilt_.store(true, std::memory_order_release);
  return sound;
}

SharedRecords::Held SharedRecords::find(const SharedRecord::Source& source) {
  return find_sound([&](const SharedRecord& record) { return record.source() == source; });
}

SharedRecords::Held SharedRecords::find(uint64_t number) {
  return find_sound([number](const SharedRecord& record) { return record.number() == number; });
}

uint64_t SharedRecords::number_at(const std::byte* at) {
  const Held held = find_if([at](const SharedRecord& record) { return record.holds(at); });
  return held == nullptr ? 0 : held->number();
}

SharedRecords::Held SharedRecords::add(const SharedRecord::Source& source,
                                       const RecordView& record) {
  uint64_t number;
  {
    const std::lock_guard lock(mutex_);
    number = next_number_++;
  }
  auto made = std::make_shared<SharedRecord>(number, source, record);
  const std::lock_guard lock(mutex_);
  std::erase_if(records_, [](const auto& item) { return item.second.expired(); });
  records_.emplace(number, made);
  return made;
}

template <typename Wanted>
SharedRecords::Held SharedRecords::find_if(Wanted wanted) {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, kept] : records_) {
    Held held = kept.lock();
    if (held != nullptr && wanted(*held)) return held;
  }
  return nullptr;
}

template <typename Wanted>
SharedRecords::Held SharedRecords::find_sound(Wanted wanted) {
  return find_if([&](const SharedRecord& record) { return !record.is_spoilt() && wanted(record); });
}

}  // namespace freshet
