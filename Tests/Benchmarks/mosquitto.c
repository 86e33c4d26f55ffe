// What MQTTBenchmark does, with libmosquitto. Usage: mosquitto-benchmark publish|receive PORT QOS COUNT SIZE; the last
// line is "SECONDS RSS-KB PROCESSOR-SECONDS".
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static int qos, count, size, done, receiving;
static struct timespec started;
static double used;

static double processor(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void start(void) {
  clock_gettime(CLOCK_MONOTONIC, &started);
  used = processor();
}

static void on_connect(struct mosquitto *client, void *data, int code) {
  (void)data;
  if (code != 0) exit(1);
  if (receiving) mosquitto_subscribe(client, NULL, "bench/#", qos);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int number, const int *granted) {
  (void)client, (void)data, (void)id, (void)number, (void)granted;
  puts("ready");
  fflush(stdout);
}

static void on_publish(struct mosquitto *client, void *data, int id) {
  (void)client, (void)data, (void)id;
  done++;
}

static void on_message(struct mosquitto *client, void *data, const struct mosquitto_message *message) {
  (void)client, (void)data, (void)message;
  if (done++ == 0) start();
}

int main(int argc, char **argv) {
  if (argc != 6) return 64;
  receiving = strcmp(argv[1], "receive") == 0;
  qos = atoi(argv[3]), count = atoi(argv[4]), size = atoi(argv[5]);
  char *payload = malloc(size);
  memset(payload, 'x', size);
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_max_inflight_messages_set(client, 100);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_publish_callback_set(client, on_publish);
  mosquitto_message_callback_set(client, on_message);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[2]), 60)) return 1;
  if (!receiving) {
    // Connected first, as the other one is when its clock starts.
    for (int i = 0; i < 20; i++) mosquitto_loop(client, 10, 1);
    start();
  }
  int sent = 0;
  while (done < count) {
    // No more than a window ahead, so that the queue costs neither of them memory.
    while (!receiving && sent < count && sent - done < 100) {
      if (mosquitto_publish(client, NULL, "bench/limpet", size, payload, qos, false)) return 1;
      sent++;
    }
    if (mosquitto_loop(client, receiving || qos > 0 ? 100 : 0, 1000)) return 1;
  }
  struct timespec ended;
  clock_gettime(CLOCK_MONOTONIC, &ended);
  used = processor() - used;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%.6f %ld %.6f\n", (ended.tv_sec - started.tv_sec) + (ended.tv_nsec - started.tv_nsec) / 1e9, usage.ru_maxrss, used);
  return 0;
}
