/* An application that logs at a steady rate and notes in each line when it was written.

   usage: writer SAMPLE FILE RATE LINES

   Appends LINES lines to FILE, one write(2) each, RATE a second: lines of SAMPLE (JSON objects) in turn, each with
   "sent":NS (CLOCK_MONOTONIC) as its first member. Prints the greatest lateness of a line behind its plan in ns. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(1); }

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: writer SAMPLE FILE RATE LINES\n");
        return 2;
    }
    int sample = open(argv[1], O_RDONLY), out = open(argv[2], O_WRONLY | O_APPEND | O_CREAT, 0644);
    struct stat info;
    if (sample < 0 || out < 0 || fstat(sample, &info)) fail("open");
    char *text = malloc(info.st_size + 1);
    if (read(sample, text, info.st_size) != info.st_size) fail("read");
    double gap = 1e9 / atof(argv[3]);
    long lines = atol(argv[4]);
    prctl(PR_SET_TIMERSLACK, 1);

    long long start = now(), late = 0;
    char *at = text, *end = text + info.st_size, line[65536];
    for (long i = 0; i < lines; i++) {
        long long due = start + (long long)(i * gap), present = now();
        if (present < due) {
            struct timespec t = {due / 1000000000LL, due % 1000000000LL};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
            present = now();
        }
        if (present - due > late) late = present - due;
        char *stop = memchr(at, '\n', end - at);
        int head = snprintf(line, 64, "{\"sent\":%lld,", present);
        memcpy(line + head, at + 1, stop - at);
        if (write(out, line, head + (stop - at)) < 0) fail("write");
        at = stop + 1 == end ? text : stop + 1;
    }
    printf("late %lld\n", late);
    return 0;
}
