#include "CGPIO.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static __u64 flags(const struct limpet_gpio_request *request) {
  __u64 flags = GPIO_V2_LINE_FLAG_INPUT;
  if (request->is_active_low) flags |= GPIO_V2_LINE_FLAG_ACTIVE_LOW;
  if (request->wants_rising) flags |= GPIO_V2_LINE_FLAG_EDGE_RISING;
  if (request->wants_falling) flags |= GPIO_V2_LINE_FLAG_EDGE_FALLING;
  switch (request->bias) {
    case LIMPET_GPIO_BIAS_AS_IS: break;
    case LIMPET_GPIO_BIAS_DISABLED: flags |= GPIO_V2_LINE_FLAG_BIAS_DISABLED; break;
    case LIMPET_GPIO_BIAS_PULL_UP: flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_UP; break;
    case LIMPET_GPIO_BIAS_PULL_DOWN: flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN; break;
  }
  return flags;
}

// One attribute for each kind of line there is: four biases, active low or not, are eight of the ten that there may be.
static void add_flags(struct gpio_v2_line_config *config, __u64 flags, uint32_t line) {
  for (__u32 index = 0; index < config->num_attrs; index++) {
    if (config->attrs[index].attr.flags != flags) continue;
    config->attrs[index].mask |= 1ULL << line;
    return;
  }
  config->attrs[config->num_attrs++] = (struct gpio_v2_line_config_attribute){
      .mask = 1ULL << line,
      .attr = {.id = GPIO_V2_LINE_ATTR_ID_FLAGS, .flags = flags},
  };
}

int limpet_gpio_request_lines(int chip, const struct limpet_gpio_request *requests, uint32_t count, int *lines) {
  // Zero everywhere else: the kernel refuses padding that is not.
  struct gpio_v2_line_request asked = {
      .num_lines = count,
      .event_buffer_size = requests[0].buffer,
      .config = {.flags = GPIO_V2_LINE_FLAG_INPUT},
  };
  for (uint32_t line = 0; line < count; line++) {
    asked.offsets[line] = requests[line].offset;
    if (count == 1) {
      asked.config.flags = flags(&requests[line]);
    } else {
      add_flags(&asked.config, flags(&requests[line]), line);
    }
  }
  snprintf(asked.consumer, sizeof asked.consumer, "%s", requests[0].consumer);
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &asked) < 0) return errno;
  // The kernel gives it close-on-exec, and blocking.
  if (fcntl(asked.fd, F_SETFL, O_NONBLOCK) < 0) {
    int failure = errno;
    close(asked.fd);
    return failure;
  }
  *lines = asked.fd;
  return 0;
}

int limpet_gpio_watch_edges(int lines, uint32_t count, const struct limpet_gpio_request *request) {
  struct gpio_v2_line_config config = {.flags = flags(request)};
  if (request->debounce > 0) {
    config.num_attrs = 1;
    config.attrs[0] = (struct gpio_v2_line_config_attribute){
        .mask = count < 64 ? (1ULL << count) - 1 : ~0ULL,
        .attr = {.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE, .debounce_period_us = request->debounce},
    };
  }
  return ioctl(lines, GPIO_V2_LINE_SET_CONFIG_IOCTL, &config) < 0 ? errno : 0;
}

int limpet_gpio_levels(int lines, uint32_t count, uint64_t *levels) {
  struct gpio_v2_line_values values = {.mask = count < 64 ? (1ULL << count) - 1 : ~0ULL};
  if (ioctl(lines, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0) return errno;
  *levels = values.bits & values.mask;
  return 0;
}

int limpet_gpio_read_events(int line, struct limpet_gpio_event *events, int count) {
  struct gpio_v2_line_event read_events[64];
  int limit = (int)(sizeof read_events / sizeof read_events[0]);
  if (count > limit) count = limit;
  ssize_t length = read(line, read_events, (size_t)count * sizeof read_events[0]);
  if (length < 0) return -errno;
  int taken = (int)((size_t)length / sizeof read_events[0]);
  for (int index = 0; index < taken; index++) {
    events[index] = (struct limpet_gpio_event){
        .time = read_events[index].timestamp_ns,
        .sequence = read_events[index].line_seqno,
        .total_sequence = read_events[index].seqno,
        .offset = read_events[index].offset,
        .is_rising = read_events[index].id == GPIO_V2_LINE_EVENT_RISING_EDGE,
    };
  }
  return taken;
}

int limpet_gpio_chip_is_there(int chip) {
  struct gpiochip_info info;
  return ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info) < 0 ? errno : 0;
}
