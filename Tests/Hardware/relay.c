// The floor of the benchmark of commands: sets one line as the messages of a topic say, `on` or anything else, with
// libgpiod and libmosquitto, and does nothing else. Usage: relay PORT TOPIC CHIP OFFSET
#include <gpiod.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *topic;
static struct gpiod_line *line;

static void on_connect(struct mosquitto *client, void *data, int code) {
  (void)data;
  if (code != 0 || mosquitto_subscribe(client, NULL, topic, 1)) exit(1);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int count, const int *granted) {
  (void)client, (void)data, (void)id, (void)count, (void)granted;
  puts("ready");
  fflush(stdout);
}

static void on_message(struct mosquitto *client, void *data, const struct mosquitto_message *message) {
  (void)client, (void)data;
  int is_on = message->payloadlen == 2 && memcmp(message->payload, "on", 2) == 0;
  if (gpiod_line_set_value(line, is_on) != 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  topic = argv[2];
  struct gpiod_chip *chip = gpiod_chip_open_lookup(argv[3]);
  line = chip ? gpiod_chip_get_line(chip, (unsigned)atoi(argv[4])) : NULL;
  if (line == NULL || gpiod_line_request_output(line, "relay", 0) != 0) {
    perror(argv[3]);
    return 1;
  }
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_message_callback_set(client, on_message);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 60)) return 1;
  return mosquitto_loop_forever(client, -1, 1) != 0;
}
