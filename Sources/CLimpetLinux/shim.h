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

/// SO_RCVTIMEO and SO_SNDTIMEO of socket(7), which are expressions that Swift cannot read where time_t is wider than long.
/// sys/socket.h is not for here: it would hide from Swift what its own map has of that.
static const int limpet_receive_timeout = sizeof(time_t) > sizeof(long) ? 66 : 20;
static const int limpet_send_timeout = sizeof(time_t) > sizeof(long) ? 67 : 21;

/// pidfd_open(2): readable when the process ends; -1 where the kernel has none (before 5.3).
static inline int limpet_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }
