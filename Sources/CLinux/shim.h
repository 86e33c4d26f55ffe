// Kernel interfaces that Swift's map of the C library leaves out. No feature macros here: what they change in shared
// headers would contradict that map.
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
