// One API over libgpiod 1.6 (Debian 12) and 2.x (Debian 13, Raspberry Pi OS): Swift sees the same names on both.
#ifndef LIMPET_CGPIO_H
#define LIMPET_CGPIO_H

/// The version of the libgpiod that is linked, for example "1.6.3"; never null, lives as long as the process.
const char *limpet_gpio_library_version(void);

#endif
