// Prints CLOCK_MONOTONIC, in nanoseconds, when each message of a topic arrives.
// Usage: arrivals PORT TOPIC COUNT; says "ready" when it is subscribed, and ends after COUNT messages that are news.
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *topic;
static int left;

static void on_connect(struct mosquitto *client, void *data, int code) {
  (void)data;
  if (code != 0) exit(1);
  mosquitto_subscribe(client, NULL, topic, 1);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int number, const int *granted) {
  (void)client, (void)data, (void)id, (void)number, (void)granted;
  puts("ready");
  fflush(stdout);
}

static void on_message(struct mosquitto *client, void *data, const struct mosquitto_message *message) {
  (void)client, (void)data;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  if (message->retain) return;
  printf("%lld %s\n", t.tv_sec * 1000000000LL + t.tv_nsec, (const char *)message->payload);
  if (--left == 0) exit(0);
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  topic = argv[2];
  left = atoi(argv[3]);
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_message_callback_set(client, on_message);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 60)) return 1;
  return mosquitto_loop_forever(client, -1, 1) != 0;
}
