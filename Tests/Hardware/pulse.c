// Moves simulated lines: each edge writes pull-up or pull-down to a `pull` file of gpio-sim, the files in turn.
// Prints "edges COUNT seconds SECONDS late MICROSECONDS": what it did, and how late the latest edge was; then of each file
// "cycle SECONDS high SECONDS": from one rise to the next, and how much of that it was up, on average.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: pulse [OPTION...] PULL-FILE...\n"
    "  -r RATE     edges a second, over all files; without it, as fast as they can be written\n"
    "  -d PART     the part of a period that comes after a line's first edge, with -r (0.5)\n"
    "  -g MS,...   what to wait before each edge instead: as many edges as there are numbers\n"
    "  -n COUNT    edges in all\n"
    "  -t SECONDS  ends after this time\n"
    "  -k          keeps every edge: none is made before the one before it was taken\n"
    "  -l          loses all edges but the last: none is taken before all are made; for less than a second\n"
    "  -v          prints CLOCK_MONOTONIC, in nanoseconds, right before and right after each edge\n"
    "SIGTERM ends it early.\n";

enum { MAX_LINES = 64, MAX_GAPS = 1000 };

static volatile sig_atomic_t ended;

static void on_signal(int number) {
  (void)number;
  ended = 1;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void wait_until(int64_t time) {
  struct timespec t = {.tv_sec = time / 1000000000LL, .tv_nsec = time % 1000000000LL};
  while (!ended && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) continue;
}

// A line's interrupt thread reads the level when it runs: an edge that comes before that is lost in the kernel. With
// the threads on the processor that makes the edges, each runs before the write of its edge returns.
// With a priority above theirs none runs before all edges are made.
static void share_a_processor(int priority) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  sched_setaffinity(0, sizeof first, &first);
  struct sched_param parameter = {.sched_priority = priority};
  if (priority > 0 && sched_setscheduler(0, SCHED_FIFO, &parameter) != 0) perror("pulse: SCHED_FIFO");

  DIR *processes = opendir("/proc");
  if (processes == NULL) return;
  for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
    int pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    char path[64], name[16] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    if (fgets(name, sizeof name, file) != NULL && strncmp(name, "irq/", 4) == 0) {
      sched_setaffinity(pid, sizeof first, &first);
    }
    fclose(file);
  }
  closedir(processes);
}

// Whether a `pull` file says up.
static bool is_up(int file) {
  char text[16] = "";
  return pread(file, text, sizeof text - 1, 0) > 0 && strncmp(text, "pull-up", 7) == 0;
}

int main(int argc, char **argv) {
  double rate = 0, part = 0.5, seconds = 0, gaps[MAX_GAPS];
  long count = 0, gap_count = 0;
  bool keeps = false, loses = false, is_verbose = false;
  for (int option; (option = getopt(argc, argv, "r:d:g:n:t:klv")) != -1;) {
    switch (option) {
      case 'r': rate = atof(optarg); break;
      case 'd': part = atof(optarg); break;
      case 'g':
        for (char *word = strtok(optarg, ","); word && gap_count < MAX_GAPS; word = strtok(NULL, ",")) {
          gaps[gap_count++] = atof(word);
        }
        break;
      case 'n': count = atol(optarg); break;
      case 't': seconds = atof(optarg); break;
      case 'k': keeps = true; break;
      case 'l': loses = true; break;
      case 'v': is_verbose = true; break;
      default: fputs(usage, stderr); return 64;
    }
  }
  int lines = argc - optind;
  if (gap_count > 0) count = gap_count;
  if (lines < 1 || lines > MAX_LINES || (count <= 0 && seconds <= 0)) {
    fputs(usage, stderr);
    return 64;
  }
  int files[MAX_LINES];
  bool up[MAX_LINES];
  for (int line = 0; line < lines; line++) {
    files[line] = open(argv[optind + line], O_RDWR | O_CLOEXEC);
    if (files[line] < 0) {
      perror(argv[optind + line]);
      return 1;
    }
    up[line] = is_up(files[line]);
  }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  // Interrupt threads have 50. Who never waits would let nothing else run.
  if (keeps) share_a_processor(rate > 0 || gap_count > 0 ? 10 : 0);
  if (loses) share_a_processor(60);

  int64_t started = now(), due = started, latest = 0;
  struct { int64_t rise, fall, cycle, high; long cycles; } sums[MAX_LINES] = {0};
  long edge = 0;
  for (; !ended && (count <= 0 || edge < count); edge++) {
    if (gap_count > 0) {
      due += (int64_t)(gaps[edge] * 1e6);
    } else if (rate > 0) {
      // Two edges of each line are a period.
      bool is_second = edge / lines % 2 == 1;
      int64_t period = (int64_t)(edge / lines / 2 * (2e9 * lines / rate));
      int64_t within = is_second ? (int64_t)(part * 2e9 * lines / rate) : 0;
      due = started + period + within + (int64_t)(edge % lines * 1e9 / rate);
    }
    int64_t time = now();
    if (due > time) {
      wait_until(due);
      if (ended) break;
      time = now();
    }
    if (seconds > 0 && time - started > seconds * 1e9) break;
    if ((rate > 0 || gap_count > 0) && time - due > latest) latest = time - due;
    int line = edge % lines;
    up[line] = !up[line];
    int64_t before = now();
    const char *pull = up[line] ? "pull-up" : "pull-down";
    if (pwrite(files[line], pull, strlen(pull), 0) < 0) {
      perror(argv[optind + line]);
      return 1;
    }
    time = now();
    if (is_verbose) printf("%lld %lld\n", (long long)before, (long long)time);
    if (!up[line]) {
      sums[line].fall = time;
      continue;
    }
    if (sums[line].rise > 0) {
      sums[line].cycles++;
      sums[line].cycle += time - sums[line].rise;
      sums[line].high += sums[line].fall - sums[line].rise;
    }
    sums[line].rise = time;
  }
  printf("edges %ld seconds %.6f late %lld", edge, (now() - started) / 1e9, (long long)latest / 1000);
  for (int line = 0; line < lines; line++) {
    double whole = (sums[line].cycles > 0 ? sums[line].cycles : 1) * 1e9;
    printf(" cycle %.9f high %.9f", sums[line].cycle / whole, sums[line].high / whole);
  }
  puts("");
  return 0;
}
