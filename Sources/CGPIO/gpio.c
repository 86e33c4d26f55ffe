#include "CGPIO.h"

#include <gpiod.h>

const char *limpet_gpio_library_version(void) {
// GPIOD_API is defined by libgpiod 1.x's header alone; the enumerators that differ cannot be seen by the preprocessor.
#ifdef GPIOD_API
  return gpiod_version_string();
#else
  return gpiod_api_version();
#endif
}
