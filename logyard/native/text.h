/*
 * What a line of text tells of its time and severity: the same as logyard.derive finds in it, or that it is not sure.
 *
 * A line is looked at from its beginning, and whatever could mean something else (a mark in a rare form, a second time
 * before the one that counts) makes it unsure: such lines are left to Python.
 */
#ifndef LOGYARD_TEXT_H
#define LOGYARD_TEXT_H

#include "times.h"

#define WINDOW 192 /* bytes in which marks begin, as in logyard.derive.heads */
#define SEEN 256   /* and in which they end */

enum finding { UNSURE = -1, NOTHING, FOUND };

static int is_capital(byte c) { return c >= 'A' && c <= 'Z'; }
static int is_letter(byte c) { return is_capital(c & 0xDF); }
static int is_blank(byte c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int is_word(byte c) { return is_letter(c) || is_digit(c) || c == '_'; }

/* Whether a line begins like those of klog, "E1122 09:30:00.123456": then time and severity stand there or nowhere. */
static int is_klog(struct span line) {
    const byte *p = line.at;
    return line.size && *p != '\0' && strchr("IWEF", *p) != NULL && is_digit(p[1]);
}

/* ---- severities: the same names as in logyard.derive.severity ---- */

static const char *const SEVERITIES[] = {
    "info", "error", "warn", "debug", "warning", "trace", "fatal", "notice", "err", "critical", "crit", "alert",
    "emergency", "emerg", "panic", "dpanic", "severe", "inf", "wrn", "dbg", "ftl", "trc", "information",
    "informational", "verbose",
};
#define SHORTEST 3
#define LONGEST 13

/* Whether the letters are a severity's name: small, in capitals, or with a capital first. */
static int is_severity(const byte *at, size_t size) {
    if (size < SHORTEST || size > LONGEST) return 0;
    byte second = at[1] & 0x20;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0x20) != second) return 0;
    if (!second && !is_capital(at[0])) return 0;
    for (size_t i = 0; i < sizeof SEVERITIES / sizeof *SEVERITIES; i++) {
        const char *name = SEVERITIES[i];
        size_t j = 0;
        while (j < size && (byte)name[j] == (at[j] | 0x20)) j++;
        if (j == size && name[j] == '\0') return 1;
    }
    return 0;
}

/* Whether a name in capitals from p up to q stands as a word of its own in the line that begins at start. */
static int stands_alone(const byte *start, const byte *p, const byte *q, const byte *seen) {
    if (q < seen && !is_blank(*q) && (*q == '\0' || strchr("])|:,<>\x1b", *q) == NULL)) return 0;
    if (p == start || is_blank(p[-1]) || (p[-1] != '\0' && strchr("[(|:,><*", p[-1]) != NULL)) return 1;
    if (p - start >= 2 && p[-1] == 'm' && is_digit(p[-2])) return 1; /* a sequence for colour */
    return p[-1] == '.' && q < seen && *q == ':';
}

/* The name of a severity in brackets, as in "[error]", "[ core:error ]", behind the bracket that opens at p. */
static struct span bracketed(const byte *p, const byte *seen) {
    struct span none = {NULL, 0};
    p++;
    if (p < seen && is_blank(*p)) p++;
    const byte *q = p;
    while (q < seen && (is_word(*q) || *q == '.')) q++;
    if (q < seen && *q == ':' && q > p && q - p <= 32) p = q + 1;
    q = p;
    while (q < seen && is_letter(*q)) q++;
    struct span name = {p, (size_t)(q - p)};
    if (q < seen && is_blank(*q)) q++;
    return q < seen && *q == ']' && is_severity(name.at, name.size) ? name : none;
}

static int ends_with(const byte *start, const byte *end, const char *name) {
    size_t size = strlen(name);
    return (size_t)(end - start) >= size && memcmp(end - size, name, size) == 0;
}

/* Whether c goes on a name or a value of a pair. */
static int goes_on(byte c) { return is_word(c) || c == '.' || c == '-'; }

/* Whether the name before the equals sign at p is this one, and no longer one that ends so. */
static int is_named(const byte *start, const byte *p, const char *name) {
    const byte *begin = p - strlen(name);
    return ends_with(start, p, name) && (begin == start || !goes_on(begin[-1]));
}

/* The name of a severity in a pair, as in level=warn and lvl="ERROR", with the equals sign at p. */
static int paired(const byte *start, const byte *p, const byte *seen, const byte *stop, struct span *found) {
    if (p >= stop || !(is_named(start, p, "level") || is_named(start, p, "lvl") || is_named(start, p, "severity")))
        return 0;
    if (++p < seen && *p == '"') p++;
    const byte *q = p;
    while (q < seen && is_letter(*q)) q++;
    if (q < seen && goes_on(*q)) return 0;
    *found = (struct span){p, (size_t)(q - p)};
    return is_severity(p, found->size);
}

