/*
 * Times as programs write them, read by lines.c and text.h: the usual ways, strictly; others are left to Python.
 *
 * Each read ends at a byte that is not what is expected, so that nothing is read behind a line.
 */
#ifndef LOGYARD_TIMES_H
#define LOGYARD_TIMES_H

#include <stdint.h>
#include <string.h>

typedef unsigned char byte;

struct span {
    const byte *at;
    size_t size;
};

static int is_digit(byte c) { return c >= '0' && c <= '9'; }

#define SECOND 1000000000LL
#define DAY 86400LL
static const int64_t TENS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, SECOND};

/* Days since 1970 of a date in the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static void date_of(int64_t days, int *year, unsigned *month, unsigned *day) {
    days += 719468;
    int64_t era = days / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
    unsigned mp = (5 * of_year + 2) / 153;
    *day = of_year - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int)(era * 400 + years) + (*month <= 2);
}

static int two(const byte *p) { return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1; }

/* Seconds since 1970 at which a day begins; -1 when there is no such day, or it is before 1970. */
static int64_t day_second(int year, int month, int day) {
    static const byte MONTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > MONTHS[month - 1] + (month == 2 && leap)) return -1;
    return days_of(year, (unsigned)month, (unsigned)day) * DAY;
}

/* The same of "2026-11-22" or "2026/11/22" at p. */
static int64_t date_at(const byte *p) {
    int century = two(p), years = two(p + 2);
    if (century < 0 || years < 0 || (p[4] != '-' && p[4] != '/') || p[7] != p[4]) return -1;
    return day_second(century * 100 + years, two(p + 5), two(p + 8));
}

/* Seconds since midnight of "09:30:00" at p; -1 when there is no such time. */
static int64_t clock_at(const byte *p) {
    int hour = two(p);
    if (hour < 0 || hour > 23 || p[2] != ':') return -1;
    int minute = two(p + 3);
    if (minute < 0 || minute > 59 || p[5] != ':') return -1;
    int second = two(p + 6);
    return second < 0 || second > 59 ? -1 : hour * 3600 + minute * 60 + second;
}

struct moment {
    int64_t second;          /* since 1970 */
    int64_t fraction;        /* ns */
    const byte *written;     /* the second's 19 characters if they are its digits in UTC, whatever stands between */
    const byte *digits;      /* the fraction's */
    int digits_count;
};

/* The day that was read last: lines come in crowds. */
struct last_day {
    byte text[10];
    int64_t second;
    int known;
};

static int plausible(const struct moment *m, int64_t observed) {
    if (m->second < 0 || m->second > INT64_MAX / SECOND - 1) return 0;
    int64_t ns = m->second * SECOND + m->fraction;
    return ns >= 365 * DAY * SECOND && ns <= observed + DAY * SECOND;
}

/* A time's second and fraction at p, as in 2026-11-22T09:30:00.5 and 2026/11/22 09:30:00,123: behind them, or NULL. */
static const byte *read_second(struct moment *m, const byte *p, const byte *end, struct last_day *last) {
    if (end - p < 19) return NULL;
    if (!last->known || memcmp(last->text, p, 10) != 0) {
        last->second = date_at(p);
        memcpy(last->text, p, 10);
        last->known = 1;
    }
    if (last->second < 0) return NULL;
    int64_t clock = clock_at(p + 11);
    if ((p[10] != 'T' && p[10] != 't' && p[10] != ' ') || clock < 0) return NULL;
    m->second = last->second + clock;
    m->written = p;
    m->fraction = 0;
    m->digits_count = 0;
    p += 19;
    if (*p == '.' || *p == ',') {
        p++;
        m->digits = p;
        while (is_digit(*p)) {
            if (p - m->digits == 9) return NULL;
            m->fraction = m->fraction * 10 + (*p++ - '0');
        }
        m->digits_count = (int)(p - m->digits);
        if (m->digits_count == 0) return NULL;
        m->fraction *= TENS[9 - m->digits_count];
    }
    return p;
}

/* Seconds that have to be added for UTC to a time with the zone at p, as in +01:00 and -0530: behind it, or NULL. */
static const byte *read_zone(const byte *p, int64_t *offset) {
    if (*p != '+' && *p != '-') return NULL;
    int hours = two(p + 1);
    if (hours < 0 || hours > 23) return NULL;
    const byte *rest = p[3] == ':' ? p + 4 : p + 3;
    int minutes = two(rest);
    if (minutes < 0 || minutes > 59) return NULL;
    *offset = (*p == '-' ? 1 : -1) * (hours * 3600 + minutes * 60);
    return rest + 2;
}

static void shift(struct moment *m, int64_t offset) {
    if (!offset) return;
    m->second += offset;
    m->written = NULL;
}

/* A time as text, from p up to end: RFC 3339 and its nearest relatives. */
static int read_text(struct moment *m, const byte *p, const byte *end, struct last_day *last) {
    p = read_second(m, p, end, last);
    if (p == NULL) return 0;
    if (p == end) return 1;
    if ((*p == 'Z' || *p == 'z') && p + 1 == end) return 1;
    int64_t offset;
    if (read_zone(p, &offset) != end) return 0;
    shift(m, offset);
    return 1;
}

/* A time as a number: whole ones by their size, and seconds with up to six digits behind the point. */
static int read_number(struct moment *m, const byte *p, const byte *end) {
    uint64_t value = 0;
    const byte *start = p;
    while (p < end && is_digit(*p) && p - start < 19) value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == start) return 0;
    m->written = NULL;
    if (p == end) {
        uint64_t unit = value < 100000000000ULL ? 1 : value < 100000000000000ULL ? 1000
                      : value < 100000000000000000ULL ? 1000000 : 1000000000;
        m->second = (int64_t)(value / unit);
        m->fraction = (int64_t)(value % unit * (1000000000ULL / unit));
        return 1;
    }
    if (*p != '.' || p - start > 10 || value >= 8000000000ULL) return 0;
    p++;
    int digits = (int)(end - p);
    if (digits < 1 || digits > 6) return 0;
    m->second = (int64_t)value;
    m->fraction = 0;
    while (p < end) {
        if (!is_digit(*p)) return 0;
        m->fraction = m->fraction * 10 + (*p++ - '0');
    }
    m->fraction *= TENS[9 - digits];
    return 1;
}

#endif
