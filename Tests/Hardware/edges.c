// Counts the edges of a line, asked of the kernel itself: what there is to see, whatever a library or an agent makes
// of it. Usage: edges CHIP OFFSET IDLE-MS; prints "ready", and, when nothing came for IDLE-MS after an edge,
// "events COUNT lost COUNT alike COUNT": lost by the kernel's numbers, alike: two of one direction in a row.
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  int chip = open(argv[1], O_RDWR | O_CLOEXEC);
  if (chip < 0) {
    perror(argv[1]);
    return 1;
  }
  struct gpio_v2_line_request request = {.offsets = {(unsigned)atoi(argv[2])}, .num_lines = 1, .event_buffer_size = 1024};
  strcpy(request.consumer, "edges");
  request.config.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0) {
    perror("GPIO_V2_GET_LINE_IOCTL");
    return 1;
  }
  puts("ready");
  fflush(stdout);

  struct gpio_v2_line_event events[64];
  struct pollfd descriptor = {.fd = request.fd, .events = POLLIN};
  unsigned long count = 0, alike = 0;
  unsigned last_number = 0, last_id = 0;
  while (poll(&descriptor, 1, count == 0 ? 60000 : atoi(argv[3])) > 0) {
    ssize_t size = read(request.fd, events, sizeof events);
    if (size <= 0) break;
    for (size_t n = 0; n < size / sizeof events[0]; n++) {
      count++;
      if (events[n].id == last_id) alike++;
      last_id = events[n].id;
      last_number = events[n].line_seqno;
    }
  }
  printf("events %lu lost %lu alike %lu\n", count, last_number - count, alike);
  return 0;
}
