#pragma once

#include "ngx/ngx.h"

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// The border between nginx's C and our C++: strings, pool objects, and the
// fence that no exception crosses.
namespace ai_proxy {

[[nodiscard]] inline std::string_view view(const ngx_str_t& s) noexcept
{
    return {reinterpret_cast<const char*>(s.data), s.len};
}

// Borrows: s must outlive the ngx_str_t.
[[nodiscard]] inline ngx_str_t to_ngx(std::string_view s) noexcept
{
    return {s.size(), reinterpret_cast<u_char*>(const_cast<char*>(s.data()))};
}
ngx_str_t to_ngx(const char*) = delete;

// Copies into the pool; data is nullptr when memory is short.
[[nodiscard]] inline ngx_str_t copy(
    ngx_pool_t* pool, std::string_view s) noexcept
{
    ngx_str_t out{0, static_cast<u_char*>(ngx_pnalloc(pool, s.size() + 1))};
    if (out.data != nullptr) {
        ngx_memcpy(out.data, s.data(), s.size());
        out.data[s.size()] = '\0';
        out.len = s.size();
    }
    return out;
}

// Makes a T that lives as long as the pool.  Throws std::bad_alloc.
template <class T, class... Args>
T* pool_new(ngx_pool_t* pool, Args&&... args)
{
    static_assert(alignof(T) <= 16);
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, 0);
    void* memory = ngx_pmemalign(pool, sizeof(T), alignof(T));
    if (cleanup == nullptr || memory == nullptr) {
        throw std::bad_alloc();
    }
    T* object = new (memory) T(std::forward<Args>(args)...);
    cleanup->data = object;
    cleanup->handler = [](void* data) noexcept { static_cast<T*>(data)->~T(); };
    return object;
}

// A text of run-time length, logged as data and never as a format.
inline void log_text(ngx_uint_t level, ngx_log_t* log, std::string_view text,
    ngx_err_t err = 0) noexcept
{
    ngx_log_error(level, log, err, "%*s", text.size(), text.data());
}

// The body of every function whose address nginx holds: an exception would
// end the worker with all its connections, here it ends the one request.
template <class R, class F>
R guard(ngx_log_t* log, R on_error, F&& body) noexcept
{
    try {
        return body();

    } catch (const std::bad_alloc&) {
        log_text(NGX_LOG_ERR, log, "ai_proxy: out of memory");

    } catch (const std::exception& e) {
        log_text(NGX_LOG_ALERT, log,
            std::string_view(e.what(), strnlen(e.what(), 256)));

    } catch (...) {
        log_text(NGX_LOG_ALERT, log, "ai_proxy: unknown exception");
    }
    return on_error;
}

// The same for handlers that return nothing; on_error runs after a failure.
template <class F, class G>
void guard_void(ngx_log_t* log, F&& body, G&& on_error) noexcept
{
    int ok = guard(log, 0, [&] {
        body();
        return 1;
    });
    if (!ok) {
        on_error();
    }
}

// Who has it alone changes what lies in the zone of the pool.
class ShmLock {
public:
    explicit ShmLock(ngx_slab_pool_t* pool) noexcept : pool_(pool)
    {
        ngx_shmtx_lock(&pool_->mutex);
    }
    ~ShmLock() { ngx_shmtx_unlock(&pool_->mutex); }
    ShmLock(const ShmLock&) = delete;
    ShmLock& operator=(const ShmLock&) = delete;

private:
    ngx_slab_pool_t* pool_;
};

} // namespace ai_proxy
