// Clients of a World that ask the event loops of its members for pools and settings, which the
// product's own catalog keeps at every member, in a shard of its own. What they ask for, and
// whether the answers may be, is decided in test/simulation; here is when, and what the shard
// holds.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_CATALOG_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_CATALOG_H_

#include <map>
#include <string>
#include <vector>

#include "native/agent/row_ring.h"
#include "native/core/record.h"
#include "native/io/seeded_random.h"

namespace freshet::test {

class World;
class WorldNode;

class WorldCatalog {
 public:
  static constexpr ShardId kShard = 1;

  explicit WorldCatalog(World& world);

  void begin();
  // Nothing new is asked for.
  void end() { ended_ = true; }
  // The layout is about to change: everybody asks for pools in a subgroup that comes and goes.
  void on_layout();
  // By processes that still run.
  bool are_all_answered() const;
  void on_answer(uint64_t id);
  std::string describe() const;

  // A version of the catalog's shard, as its history has it now.
  struct Entry {
    Epoch epoch = 0;
    bool removes = false;
    std::string key;
    std::vector<std::byte> value;
  };
  void on_delivered(Version version, const RecordView& record);
  void on_cut_back(Version version) { entries_.resize(version); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  void ask_later();
  void ask_all(Nanos within, bool extra);
  // `extra`: for pools in a subgroup that comes and goes.
  void ask(NodeId node, uint64_t round, bool extra);

  struct Asked {
    NodeId node = 0;
    uint64_t life = 0;
  };
  World& world_;
  SeededRandom random_;  // of its own, so that other draws stay what they are
  std::map<uint64_t, Asked> asked_;
  std::vector<Entry> entries_;  // by version, from 1
  uint64_t next_id_ = 1;
  uint64_t rounds_ = 0;
  bool ended_ = false;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_CATALOG_H_
