// Interfaces of the kernel and of the C library that Swift's map of that leaves out. No feature macros here: what they
// change in shared headers would contradict that map.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <unistd.h>

/// The environment of this process (environ(7)): a variable that Swift takes for one that several threads change.
static inline char **limpet_environment(void) {
  extern char **environ;
  return environ;
}

/// pidfd_open(2): readable when the process ends; -1 where the kernel has none (before 5.3).
static inline int limpet_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }
