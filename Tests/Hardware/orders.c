// Publishes `on` and `off` in turn at QoS 1, and prints CLOCK_MONOTONIC, in nanoseconds, right before each.
// Usage: orders PORT TOPIC COUNT RATE; ends when the broker has all of them.
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool is_connected;
static int acknowledged;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void on_connect(struct mosquitto *client, void *data, int code) {
  (void)client, (void)data;
  if (code != 0) exit(1);
  is_connected = true;
}

static void on_publish(struct mosquitto *client, void *data, int id) {
  (void)client, (void)data, (void)id;
  acknowledged++;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  int count = atoi(argv[3]);
  long long interval = (long long)(1e9 / atof(argv[4])), due = 0;
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_publish_callback_set(client, on_publish);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 60)) return 1;
  for (int sent = 0; sent < count || acknowledged < count;) {
    long long time = now();
    if (is_connected && sent < count && time >= due) {
      bool is_on = sent % 2 == 0;
      due = time + interval;
      printf("%lld\n", now());
      if (mosquitto_publish(client, NULL, argv[2], is_on ? 2 : 3, is_on ? "on" : "off", 1, false)) return 1;
      sent++;
    }
    long long left = (due - now()) / 1000000;
    if (mosquitto_loop(client, sent == count || !is_connected ? 100 : left > 0 ? (int)left : 0, 1)) return 1;
  }
  return 0;
}
