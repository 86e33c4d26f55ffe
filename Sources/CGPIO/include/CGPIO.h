// GPIO for Swift: chips and lines are found with libgpiod, 1.6 (Debian 12) or 2.x (Debian 13, Raspberry Pi OS), and
// lines are requested from the kernel's second interface itself, which libgpiod 1.6 does not speak: it has sequence
// numbers, debouncing and a buffer of a chosen size (linux/gpio.h, "gpio_v2", Linux 5.10 and later).
#ifndef LIMPET_CGPIO_H
#define LIMPET_CGPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Chips and lines, by libgpiod. Text is what the kernel has, at most 31 bytes and a NUL (GPIO_MAX_NAME_SIZE).

struct limpet_gpio_chip;

struct limpet_gpio_chip_info {
  char name[32];
  char label[32];
  uint32_t lines;
};

struct limpet_gpio_line_info {
  /// Empty where the line has none.
  char name[32];
  /// Who holds it; empty where nobody does, or where that one did not say.
  char consumer[32];
  bool is_used;
  bool is_output;
  bool is_active_low;
};

/// Opens the chip of a device file, /dev/gpiochip0, and says what it is.
///
/// Returns 0, or an errno: ENOENT, EACCES; ENOTTY or ENODEV where the file is no GPIO chip.
int limpet_gpio_open_chip(const char *path, struct limpet_gpio_chip **chip, struct limpet_gpio_chip_info *info);

/// What line `offset` of the chip is. Returns 0 or an errno.
int limpet_gpio_line_info(struct limpet_gpio_chip *chip, uint32_t offset, struct limpet_gpio_line_info *info);

void limpet_gpio_close_chip(struct limpet_gpio_chip *chip);

// Lines, by the kernel.

enum limpet_gpio_bias {
  LIMPET_GPIO_BIAS_AS_IS,
  LIMPET_GPIO_BIAS_DISABLED,
  LIMPET_GPIO_BIAS_PULL_UP,
  LIMPET_GPIO_BIAS_PULL_DOWN
};

struct limpet_gpio_request {
  uint32_t offset;
  enum limpet_gpio_bias bias;
  bool is_active_low;
  bool wants_rising;
  bool wants_falling;
  /// In microseconds; 0: none.
  uint32_t debounce;
  /// Events the kernel keeps for the reader; the oldest go when it is full.
  uint32_t buffer;
  /// At most 31 bytes; `gpioinfo` shows it.
  const char *consumer;
};

/// An edge, after `is_active_low`.
struct limpet_gpio_event {
  /// CLOCK_MONOTONIC, in nanoseconds.
  uint64_t time;
  /// Counts the events of this line since it was requested, those included that were dropped; the first is 1, and it
  /// wraps around.
  uint32_t sequence;
  bool is_rising;
};

/// Requests at most 64 lines of one chip as inputs, each in one step with its bias, by one descriptor; edges and debouncing
/// are asked for later. `chip` is an open descriptor of the device file; consumer and buffer are those of the first.
///
/// Returns 0 and the lines' descriptor, or an errno: EBUSY where one is held; ENODEV where the chip is gone.
int limpet_gpio_request_lines(int chip, const struct limpet_gpio_request *requests, uint32_t count, int *lines);

/// Asks for the edges of a line that was requested alone, and for debouncing.
///
/// Returns 0 or an errno: EINVAL, ENXIO, ENOTTY, EOPNOTSUPP and 524 (ENOTSUPP) where the chip or the kernel does not offer
/// what is asked for; the line stays requested as it was.
int limpet_gpio_watch_edges(int line, const struct limpet_gpio_request *request);

/// The levels now of the first `count` lines, from the lowest bit on, after bias, `is_active_low` and the kernel's
/// debouncing. Returns 0 or an errno.
int limpet_gpio_levels(int lines, uint32_t count, uint64_t *levels);

/// Takes at most `count` events that wait, and at most 64. Returns how many, or -errno: -EAGAIN where there are none.
int limpet_gpio_read_events(int line, struct limpet_gpio_event *events, int count);

/// Whether the chip behind an open descriptor is still there: 0, or ENODEV.
int limpet_gpio_chip_is_there(int chip);

#endif