/* The severity that klog's letter tells. */
static enum finding klog_severity(struct span line, struct span *found) {
    const byte *p = line.at;
    if (line.size < 14 || two(p + 1) < 1 || two(p + 1) > 12 || two(p + 3) < 0 || two(p + 3) > 31 || p[5] != ' ' ||
        clock_at(p + 6) < 0)
        return UNSURE;
    const char *name = *p == 'I' ? "info" : *p == 'W' ? "warn" : *p == 'E' ? "error" : "fatal";
    *found = (struct span){(const byte *)name, strlen(name)};
    return FOUND;
}

/* The mark of a severity that stands first in the line. */
static enum finding find_severity(struct span line, struct span *found) {
    if (is_klog(line)) return klog_severity(line, found);
    const byte *start = line.at, *end = start + line.size;
    const byte *stop = line.size > WINDOW ? start + WINDOW : end, *seen = line.size > SEEN ? start + SEEN : end;
    const byte *p = start;
    while (p < seen) {
        byte c = *p;
        if (is_capital(c)) {
            const byte *q = p + 1;
            while (q < seen && is_capital(*q)) q++;
            size_t size = (size_t)(q - p);
            if (p < stop && is_severity(p, size) && stands_alone(start, p, q, seen)) {
                *found = (struct span){p, size};
                return FOUND;
            }
            p = q;
            continue;
        }
        if (c == '[' && p < stop) {
            struct span name = bracketed(p, seen);
            if (name.at != NULL) {
                *found = name;
                return FOUND;
            }
        } else if (c == '=' && (ends_with(start, p, "level") || ends_with(start, p, "lvl") ||
                                ends_with(start, p, "severity"))) {
            return paired(start, p, seen, stop, found) ? FOUND : UNSURE;
        } else if (c == ':') {
            const byte *q = p;
            while (q > start && is_letter(q[-1])) q--;
            if (is_severity(q, (size_t)(p - q))) return UNSURE; /* it counts as the line's first word */
        }
        p++;
    }
    return NOTHING;
}

/* ---- times ---- */

/* Where a time stands that opens the line: behind a name in capitals, a bracket or a quote. */
static const byte *opening(const byte *start, const byte *end) {
    const byte *p = start;
    if (p < end && (*p == '[' || *p == '(')) p++;
    const byte *name = p;
    while (p < end && is_capital(*p)) p++;
    if (p - name >= 1 && p - name <= 11) {
        if (p < end && (*p == ']' || *p == ')')) p++;
        if (p < end && (*p == ':' || *p == ',' || *p == '|')) p++;
        const byte *behind = p;
        while (p < end && (*p == ' ' || *p == '\t')) p++;
        if (p == behind) p = start;
    } else {
        p = start;
    }
    return p < end && *p != '\0' && strchr("[(\"'", *p) != NULL ? p + 1 : p;
}

/* The number of the month named at p, 0 for none. */
static int month_at(const byte *p) {
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; month < 12; month++)
        if (memcmp(MONTHS + 3 * month, p, 3) == 0) return month + 1;
    return 0;
}

/* A time of web servers' access logs, "22/Nov/2026:09:30:00 +0000", at p. */
static int read_access(struct moment *m, const byte *p, const byte *end) {
    if (end - p < 26 || p[2] != '/' || p[6] != '/' || p[11] != ':' || p[20] != ' ') return 0;
    int century = two(p + 7), years = two(p + 9);
    if (century < 0 || years < 0) return 0;
    int64_t day = day_second(century * 100 + years, month_at(p + 3), two(p)), clock = clock_at(p + 12), offset;
    if (day < 0 || clock < 0 || p[24] == ':' || read_zone(p + 21, &offset) == NULL) return 0;
    *m = (struct moment){.second = day + clock + offset};
    return 1;
}

/* Whether the name of a time stands before the equals sign at p. */
static enum finding find_time_name(const byte *start, const byte *p) {
    static const char *const TIMES[] = {"ts", "time", "timestamp"};
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++)
        if (is_named(start, p, TIMES[i])) {
            const byte *begin = p - strlen(TIMES[i]);
            return begin > start && begin[-1] == '@' ? UNSURE : FOUND;
        }
    return NOTHING;
}

