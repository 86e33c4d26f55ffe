// Commands an output on and off in turn, each with an id, over a session that the broker keeps.
// So many may wait for their answers: what is not answered in 3 s is not waited for.
// Usage: commands PORT TOPIC ANSWERS INTERVAL_MS QOS. SIGUSR1 and SIGUSR2 have it pause and go on.
// Prints "ready", "sent ID TIME" and "answer ID TIME PAYLOAD", times by CLOCK_BOOTTIME in nanoseconds.
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { window = 12, most = 1 << 20 };

static volatile sig_atomic_t is_paused = 1;
static const char *answers;
static bool is_subscribed;
// By id; 0: it is answered.
static long long sent[most];

static void pause_or_go_on(int number) { is_paused = number == SIGUSR1; }

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void on_connect(struct mosquitto *client, void *data, int code, int flags, const mosquitto_property *properties) {
  (void)data, (void)flags, (void)properties;
  if (code != 0 || mosquitto_subscribe(client, NULL, answers, 2)) exit(1);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int count, const int *granted) {
  (void)client, (void)data, (void)id, (void)count, (void)granted;
  if (!is_subscribed) puts("ready");
  is_subscribed = true;
}

static void on_message(
    struct mosquitto *client, void *data, const struct mosquitto_message *message,
    const mosquitto_property *properties) {
  (void)client, (void)data;
  void *id = NULL;
  uint16_t length = 0;
  // libmosquitto ends it with a 0.
  mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &id, &length, false);
  printf(
      "answer %.*s %lld %.*s\n", (int)length, id ? (char *)id : "", now(), message->payloadlen,
      (char *)message->payload);
  int number = id ? atoi(id) : 0;
  if (number > 0 && number < most) sent[number] = 0;
  free(id);
}

static int waiting(int next) {
  int count = 0;
  for (int id = next - 1; id > 0 && id > next - 200; id--) count += sent[id] > now() - 3000000000LL;
  return count;
}

int main(int argc, char **argv) {
  if (argc != 6) return 64;
  const char *topic = argv[2];
  answers = argv[3];
  long long interval = atoi(argv[4]) * 1000000LL;
  int qos = atoi(argv[5]);
  signal(SIGUSR1, pause_or_go_on);
  signal(SIGUSR2, pause_or_go_on);
  setvbuf(stdout, NULL, _IOLBF, 0);

  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new("commander", false, NULL);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_v5_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_message_v5_callback_set(client, on_message);
  mosquitto_property *kept = NULL;
  mosquitto_property_add_int32(&kept, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 3600);
  if (mosquitto_connect_bind_v5(client, "127.0.0.1", atoi(argv[1]), 60, NULL, kept)) return 1;

  long long due = 0;
  for (int id = 1; id < most;) {
    // A signal interrupts the wait.
    int code = mosquitto_loop(client, 5, 1);
    if (code == MOSQ_ERR_CONN_LOST && mosquitto_reconnect(client)) return 1;
    if (!is_subscribed || is_paused || now() < due || waiting(id) >= window) continue;
    char payload[64], number[16];
    snprintf(number, sizeof number, "%d", id);
    int length = snprintf(payload, sizeof payload, "{\"value\":\"%s\",\"id\":\"%d\"}", id % 2 ? "on" : "off", id);
    mosquitto_property *properties = NULL;
    mosquitto_property_add_string(&properties, MQTT_PROP_RESPONSE_TOPIC, answers);
    mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA, number, (uint16_t)strlen(number));
    due = now() + interval;
    sent[id] = now();
    printf("sent %d %lld\n", id, sent[id]);
    if (mosquitto_publish_v5(client, NULL, topic, length, payload, qos, false, properties)) return 1;
    mosquitto_property_free_all(&properties);
    id++;
  }
}
