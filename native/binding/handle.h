// What a MemberHandle of JavaScript stands for: a member, and what this environment keeps with it.
//
// Thread: that of the environment.
// Invariants
//  1. The environment that opened a member closes it, at the latest when it ends; no thread of the
//     member calls into an environment that is gone.
//  2. The event loop is held alive exactly while answers are due.
//  3. A borrowed value is held until its `released` row was drained.
#ifndef FRESHET_BINDING_HANDLE_H_
#define FRESHET_BINDING_HANDLE_H_

#include <node_api.h>

#include <memory>
#include <unordered_map>

#include "native/agent/member.h"
#include "native/binding/values.h"

namespace freshet::binding {

class Handle {
 public:
  // The handle behind an argument; null after a TypeError.
  static Handle* read(napi_env env, napi_value value, const char* function);
  // A handle for JavaScript. The owner's closes the member with the environment.
  static napi_value make(napi_env env, std::unique_ptr<Handle> handle);

  Handle(napi_env env, std::shared_ptr<Member> member, uint32_t key, bool owner)
      : env_(env), member_(std::move(member)), key_(key), owner_(owner) {}
  ~Handle();

  // Null: closed.
  Member* member() const {
    return member_ != nullptr && !member_->is_closed() ? member_.get() : nullptr;
  }
  // The same for calls that only the opener may make.
  Member* owned() const { return owner_ ? member() : nullptr; }
  uint32_t key() const { return key_; }
  bool is_owner() const { return owner_; }
  void close();

  ShardReaders& readers() { return readers_; }
  // Bytes of records and values that this environment copied out of the member.
  void count_copied(size_t bytes) {
    if (owner_) {
      member_->count_loop_copied(bytes);
    } else {
      member_->count_lambda_copied(bytes);
    }
  }
  void set_wake(napi_threadsafe_function wake) { wake_ = wake; }
  // After every call that may have changed whether answers are due.
  void hold_loop();
  void borrow(Token token, napi_value value);
  void release(Token token);
  bool borrows() const { return !borrowed_.empty(); }

 private:
  static void on_environment_end(void* handle);

  const napi_env env_;
  std::shared_ptr<Member> member_;  // null: this handle is closed; the member of another lives on
  const uint32_t key_;
  const bool owner_;
  ShardReaders readers_;
  napi_threadsafe_function wake_ = nullptr;
  napi_ref self_ = nullptr;  // an open member is not collected
  bool holds_loop_ = false;
  std::unordered_map<Token, napi_ref> borrowed_;
  uint64_t magic_ = kMagic;

  static constexpr uint64_t kMagic = 0x6672657368657448;
};

// Reads of a member that another thread may close meanwhile.
class ReadScope {
 public:
  explicit ReadScope(Handle& handle)
      : member_(handle.member()), counts_(member_ != nullptr && !handle.is_owner()) {
    if (counts_ && !member_->enter_read()) member_ = nullptr;
    counts_ = counts_ && member_ != nullptr;
  }
  ~ReadScope() {
    if (counts_) member_->leave_read();
  }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;

  Member* member() const { return member_; }

 private:
  Member* member_;
  bool counts_;
};

// A call of the owner's that may have an answer coming.
template <typename Function>
napi_value run(napi_env env, Handle* handle, Function function) {
  Member* member = handle->owned();
  const Status status = member == nullptr ? Status::kClosed : function(*member);
  if (member != nullptr) handle->hold_loop();
  return make_status(env, status);
}

// All of them, to what the addon exports.
void add_functions(napi_env env, napi_value exports);
// Each file of the binding adds its own.
void add_function(napi_env env, napi_value exports, const char* name, napi_callback function);
void init_constants(napi_env env, napi_value exports);
void init_member(napi_env env, napi_value exports);
void init_peers(napi_env env, napi_value exports);
void init_view(napi_env env, napi_value exports);
void init_clock(napi_env env, napi_value exports);
void init_shard(napi_env env, napi_value exports);
void init_log(napi_env env, napi_value exports);
void init_put(napi_env env, napi_value exports);
void init_read(napi_env env, napi_value exports);
void init_shared(napi_env env, napi_value exports);
void init_query(napi_env env, napi_value exports);
void init_subscription(napi_env env, napi_value exports);
void init_hash(napi_env env, napi_value exports);
void init_fabric(napi_env env, napi_value exports);
void init_socket(napi_env env, napi_value exports);

}  // namespace freshet::binding

#endif  // FRESHET_BINDING_HANDLE_H_
