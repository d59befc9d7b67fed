#include "native/agent/door/key_check.h"

#include <algorithm>
#include <string>

#include "native/core/limits.h"

namespace freshet::door {
namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Bytes of the UTF-8 character at the front of `text`, which is not empty; 0: it is none, or a
// control character.
size_t character_size(std::string_view text) {
  const auto at = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = at(0);
  if (first < 0x80) return first < 0x20 || first == 0x7F ? 0 : 1;
  const auto follows = [&](size_t i) { return is_continuation(static_cast<unsigned char>(at(i))); };
  if (first >= 0xC2 && first <= 0xDF) {
    const bool is_control = first == 0xC2 && at(1) < 0xA0;
    return follows(1) && !is_control ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && at(1) < 0xA0) return 0;   // could be shorter
    if (first == 0xED && at(1) >= 0xA0) return 0;  // half a surrogate pair
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) >= 0x90) return 0;  // beyond U+10FFFF
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

bool replace_all(std::string& text, std::string_view what, char with) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  };
  bool changed = false;
  for (auto found = text.begin();;) {
    found = std::search(found, text.end(), what.begin(), what.end(), same);
    if (found == text.end()) return changed;
    *found = with;
    found = text.erase(found + 1, found + static_cast<std::ptrdiff_t>(what.size()));
    changed = true;
  }
}

bool is_climb(std::string_view part) { return part == "." || part == ".."; }

// Whether it is, or could be decoded to, a segment that stands for this or the parent folder. A
// proxy may decode more than once: `%252e` is `%2e` is `.`.
bool climbs(std::string_view segment) {
  if (!segment.starts_with('.') && segment.find('%') == std::string_view::npos) return false;
  std::string text(segment);
  for (bool changed = true; changed;) {
    changed = replace_all(text, "%25", '%');
    changed = replace_all(text, "%2e", '.') || changed;
    changed = replace_all(text, "%2f", '/') || changed;
    changed = replace_all(text, "%5c", '/') || changed;
  }
  std::string_view rest = text;
  for (size_t end; (end = rest.find('/')) != std::string_view::npos; rest.remove_prefix(end + 1))
    if (is_climb(rest.substr(0, end))) return true;
  return is_climb(rest);
}

}  // namespace

Status check_key(std::string_view key) {
  if (key.empty() || key.front() != '/') return Status::kInvalidKey;
  if (key.size() > kKeySizeMax) return Status::kKeyTooLong;
  for (size_t at = 0; at < key.size();) {
    const size_t size = character_size(key.substr(at));
    if (size == 0) return Status::kInvalidKey;
    at += size;
  }
  size_t segments = 0;
  for (std::string_view rest = key; !rest.empty(); segments++) {
    rest.remove_prefix(1);  // the slash
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment.empty() || segments == kKeySegmentsMax || climbs(segment))
      return Status::kInvalidKey;
    rest.remove_prefix(segment.size());
  }
  return Status::kOk;
}

}  // namespace freshet::door
