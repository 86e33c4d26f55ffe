// The floor of reading sensors: reads each file once a second and publishes it with libmosquitto, in the shape that limpet
// gives it. Usage: sensors-benchmark PORT SECONDS FILE..., the last line is "CPU-SECONDS".
#include <fcntl.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  int seconds = atoi(argv[2]), count = argc - 3;
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new("floor", true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_max_inflight_messages_set(client, 100);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 60)) return 1;
  for (int i = 0; i < 20; i++) mosquitto_loop(client, 10, 1);
  double start = now();
  for (int round = 0; round < seconds; round++) {
    for (int i = 0; i < count; i++) {
      char text[4096];
      int file = open(argv[3 + i], O_RDONLY | O_CLOEXEC);
      ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
      if (length < 0) return 1;
      close(file);
      text[length] = 0;
      struct timespec wall;
      clock_gettime(CLOCK_REALTIME, &wall);
      struct tm date;
      gmtime_r(&wall.tv_sec, &date);
      char stamp[32], topic[64], payload[256];
      strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &date);
      snprintf(topic, sizeof topic, "limpet/floor/s%d", i);
      int size = snprintf(payload, sizeof payload, "{\"time\":\"%s.%03ldZ\",\"value\":%g,\"unit\":\"°C\",\"seq\":%d}", stamp,
                          wall.tv_nsec / 1000000, strtol(text, NULL, 10) / 1000.0, round + 1);
      if (mosquitto_publish(client, NULL, topic, size, payload, 1, false)) return 1;
    }
    while (now() < start + round + 1) {
      double rest = start + round + 1 - now();
      if (mosquitto_loop(client, rest > 0 ? (int)(rest * 1000) + 1 : 0, 1000)) return 1;
    }
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%.3f\n", usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  return 0;
}
