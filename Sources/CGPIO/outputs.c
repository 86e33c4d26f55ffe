#include "CGPIO.h"

#include <errno.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static __u64 flags(const struct limpet_gpio_output *output) {
  __u64 flags = GPIO_V2_LINE_FLAG_OUTPUT;
  if (output->is_active_low) flags |= GPIO_V2_LINE_FLAG_ACTIVE_LOW;
  switch (output->drive) {
    case LIMPET_GPIO_PUSH_PULL: break;
    case LIMPET_GPIO_OPEN_DRAIN: flags |= GPIO_V2_LINE_FLAG_OPEN_DRAIN; break;
    case LIMPET_GPIO_OPEN_SOURCE: flags |= GPIO_V2_LINE_FLAG_OPEN_SOURCE; break;
  }
  switch (output->bias) {
    case LIMPET_GPIO_BIAS_AS_IS: break;
    case LIMPET_GPIO_BIAS_DISABLED: flags |= GPIO_V2_LINE_FLAG_BIAS_DISABLED; break;
    case LIMPET_GPIO_BIAS_PULL_UP: flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_UP; break;
    case LIMPET_GPIO_BIAS_PULL_DOWN: flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN; break;
  }
  return flags;
}

// A level that is not given is low for the kernel, so it is always given.
static struct gpio_v2_line_config config(const struct limpet_gpio_output *output) {
  return (struct gpio_v2_line_config){
      .flags = flags(output),
      .num_attrs = 1,
      .attrs[0] = {.mask = 1, .attr = {.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES, .values = output->is_on ? 1 : 0}},
  };
}

static int request(int chip, const struct limpet_gpio_output *output, struct gpio_v2_line_config config, int *line) {
  struct gpio_v2_line_request asked = {.offsets[0] = output->offset, .num_lines = 1, .config = config};
  snprintf(asked.consumer, sizeof asked.consumer, "%s", output->consumer);
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &asked) < 0) return errno;
  *line = asked.fd;
  return 0;
}

int limpet_gpio_request_output(int chip, const struct limpet_gpio_output *output, int *line) {
  return request(chip, output, config(output), line);
}

int limpet_gpio_request_as_is(int chip, const struct limpet_gpio_output *output, int *line) {
  // Bias and drive go with a direction only.
  __u64 flags = output->is_active_low ? GPIO_V2_LINE_FLAG_ACTIVE_LOW : 0;
  return request(chip, output, (struct gpio_v2_line_config){.flags = flags}, line);
}

int limpet_gpio_make_output(int line, const struct limpet_gpio_output *output) {
  struct gpio_v2_line_config wanted = config(output);
  return ioctl(line, GPIO_V2_LINE_SET_CONFIG_IOCTL, &wanted) < 0 ? errno : 0;
}

int limpet_gpio_set_level(int line, bool is_on) {
  struct gpio_v2_line_values values = {.bits = is_on ? 1 : 0, .mask = 1};
  return ioctl(line, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0 ? errno : 0;
}

int limpet_gpio_is_output(int chip, uint32_t offset, bool *is_output) {
  struct gpio_v2_line_info info = {.offset = offset};
  if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info) < 0) return errno;
  *is_output = (info.flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0;
  return 0;
}

int limpet_gpio_chip_is(int chip, const char *name, const char *label) {
  struct gpiochip_info info;
  if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info) < 0) return errno;
  bool is_same = strncmp(info.name, name, sizeof info.name) == 0 && strncmp(info.label, label, sizeof info.label) == 0;
  return is_same ? 0 : ENODEV;
}
