/* A crowd of watchers in one thread, for the benches: it must cost less than what it measures.
 *
 * crowd PORT WATCHERS SOURCES KIND PATH FIRST WATCH SAY ID_AT STAMP_AT LATER
 *   KIND      what counts as a delivery: rsocket (PAYLOAD frames), text (socket.io's 42), any
 *   FIRST     hex: the bytes that every connection sends once it is upgraded
 *   WATCH     hex: what every watcher sends after them
 *   SAY       hex: the message that says a line; at ID_AT four bytes of stream id (-1: none), at STAMP_AT the stamp
 *   LATER     hex: what a watcher sends for each LATER_ITEMS deliveries (more credit), or ""
 * It prints "ready", then obeys lines on stdin:
 *   idle N BYTES   the first N watchers read no more than BYTES a second from now on (0: nothing); they are not counted
 *   talk W S       keep W lines in flight for S seconds
 *   pace R S       say R lines a second for S seconds
 *   hear S         only listen for S seconds: somebody else says lines with stamps
 *   each S N       the same, and tell how many microseconds each line from number N on needed to its last watcher, on a
 *                  line after the answer
 *   burst N        say N lines, as fast as the last but 64 has come
 * and prints after each of the last five: deliveries, seconds, out of order, and in microseconds p50 and p99 of a
 * line's last watcher, p50 and p99 of all deliveries. While it only listens it looks each NAP_NS for what has come: to
 * wake it for each message costs the server an interrupt of another core, and a viewer elsewhere does not.
 * A stamp is ~, CLOCK_MONOTONIC in 16 hex digits, the line's number in 8, ~.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, LINES = 1 << 20, LATER_ITEMS = 128, JOINING = 64, NAP_NS = 200000 };

typedef struct {
  int fd, upgraded, idle;
  char *kept;
  int kept_bytes;
  uint32_t last, items;
  double budget; /* bytes that a slow one may still read */
} Peer;

typedef struct {
  uint32_t *of, count, room;
} Times;

static Peer *peers; /* the last is the speaker */
static int watchers, poller, id_at, stamp_at, first_bytes, watch_bytes, say_bytes, later_bytes, idlers, upgraded;
static char kind, first[4096], watch[4096], say[65536], later[256], head[4096], buffer[BUFFER];
static uint32_t said, done, *heard;
static uint64_t *heard_at, *said_at;
static uint64_t deliveries, wrong;
static Times last_times, all_times;
static double slow_bytes;
static uint32_t counted_from; /* of the lines that `each` tells of */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int unhex(const char *hex, char *to) {
  int n = strlen(hex) / 2;
  for (int i = 0; i < n; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&to[i]);
  return n;
}

static void add_time(Times *times, uint64_t ns) {
  if (times->count == times->room)
    times->of = realloc(times->of, (times->room = times->room ? 2 * times->room : 65536) * sizeof *times->of);
  times->of[times->count++] = ns / 1000;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t percentile(Times *times, int percent) {
  if (!times->count) return 0;
  return times->of[(uint64_t)(times->count - 1) * percent / 100];
}

static void take_line(Peer *peer, const char *data, int length, uint64_t now) {
  const char *stamp = memchr(data, '~', length);
  char digits[9] = {0}, nanoseconds[17] = {0};
  deliveries++;
  if (++peer->items % LATER_ITEMS == 0 && later_bytes) send(peer->fd, later, later_bytes, MSG_NOSIGNAL);
  if (!stamp || stamp + 26 > data + length) return;
  memcpy(nanoseconds, stamp + 1, 16), memcpy(digits, stamp + 17, 8);
  uint64_t at = strtoull(nanoseconds, 0, 16);
  uint32_t number = strtoul(digits, 0, 16);
  if (peer->last && number != peer->last + 1) wrong++;
  peer->last = number;
  if (number >= LINES) return;
  add_time(&all_times, now - at);
  heard_at[number] = now, said_at[number] = at;
  if (++heard[number] == (uint32_t)(watchers - idlers)) {
    done++;
    if (number >= counted_from) add_time(&last_times, now - at);
  }
}

static void put(int fd, const char *data, int length) {
  while (length) {
    int n = send(fd, data, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) continue;
    if (n < 0) die("send");
    data += n, length -= n;
  }
}

static void speak(void) {
  char stamp[27];
  uint32_t id = 2 * ++said + 1;
  if (id_at >= 0) say[id_at] = id >> 24, say[id_at + 1] = id >> 16, say[id_at + 2] = id >> 8, say[id_at + 3] = id;
  snprintf(stamp, sizeof stamp, "~%016llx%08x~", (unsigned long long)now_ns(), said);
  memcpy(say + stamp_at, stamp, 26);
  put(peers[watchers].fd, say, say_bytes);
}

static void receive(Peer *peer) {
  int asked = BUFFER - peer->kept_bytes;
  if (peer->idle && asked > peer->budget) asked = peer->budget;
  if (asked <= 0) return;
  if (peer->kept_bytes) memcpy(buffer, peer->kept, peer->kept_bytes);
  int n = recv(peer->fd, buffer + peer->kept_bytes, asked, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    fprintf(stderr, "crowd: peer %d has gone\n", (int)(peer - peers));
    if (!peer->idle) exit(2);
    epoll_ctl(poller, EPOLL_CTL_DEL, peer->fd, 0);
    return;
  }
  if (peer->idle) peer->budget -= n;
  char *at = buffer, *end = buffer + peer->kept_bytes + n;
  if (!peer->upgraded) {
    char *blank = memmem(at, end - at, "\r\n\r\n", 4);
    if (blank) {
      if (memcmp(at, "HTTP/1.1 101", 12)) fprintf(stderr, "crowd: %.*s\n", 80, at), exit(3);
      at = blank + 4, peer->upgraded = 1, upgraded++;
      if (first_bytes) put(peer->fd, first, first_bytes);
      if (watch_bytes && peer != peers + watchers) put(peer->fd, watch, watch_bytes);
    }
  }
  uint64_t now = now_ns();
  while (peer->upgraded && end - at >= 2) {
    unsigned char *u = (unsigned char *)at;
    long length = u[1] & 127, start = 2;
    if (length == 126 && end - at >= 4) length = u[2] << 8 | u[3], start = 4;
    else if (length == 126) break;
    if (length == 127) fprintf(stderr, "crowd: a long message\n"), exit(4);
    if (start + length > end - at) break;
    char *data = at + start;
    int is_line = kind == 'a' || (kind == 't' ? length > 2 && data[0] == '4' && data[1] == '2'
                                              : length > 6 && (unsigned char)data[4] >> 2 == 10 && u[0] == 0x82);
    if (is_line && peer != peers + watchers && !peer->idle) take_line(peer, data, length, now);
    at += start + length;
  }
  peer->kept_bytes = end - at;
  free(peer->kept), peer->kept = 0;
  if (peer->kept_bytes) memcpy(peer->kept = malloc(peer->kept_bytes), at, peer->kept_bytes);
}

static void turn(int wait_ms) {
  struct epoll_event events[512];
  int n = epoll_wait(poller, events, 512, wait_ms);
  for (int i = 0; i < n; i++) {
    Peer *peer = events[i].data.ptr;
    if (!peer->idle) receive(peer);
  }
}

static void feed_slow(double seconds) {
  for (int i = 0; i < idlers && slow_bytes; i++) {
    peers[i].budget += slow_bytes * seconds;
    receive(&peers[i]);
  }
}

static void reach(int port, int sources) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0, on = 1; i <= watchers; i++) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + i % sources)};
    Peer *peer = &peers[i];
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (peer->fd < 0 || bind(peer->fd, (void *)&from, sizeof from)) die("bind");
    if (connect(peer->fd, (void *)&at, sizeof at)) die("connect");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(poller, EPOLL_CTL_ADD, peer->fd, &event);
    put(peer->fd, head, strlen(head));
    while (upgraded < i + 1 - JOINING) turn(-1);
  }
  while (upgraded < watchers + 1) turn(-1);
}

