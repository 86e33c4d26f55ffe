// What a socket alone costs: ready-made PUBLISH packets, as MQTTBenchmark and mosquitto.c publish them.
// Usage: raw publish PORT QOS COUNT SIZE, with QoS 0 or 1 and at most 100 bytes; the last line is
// "SECONDS RSS-KB PROCESSOR-SECONDS".
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { window = 100, batch = 500 };

static int server;

static void must(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static void send_all(const unsigned char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = write(server, bytes, count);
    must(sent > 0, "write");
    bytes += sent, count -= sent;
  }
}

static double processor(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 6 || strcmp(argv[1], "publish") != 0) return 64;
  const int qos = atoi(argv[3]), count = atoi(argv[4]), size = atoi(argv[5]);
  if (qos > 1 || size > 100) return 64;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  server = socket(AF_INET, SOCK_STREAM, 0);
  must(connect(server, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  const int on = 1;
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  static const unsigned char hello[] = {0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 3, 'r', 'a', 'w'};
  send_all(hello, sizeof hello);
  unsigned char answer[65536];
  must(read(server, answer, 4) == 4 && answer[3] == 0, "CONNACK");

  unsigned char packet[160] = {0x30 | qos << 1};
  static const char topic[] = "bench/limpet";
  int length = 2;
  packet[length++] = 0, packet[length++] = sizeof topic - 1;
  memcpy(packet + length, topic, sizeof topic - 1), length += sizeof topic - 1;
  const int identifier = length;
  if (qos > 0) length += 2;
  memset(packet + length, 'x', size), length += size;
  packet[1] = length - 2;
  static unsigned char row[batch * sizeof packet];

  struct timespec started, ended;
  clock_gettime(CLOCK_MONOTONIC, &started);
  const double before = processor();
  int sent = 0, done = 0, rest = 0;
  while (done < count) {
    int room = qos == 0 ? batch : window - (sent - done);
    if (room > count - sent) room = count - sent;
    for (int i = 0; i < room; i++, sent++) {
      if (qos > 0) {
        const int number = sent % 65535 + 1;
        packet[identifier] = number >> 8, packet[identifier + 1] = number & 0xff;
      }
      memcpy(row + i * length, packet, length);
    }
    send_all(row, (size_t)room * length);
    if (qos == 0) {
      done = sent;
      continue;
    }
    // PUBACK: four bytes each.
    const ssize_t got = read(server, answer, sizeof answer);
    must(got > 0, "PUBACK");
    done += (rest + got) / 4, rest = (rest + got) % 4;
  }
  const double used = processor() - before;
  clock_gettime(CLOCK_MONOTONIC, &ended);
  static const unsigned char goodbye[] = {0xe0, 0};
  send_all(goodbye, sizeof goodbye);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%.6f %ld %.6f\n", (ended.tv_sec - started.tv_sec) + (ended.tv_nsec - started.tv_nsec) / 1e9, usage.ru_maxrss, used);
  return 0;
}
