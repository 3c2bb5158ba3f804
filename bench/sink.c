/* A destination that is never the bottleneck: counts what arrives over TCP and says when the last line was there.

   usage: sink octet|lf PORT LINES [SKIP]

   octet  frames with a decimal length and a space before them (RFC 6587, 3.4.1);  lf  frames that end in a newline.
   Listens on 127.0.0.1:PORT and prints "listening". At the LINES-th frame it prints, times in ns of CLOCK_MONOTONIC,
       done FIRST_BYTE LAST_FRAME FRAMES BYTES
   With SKIP it looks in each frame behind the first SKIP ones for "sent":NS and adds a line
       latency COUNT P50 P90 P99 MAX
   It goes on counting until standard input ends, then prints
       total FRAMES BYTES CONNECTIONS
   so that whoever started it sees whether more lines came than were sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 4 << 20, MOST = 64 };

static int octet;
static long expected, skip = -1, frames, bytes, measured;
static long long first_ns, *latency;

struct connection { char *data; size_t used; };

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(1); }

static int ascending(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static void report(long long last_ns) {
    printf("done %lld %lld %ld %ld\n", first_ns, last_ns, frames, bytes);
    if (skip >= 0 && measured > 0) {
        qsort(latency, measured, sizeof *latency, ascending);
        printf("latency %ld %lld %lld %lld %lld\n", measured, latency[measured / 2], latency[measured * 9 / 10],
               latency[measured * 99 / 100], latency[measured - 1]);
    }
    fflush(stdout);
}

static void frame(const char *text, size_t size, long long arrived) {
    frames++;
    if (skip >= 0 && frames > skip && frames <= expected) {
        const char *at = memmem(text, size, "\"sent\":", 7);
        if (at != NULL) latency[measured++] = arrived - atoll(at + 7);
    }
    if (frames == expected) report(arrived);
}

/* Takes the complete frames from the buffer; returns how many bytes they were. */
static size_t take(char *data, size_t size, long long arrived) {
    size_t at = 0;
    while (at < size) {
        if (octet) {
            size_t length = 0, digit = at;
            while (digit < size && data[digit] >= '0' && data[digit] <= '9') length = length * 10 + data[digit++] - '0';
            if (digit == size) break;
            if (data[digit] != ' ' || digit == at) {
                fprintf(stderr, "no frame starts with %.40s\n", data + at);
                exit(1);
            }
            if (digit + 1 + length > size) break;
            frame(data + digit + 1, length, arrived);
            at = digit + 1 + length;
        } else {
            char *end = memchr(data + at, '\n', size - at);
            if (end == NULL) break;
            frame(data + at, end - (data + at), arrived);
            at = end + 1 - data;
        }
    }
    return at;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: sink octet|lf PORT LINES [SKIP]\n");
        return 2;
    }
    octet = strcmp(argv[1], "octet") == 0;
    expected = atol(argv[3]);
    if (argc > 4) skip = atol(argv[4]);
    latency = malloc(sizeof *latency * (expected + 1));

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, MOST)) fail("listen");
    printf("listening\n");
    fflush(stdout);

    struct pollfd polled[MOST + 2] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    struct connection open[MOST + 2];
    int count = 2;
    long connections = 0;
    for (;;) {
        if (poll(polled, count, -1) < 0 && errno != EINTR) fail("poll");
        if (polled[0].revents) break;
        if (polled[1].revents && count < MOST + 2) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0) fail("accept");
            open[count] = (struct connection){malloc(BUFFER), 0};
            polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
            count++, connections++;
            continue;
        }
        for (int i = 2; i < count; i++) {
            if (!polled[i].revents) continue;
            struct connection *c = &open[i];
            ssize_t got = read(polled[i].fd, c->data + c->used, BUFFER - c->used);
            if (got <= 0) {
                close(polled[i].fd);
                free(c->data);
                count--;
                polled[i] = polled[count];
                open[i] = open[count];
                i--;
                continue;
            }
            long long arrived = now();
            if (first_ns == 0) first_ns = arrived;
            bytes += got;
            c->used += got;
            size_t taken = take(c->data, c->used, arrived);
            c->used -= taken;
            memmove(c->data, c->data + taken, c->used);
        }
    }
    printf("total %ld %ld %ld\n", frames, bytes, connections);
    return 0;
}
