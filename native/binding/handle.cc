#include "native/binding/handle.h"

namespace freshet::binding {

Handle* Handle::read(napi_env env, napi_value value, const char* function) {
  napi_valuetype type;
  void* data = nullptr;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external)
    napi_get_value_external(env, value, &data);
  auto* handle = static_cast<Handle*>(data);
  if (handle != nullptr && handle->magic_ == kMagic) return handle;
  throw_type_error(env, std::string(function) + ": member", "a handle of openMember");
  return nullptr;
}

napi_value Handle::make(napi_env env, std::unique_ptr<Handle> handle) {
  Handle* raw = handle.release();
  const auto free = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
  napi_value value = nullptr;
  if (napi_create_external(env, raw, free, nullptr, &value) != napi_ok) {
    delete raw;
    return nullptr;
  }
  if (raw->owner_) napi_create_reference(env, value, 1, &raw->self_);
  napi_add_env_cleanup_hook(env, on_environment_end, raw);
  return value;
}

Handle::~Handle() { close(); }

void Handle::on_environment_end(void* data) {
  auto* handle = static_cast<Handle*>(data);
  handle->self_ = nullptr;  // the environment frees it
  handle->borrowed_.clear();
  if (handle->member_ == nullptr) return;
  if (handle->owner_) handle->member_->close();
  if (handle->wake_ != nullptr) napi_release_threadsafe_function(handle->wake_, napi_tsfn_abort);
  handle->wake_ = nullptr;
  handle->readers_ = ShardReaders();
  handle->member_.reset();
}

void Handle::close() {
  if (member_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, on_environment_end, this);
  if (owner_) member_->close();
  for (const auto& [token, reference] : borrowed_) napi_delete_reference(env_, reference);
  borrowed_.clear();
  if (wake_ != nullptr) napi_release_threadsafe_function(wake_, napi_tsfn_abort);
  wake_ = nullptr;
  if (self_ != nullptr) napi_delete_reference(env_, self_);
  self_ = nullptr;
  readers_ = ShardReaders();
  // Its memory is given back now, not when JavaScript's collector comes by.
  member_.reset();
}

void Handle::hold_loop() {
  if (wake_ == nullptr) return;
  const bool due = member_->outstanding() > 0;
  if (due == holds_loop_) return;
  holds_loop_ = due;
  if (due) {
    napi_ref_threadsafe_function(env_, wake_);
  } else {
    napi_unref_threadsafe_function(env_, wake_);
  }
}

void Handle::borrow(Token token, napi_value value) {
  napi_ref reference = nullptr;
  napi_create_reference(env_, value, 1, &reference);
  borrowed_.emplace(token, reference);
}

void Handle::release(Token token) {
  const auto found = borrowed_.find(token);
  if (found == borrowed_.end()) return;
  napi_delete_reference(env_, found->second);
  borrowed_.erase(found);
}

}  // namespace freshet::binding
