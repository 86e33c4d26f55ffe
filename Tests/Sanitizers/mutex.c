// Preloaded under the thread sanitizer: shows it the mutexes of Swift's Synchronization.
//
// An uncontended lock is taken with an atomic operation that is compiled into its caller, and seen. A contended one goes
// through libswiftSynchronization.so, which is not instrumented, to the kernel (futex(2), FUTEX_LOCK_PI): what was done
// under the lock before then looks like a race. So these two functions stand in front of the library's, and say what
// happens. Without the sanitizer in the process they only call on.
//
//   clang -shared -fPIC -o mutex.so mutex.c && LD_PRELOAD=$PWD/mutex.so PROGRAM
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

// Synchronization._MutexHandle._lockSlow(Swift.UInt32) -> ()
SWIFT void lock(uint32_t thread, SELF) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
// Synchronization._MutexHandle._unlockSlow() -> ()
SWIFT void unlock(SELF) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

typedef SWIFT void (*Lock)(uint32_t thread, SELF);
typedef SWIFT void (*Unlock)(SELF);

SWIFT void lock(uint32_t thread, SELF) {
  Lock next = (Lock)dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
  next(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT void unlock(SELF) {
  Unlock next = (Unlock)dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
  if (__tsan_release) __tsan_release(self);
  next(self);
}
