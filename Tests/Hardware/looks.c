// Looks at the first lines of a chip again and again, and does nothing else: what that costs at least.
// Usage: looks CHIP LINES MS; prints "ready" when it has them, and ends with SIGTERM.
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  int chip = open(argv[1], O_RDWR | O_CLOEXEC);
  if (chip < 0) {
    perror(argv[1]);
    return 1;
  }
  struct gpio_v2_line_request request = {.num_lines = (unsigned)atoi(argv[2])};
  if (request.num_lines < 1 || request.num_lines > GPIO_V2_LINES_MAX) return 64;
  for (unsigned line = 0; line < request.num_lines; line++) request.offsets[line] = line;
  strcpy(request.consumer, "looks");
  request.config.flags = GPIO_V2_LINE_FLAG_INPUT;
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0) {
    perror("GPIO_V2_GET_LINE_IOCTL");
    return 1;
  }
  puts("ready");
  fflush(stdout);

  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  uint64_t last = 0;
  for (unsigned long changes = 0;;) {
    struct gpio_v2_line_values values = {.mask = ~0ULL >> (64 - request.num_lines)};
    if (ioctl(request.fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0) {
      perror("GPIO_V2_LINE_GET_VALUES_IOCTL");
      return 1;
    }
    if (values.bits != last) printf("%lu\n", ++changes);
    last = values.bits;
    next.tv_nsec += atol(argv[3]) * 1000000;
    while (next.tv_nsec >= 1000000000) {
      next.tv_sec++;
      next.tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}
