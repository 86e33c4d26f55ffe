// The floor of the latency benchmark: waits for the edges of one line and publishes each at QoS 1 at once, with
// libgpiod and libmosquitto, and does nothing else. Usage: floor PORT TOPIC CHIP OFFSET
#include <gpiod.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_connected;

static void on_connect(struct mosquitto *client, void *data, int code) {
  (void)client, (void)data;
  if (code != 0) exit(1);
  is_connected = true;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  struct gpiod_chip *chip = gpiod_chip_open_lookup(argv[3]);
  struct gpiod_line *line = chip ? gpiod_chip_get_line(chip, (unsigned)atoi(argv[4])) : NULL;
  if (line == NULL || gpiod_line_request_both_edges_events(line, "floor") != 0) {
    perror(argv[3]);
    return 1;
  }
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client, on_connect);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 60)) return 1;
  while (!is_connected) {
    if (mosquitto_loop(client, 100, 1)) return 1;
  }
  puts("ready");
  fflush(stdout);

  struct pollfd descriptors[2] = {
      {.fd = gpiod_line_event_get_fd(line), .events = POLLIN}, {.fd = mosquitto_socket(client), .events = POLLIN}};
  for (;;) {
    descriptors[1].events = POLLIN | (mosquitto_want_write(client) ? POLLOUT : 0);
    if (poll(descriptors, 2, 1000) < 0) return 1;
    if (descriptors[0].revents) {
      struct gpiod_line_event event;
      if (gpiod_line_event_read(line, &event) != 0) return 1;
      char payload[128];
      // As much as the agent's readings carry.
      int length = snprintf(
          payload, sizeof payload, "{\"time\":%lld.%09ld,\"value\":%s}", (long long)event.ts.tv_sec, event.ts.tv_nsec,
          event.event_type == GPIOD_LINE_EVENT_RISING_EDGE ? "true" : "false");
      if (mosquitto_publish(client, NULL, argv[2], length, payload, 1, false)) return 1;
    }
    if (descriptors[1].revents & POLLIN && mosquitto_loop_read(client, 10)) return 1;
    if (descriptors[1].revents & POLLOUT && mosquitto_loop_write(client, 1)) return 1;
    if (mosquitto_loop_misc(client)) return 1;
  }
}