/* A time like 2026-11-22 09:30:00 at p; NOTHING when none begins there that is known here. */
static enum finding read_iso(struct moment *m, const byte *p, const byte *end, struct last_day *last) {
    if (p >= end || !is_digit(*p) || (p = read_second(m, p, end, last)) == NULL) return NOTHING;
    const byte *zone = *p == ' ' ? p + 1 : p;
    if ((*zone == '+' || *zone == '-') && is_digit(zone[1])) {
        int64_t offset;
        p = read_zone(zone, &offset);
        if (p == NULL || is_word(*p)) return UNSURE;
        shift(m, offset);
    }
    return FOUND;
}

/* A time without a year: the latest such time up to a day after the line was observed. */
static enum finding latest(struct moment *m, int month, int day, int64_t clock, int64_t observed) {
    int64_t limit = observed / SECOND + DAY;
    int year;
    unsigned unused;
    date_of(limit / DAY, &year, &unused, &unused);
    for (int i = 0; i < 9; i++) { /* the last 29 February may be eight years ago */
        int64_t second = day_second(year - i, month, day);
        if (second < 0 || second + clock > limit) continue;
        *m = (struct moment){.second = second + clock};
        return FOUND;
    }
    return UNSURE;
}

/* A time like "Nov 22 09:30:00" at p. */
static enum finding read_syslog(struct moment *m, const byte *p, const byte *end, int64_t observed) {
    if (end - p < 15 || !is_capital(*p)) return NOTHING;
    int month = month_at(p), day = p[4] == ' ' && is_digit(p[5]) ? p[5] - '0' : two(p + 4);
    int64_t clock = clock_at(p + 7);
    if (month == 0 || p[3] != ' ' || day < 0 || p[6] != ' ' || clock < 0) return NOTHING;
    if (p[15] == '.' || p[15] == ',' || (p[15] == ' ' && is_digit(p[16]))) return UNSURE; /* a fraction, or a year */
    return latest(m, month, day, clock, observed);
}

/* The time of a line of klog. */
static enum finding read_klog(struct moment *m, struct span line, int64_t observed) {
    const byte *p = line.at;
    if (line.size < 14 || p[5] != ' ') return UNSURE;
    int month = two(p + 1), day = two(p + 3);
    int64_t clock = clock_at(p + 6), fraction = 0;
    if (clock < 0) return UNSURE;
    p += 14;
    if (*p == '.' || *p == ',') {
        p++;
        int digits = 0;
        while (is_digit(p[digits])) {
            if (digits == 9) return UNSURE;
            fraction = fraction * 10 + (p[digits++] - '0');
        }
        if (digits == 0) return UNSURE;
        fraction *= TENS[9 - digits];
    }
    if (latest(m, month, day, clock, observed) != FOUND) return UNSURE;
    m->fraction = fraction;
    return FOUND;
}

/* The time that a line tells. */
static enum finding find_time(struct span line, struct moment *m, struct last_day *last, int64_t observed) {
    if (is_klog(line)) return read_klog(m, line, observed);
    const byte *start = line.at, *end = start + line.size, *seen = line.size > SEEN ? start + SEEN : end;
    const byte *p = opening(start, end);
    enum finding found = read_iso(m, p, end, last);
    if (found == NOTHING) found = read_syslog(m, p, end, observed);
    if (found == NOTHING && read_access(m, p, end)) found = FOUND;
    if (found != NOTHING) return found;
    int paired = 0;
    for (p = start; p < seen; p++) {
        enum finding named = *p == '=' ? find_time_name(start, p) : NOTHING;
        if (named != NOTHING) {
            /* It counts before what stands in brackets; of several it is not the first one. */
            const byte *value = p + 1 < end && (p[1] == '"' || p[1] == '\'') ? p + 2 : p + 1;
            if (named == UNSURE || paired || p - start > WINDOW - 20 || read_iso(m, value, end, last) != FOUND)
                return UNSURE;
            paired = 1;
            found = FOUND;
        } else if (*p == ':' && found == NOTHING && p - start >= 2 && is_digit(p[-1]) && is_digit(p[-2]) &&
                   two(p + 1) >= 0 && p[3] == ':' && two(p + 4) >= 0) {
            /* No time is without such a clock; year, hour and minute of an access log's look like one, too. */
            const byte *access = p - 11;
            if (access <= start || p - start > WINDOW - 20 || access[-1] != '[' || !read_access(m, access, end))
                return UNSURE;
            found = FOUND;
        }
    }
    return found;
}

/* Whether a line is surely text: no JSON, and without syslog's priority. */
static int is_text(struct span line) {
    const byte *p = line.at, *end = p + line.size;
    if (p == end) return 1;
    if (*p == '<') return 0;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p == end || *p != '{';
}

#endif