static void run(const char *what, double much, double seconds, uint32_t first_number) {
  uint64_t began = now_ns(), ends = began + seconds * 1e9, slow_at = began;
  deliveries = wrong = last_times.count = all_times.count = 0;
  uint32_t done_before = done, said_before = said;
  int listens = *what == 'h' || *what == 'e';
  counted_from = *what == 'e' ? first_number : 0;
  for (;;) {
    uint64_t now = now_ns();
    if (*what == 'b' ? said - said_before >= (uint32_t)much : now >= ends) break;
    if (*what == 't') while (said - done < (uint32_t)much) speak();
    if (*what == 'b') while (said - done < 64 && said - said_before < (uint32_t)much) speak();
    if (*what == 'p') while ((now - began) * much / 1e9 > said - said_before) speak();
    if (now - slow_at > 20000000) feed_slow((now - slow_at) / 1e9), slow_at = now;
    if (listens) nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, 0);
    turn(*what == 'p' || slow_bytes ? 1 : 10);
  }
  uint64_t ended = now_ns(), last_wait = ended + 5000000000ull;
  if (!listens)
    while (done - done_before < said - said_before && now_ns() < last_wait) turn(10);
  qsort(last_times.of, last_times.count, sizeof *last_times.of, by_size);
  qsort(all_times.of, all_times.count, sizeof *all_times.of, by_size);
  if (!listens && done - done_before < said - said_before) wrong += said - said_before - (done - done_before);
  printf("%llu %.6f %llu %u %u %u %u\n", (unsigned long long)deliveries, (now_ns() - began) / 1e9,
         (unsigned long long)wrong, percentile(&last_times, 50), percentile(&last_times, 99),
         percentile(&all_times, 50), percentile(&all_times, 99));
  if (*what == 'e') {
    for (uint32_t i = 0; i < last_times.count; i++) printf("%u ", last_times.of[i]);
    printf("\n");
  }
}

int main(int count, char **words) {
  char line[256], what[16];
  double much, seconds;
  if (count != 12) return 64;
  watchers = atoi(words[2]), kind = *words[4];
  snprintf(head, sizeof head,
           "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
           words[5]);
  first_bytes = unhex(words[6], first), watch_bytes = unhex(words[7], watch), say_bytes = unhex(words[8], say);
  id_at = atoi(words[9]), stamp_at = atoi(words[10]), later_bytes = unhex(words[11], later);
  peers = calloc(watchers + 1, sizeof *peers), heard = calloc(LINES, sizeof *heard);
  heard_at = calloc(LINES, sizeof *heard_at), said_at = calloc(LINES, sizeof *said_at);
  poller = epoll_create1(0);
  setvbuf(stdout, 0, _IOLBF, 0);
  reach(atoi(words[1]), atoi(words[3]));
  printf("ready\n");
  while (fgets(line, sizeof line, stdin)) {
    much = seconds = 0;
    sscanf(line, "%15s %lf %lf", what, &much, &seconds);
    if (!strcmp(what, "idle")) {
      idlers = much, slow_bytes = seconds;
      for (int i = 0; i < idlers; i++) {
        peers[i].idle = 1;
        epoll_ctl(poller, EPOLL_CTL_DEL, peers[i].fd, 0);
      }
      printf("idle\n");
    } else {
      run(what, much, *what == 'h' || *what == 'e' ? much : seconds, seconds);
    }
  }
}
