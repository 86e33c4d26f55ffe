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
  /// The same for the events of all lines that were requested together.
  uint32_t total_sequence;
  /// Of the line in its chip.
  uint32_t offset;
  bool is_rising;
};

/// Requests at most 64 lines of one chip as inputs, each in one step with its bias, by one descriptor; edges and debouncing
/// are asked for later. `chip` is an open descriptor of the device file; consumer and buffer are those of the first.
///
/// Returns 0 and the lines' descriptor, or an errno: EBUSY where one is held; ENODEV where the chip is gone.
int limpet_gpio_request_lines(int chip, const struct limpet_gpio_request *requests, uint32_t count, int *lines);

/// Asks for the edges of the `count` lines that were requested together, of all in the same way, and for debouncing.
///
/// Returns 0 or an errno: EINVAL, ENXIO, ENOTTY, EOPNOTSUPP and 524 (ENOTSUPP) where the chip or the kernel does not offer
/// what is asked for; the line stays requested as it was.
int limpet_gpio_watch_edges(int lines, uint32_t count, const struct limpet_gpio_request *request);

/// The levels now of the first `count` lines, from the lowest bit on, after bias, `is_active_low` and the kernel's
/// debouncing. Returns 0 or an errno.
int limpet_gpio_levels(int lines, uint32_t count, uint64_t *levels);

/// Takes at most `count` events that wait, and at most 64. Returns how many, or -errno: -EAGAIN where there are none.
int limpet_gpio_read_events(int line, struct limpet_gpio_event *events, int count);

enum limpet_gpio_drive { LIMPET_GPIO_PUSH_PULL, LIMPET_GPIO_OPEN_DRAIN, LIMPET_GPIO_OPEN_SOURCE };

struct limpet_gpio_output {
  uint32_t offset;
  enum limpet_gpio_bias bias;
  enum limpet_gpio_drive drive;
  bool is_active_low;
  /// The first level, after `is_active_low`.
  bool is_on;
  /// At most 31 bytes; `gpioinfo` shows it.
  const char *consumer;
};

/// Requests one line as an output: level, drive and bias come with the request, so that the line has no other in between.
///
/// Returns 0 and the line's descriptor, or an errno, as `limpet_gpio_request_lines` does.
int limpet_gpio_request_output(int chip, const struct limpet_gpio_output *output, int *line);

/// Requests one line as it is: neither its direction nor its level nor its bias is touched.
int limpet_gpio_request_as_is(int chip, const struct limpet_gpio_output *output, int *line);

/// Makes a line that was requested as it is an output with this level, drive and bias. Returns 0 or an errno.
int limpet_gpio_make_output(int line, const struct limpet_gpio_output *output);

/// Sets the level of a line that was requested alone, after `is_active_low`. Returns 0 or an errno.
int limpet_gpio_set_level(int line, bool is_on);

/// Whether line `offset` of an open chip is an output. The kernel asks the pin's driver when a line is requested, and only
/// then: of one that nobody holds this is what it was when it was last held.
///
/// Returns 0 or an errno.
int limpet_gpio_is_output(int chip, uint32_t offset, bool *is_output);

/// Whether the chip behind an open descriptor is still there: 0, or ENODEV.
int limpet_gpio_chip_is_there(int chip);

/// Whether the chip behind an open descriptor is the one of this name and label: the device file may be another chip's by
/// now. 0; ENODEV where it is another or gone; another errno where it does not say.
int limpet_gpio_chip_is(int chip, const char *name, const char *label);

#endif
