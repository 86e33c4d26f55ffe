#include "CGPIO.h"

#include <errno.h>
#include <gpiod.h>
#include <stdio.h>

// GPIOD_API is defined by libgpiod 1.x's header alone; the enumerators that differ cannot be seen by the preprocessor.
#ifdef GPIOD_API
#define LIBGPIOD_1
#endif

// `struct limpet_gpio_chip` is libgpiod's own; the name is ours so that Swift needs no header of theirs.
static struct gpiod_chip *theirs(struct limpet_gpio_chip *chip) { return (struct gpiod_chip *)chip; }

static int error(void) { return errno != 0 ? errno : EIO; }

static void copy(char *field, size_t size, const char *text) { snprintf(field, size, "%s", text != NULL ? text : ""); }

int limpet_gpio_open_chip(const char *path, struct limpet_gpio_chip **chip, struct limpet_gpio_chip_info *info) {
  errno = 0;
  struct gpiod_chip *opened = gpiod_chip_open(path);
  if (opened == NULL) return error();
#ifdef LIBGPIOD_1
  copy(info->name, sizeof info->name, gpiod_chip_name(opened));
  copy(info->label, sizeof info->label, gpiod_chip_label(opened));
  info->lines = gpiod_chip_num_lines(opened);
#else
  struct gpiod_chip_info *found = gpiod_chip_get_info(opened);
  if (found == NULL) {
    int failure = error();
    gpiod_chip_close(opened);
    return failure;
  }
  copy(info->name, sizeof info->name, gpiod_chip_info_get_name(found));
  copy(info->label, sizeof info->label, gpiod_chip_info_get_label(found));
  info->lines = (uint32_t)gpiod_chip_info_get_num_lines(found);
  gpiod_chip_info_free(found);
#endif
  *chip = (struct limpet_gpio_chip *)opened;
  return 0;
}

int limpet_gpio_line_info(struct limpet_gpio_chip *chip, uint32_t offset, struct limpet_gpio_line_info *info) {
  errno = 0;
#ifdef LIBGPIOD_1
  struct gpiod_line *line = gpiod_chip_get_line(theirs(chip), offset);
  if (line == NULL) return error();
  copy(info->name, sizeof info->name, gpiod_line_name(line));
  copy(info->consumer, sizeof info->consumer, gpiod_line_consumer(line));
  info->is_used = gpiod_line_is_used(line);
  info->is_output = gpiod_line_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT;
  info->is_active_low = gpiod_line_active_state(line) == GPIOD_LINE_ACTIVE_STATE_LOW;
#else
  struct gpiod_line_info *line = gpiod_chip_get_line_info(theirs(chip), offset);
  if (line == NULL) return error();
  copy(info->name, sizeof info->name, gpiod_line_info_get_name(line));
  copy(info->consumer, sizeof info->consumer, gpiod_line_info_get_consumer(line));
  info->is_used = gpiod_line_info_is_used(line);
  info->is_output = gpiod_line_info_get_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT;
  info->is_active_low = gpiod_line_info_is_active_low(line);
  gpiod_line_info_free(line);
#endif
  return 0;
}

void limpet_gpio_close_chip(struct limpet_gpio_chip *chip) { gpiod_chip_close(theirs(chip)); }
