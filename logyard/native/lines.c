/*
 * Documents around the lines of a block, written without a Python object for a record.
 *
 * A line is a record, which may hold newlines where another character divides them. `write` reads each line once, objects strictly, as RFC 8259 has it, and takes it only when everything that a document
 * needs of it is sure. Whatever is unusual (a name that occurs twice, a time written in a rare way, deep nesting, broken
 * JSON) is left to the caller, who has slower ways that know all cases. So nothing here decides what a record means
 * differently than they do: tests hold both against each other.
 *
 * Each read ends at a byte that is not what is expected, and a block ends in a NUL that bytes objects have behind
 * them: no character of JSON is a NUL or what divides lines, so nothing is read behind the block. Sixteen bytes are read
 * at once only where the block has so many.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text.h"
#include "times.h"

/* ---- what documents are made of ---- */

enum kind { LITERAL, LINE, BODY, REST, OFFSET, TIME, SYSLOG_TIME, LEVEL, MESSAGE, BY_TIME };

struct piece {
    enum kind kind;
    const char *text; /* LITERAL; what stands before a MESSAGE; what stands for a TIME or SYSLOG_TIME that is not told */
    size_t size;
};

#define PIECES 24

struct plan {
    struct piece pieces[PIECES];
    int count;
    size_t literal; /* bytes of all LITERAL pieces */
    int line, time, syslog_time, level, message, body, rest; /* which of them there are */
    PyObject *levels, *by_time; /* the mappings of LEVEL and BY_TIME */
    int string; /* where there is no message, the line itself stands for it */
    size_t by_time_width;
    int whole;  /* a line has to be one whole object; else its beginning is enough when that tells all that is needed */
    int unique; /* no name may occur twice, numbers have to survive being read, reserved names are left */
    int octets; /* each document stands behind its length and a space */
    size_t limit; /* documents that are longer are left; 0 for none */
    int64_t observed; /* ns */
};

/* ---- names of members that tell something: the same sets as in logyard.derive and logyard.formats.fields ---- */

enum role { NONE = 0, IS_TIME = 1, IS_LEVEL = 2, IS_LOG = 3, IS_MSG = 4, IS_MESSAGE = 5, IS_TEXT = 6 };

static const struct name {
    const char *text;
    byte size;
    byte role;
} NAMES[] = {
    {"ts", 2, IS_TIME},         {"time", 4, IS_TIME},         {"timestamp", 9, IS_TIME}, {"@timestamp", 10, IS_TIME},
    {"level", 5, IS_LEVEL},     {"lvl", 3, IS_LEVEL},         {"severity", 8, IS_LEVEL}, {"loglevel", 8, IS_LEVEL},
    {"log.level", 9, IS_LEVEL}, {"log", 3, IS_LOG},           {"msg", 3, IS_MSG},        {"message", 7, IS_MESSAGE},
    {"text", 4, IS_TEXT},
};

static enum role role_of(const byte *name, size_t size) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].size == size && memcmp(NAMES[i].text, name, size) == 0) return (enum role)NAMES[i].role;
    return NONE;
}

#define RESERVED 16

struct reserved {
    const char *text[RESERVED];
    size_t size[RESERVED];
    int count;
};

/* ---- a record ---- */

#define STAMP 32 /* 2026-11-22T09:30:00.123456789Z has 30 */

struct record {
    const struct plan *plan;
    struct span line;
    const byte *rest; /* up to the end of the line */
    struct span message, middle, by_time;
    size_t text_size; /* of the line as a JSON string, where that is wanted */
    byte stamp_size, syslog_size, offset_size;
    char stamp[STAMP], syslog[STAMP], offset[24];
    size_t size; /* of the document */
};

/* ---- strings ---- */

static int hex(byte c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int four_hex(const byte *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex(p[i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Behind the character of UTF-8 at p (Unicode 15, table 3-7), or NULL. */
static const byte *character(const byte *p) {
#define TAIL(c) (((c) & 0xC0) == 0x80)
    byte c = *p;
    if (c < 0xC2) return NULL;
    if (c < 0xE0) return TAIL(p[1]) ? p + 2 : NULL;
    if (c < 0xF0) {
        if (!TAIL(p[1]) || (c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F)) return NULL;
        return TAIL(p[2]) ? p + 3 : NULL;
    }
    if (c > 0xF4 || !TAIL(p[1]) || (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F)) return NULL;
    return TAIL(p[2]) && TAIL(p[3]) ? p + 4 : NULL;
#undef TAIL
}

/* The next byte from p on that does not stand for itself in a string: a quote, a backslash, a control character, and
   what is no ASCII. There is one at or before the end of the block. */
static inline __attribute__((always_inline)) const byte *plain_end(const byte *p, const byte *block_end) {
#ifdef __SSE2__
    while (block_end - p >= 16) {
        __m128i some = _mm_loadu_si128((const __m128i *)p);
        /* As signed numbers, what is no ASCII is below the control characters. */
        __m128i stops = _mm_or_si128(
            _mm_cmplt_epi8(some, _mm_set1_epi8(0x20)),
            _mm_or_si128(_mm_cmpeq_epi8(some, _mm_set1_epi8('"')), _mm_cmpeq_epi8(some, _mm_set1_epi8('\\'))));
        int mask = _mm_movemask_epi8(stops);
        if (mask) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#endif
    while (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') p++;
    return p;
}

/* The quote that ends the string whose text begins at p, or NULL; escaped: whether there is a backslash in it. */
static inline __attribute__((always_inline)) const byte *string_end(const byte *p, const byte *block_end, int *escaped) {
    *escaped = 0;
    for (;;) {
        p = plain_end(p, block_end);
        if (*p == '"') return p;
        if (*p == '\\') {
            *escaped = 1;
            switch (p[1]) {
            case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
                p += 2;
                break;
            case 'u': {
                int code = four_hex(p + 2);
                if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) return NULL;
                p += 6;
                if (code >= 0xD800 && code <= 0xDBFF) { /* a pair, or nothing that everybody can read */
                    if (p[0] != '\\' || p[1] != 'u') return NULL;
                    code = four_hex(p + 2);
                    if (code < 0xDC00 || code > 0xDFFF) return NULL;
                    p += 6;
                }
                break;
            }
            default:
                return NULL;
            }
        } else if (*p >= 0x80) {
            p = character(p);
            if (p == NULL) return NULL;
        } else {
            return NULL;
        }
    }
}

/* ---- numbers ---- */

/* Behind the number at p, or NULL. plain: whether it surely is a finite one, or a whole one of 64 bits. */
static const byte *number_end(const byte *p, int *plain) {
    if (*p == '-') p++;
    const byte *start = p;
    if (!is_digit(*p)) return NULL;
    if (*p == '0') p++;
    else while (is_digit(*p)) p++;
    *plain = p - start <= 18;
    if (*p == '.') {
        p++;
        if (!is_digit(*p)) return NULL;
        while (is_digit(*p)) p++;
    }
    if ((*p | 32) == 'e') {
        p++;
        if (*p == '+' || *p == '-') p++;
        const byte *power = p;
        if (!is_digit(*p)) return NULL;
        while (is_digit(*p)) p++;
        if (p - power > 2) *plain = 0;
    }
    return p;
}

/* ---- times ---- */

static char *put_digits(char *at, uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_second(char *at, const struct moment *m) {
    if (m->written != NULL) {
        memcpy(at, m->written, 19);
        at[4] = at[7] = '-';
        at[10] = 'T';
        return at + 19;
    }
    int year;
    unsigned month, day;
    date_of(m->second / DAY, &year, &month, &day);
    unsigned second = (unsigned)(m->second % DAY);
    at = put_digits(at, (uint64_t)year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    return put_digits(at, second % 60, 2);
}

/* RFC 3339 in UTC with no, 3, 6 or 9 digits, as many as the time needs. */
static void put_stamp(struct record *r, const struct moment *m) {
    char *at = put_second(r->stamp, m);
    if (m->fraction && m->written != NULL) {
        int digits = (m->digits_count + 2) / 3 * 3;
        *at++ = '.';
        memset(at, '0', 9);
        memcpy(at, m->digits, (size_t)m->digits_count);
        at += digits;
        while (memcmp(at - 3, "000", 3) == 0) at -= 3;
    } else if (m->fraction) {
        int digits = m->fraction % 1000000 == 0 ? 3 : m->fraction % 1000 == 0 ? 6 : 9;
        *at++ = '.';
        int64_t value = m->fraction / (digits == 3 ? 1000000 : digits == 6 ? 1000 : 1);
        at = put_digits(at, (uint64_t)value, digits);
    }
    *at++ = 'Z';
    r->stamp_size = (byte)(at - r->stamp);
}

/* With the digits that were written, at most six (RFC 5424 section 6.2.3); of other times with six. */
static void put_syslog_stamp(struct record *r, const struct moment *m) {
    char *at = put_second(r->syslog, m);
    if (m->written == NULL) {
        *at++ = '.';
        at = put_digits(at, (uint64_t)(m->fraction / 1000), 6);
    } else if (m->digits_count) {
        int digits = m->digits_count < 6 ? m->digits_count : 6;
        *at++ = '.';
        memcpy(at, m->digits, (size_t)digits);
        at += digits;
    }
    *at++ = 'Z';
    r->syslog_size = (byte)(at - r->syslog);
}

/* ---- lines ---- */

#define DEPTH 60
#define ENOUGH 64 /* leading members; as in logyard.derive.members */
#define KEYS 192
#define TOGETHER 65536 /* bytes of documents that are written at once: what fits the processor's cache */
#define RECORDS 512
#define TEXTS 16

struct known {
    byte text[24];
    size_t size;
    struct span made;
};

/* A member's name as it stood last, with quotes and colon: most lines of a program have the same names in the same
   order, so that a name need not be taken apart again. */
struct expected {
    byte text[32];
    size_t size; /* 0 for none */
    enum role role;
#ifdef __SSE2__
    unsigned mask; /* a bit for each byte of it */
#endif
};
#define EXPECTED 64

struct state {
    const struct plan *plan, *texts; /* of objects, and of text; NULL where that is left */
    const struct reserved *reserved;
    const byte *block_end;
    byte separator; /* a newline, or a control character that no record holds */
    struct last_day last;
    struct known levels[TEXTS], times[TEXTS];
    int levels_count, times_count;
    PyObject *kept; /* what the mappings gave, for as long as the documents point to it */
    /* names of the objects that are open: of each those from bases[depth] on */
    struct span keys[KEYS];
    int keys_count, bases[DEPTH + 2];
    uint64_t blooms[DEPTH + 2];
    struct expected expected[EXPECTED];
};

static const byte *skip(const byte *p) {
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

/* Whether the name is new in the object at this depth; remembers it. */
static int is_new(struct state *s, int depth, const byte *name, size_t size) {
    unsigned hash = (unsigned)size * 7;
    if (size) hash += name[0] * 3u + name[size - 1] * 5u + name[size / 2] * 11u;
    uint64_t bit = 1ULL << (hash & 63);
    if (s->blooms[depth] & bit)
        for (int i = s->bases[depth]; i < s->keys_count; i++)
            if (s->keys[i].size == size && memcmp(s->keys[i].at, name, size) == 0) return 0;
    if (s->keys_count == KEYS) return 0;
    s->blooms[depth] |= bit;
    s->keys[s->keys_count++] = (struct span){name, size};
    return 1;
}

static int is_reserved(const struct reserved *r, const byte *name, size_t size) {
    for (int i = 0; i < r->count; i++)
        if (r->size[i] == size && memcmp(r->text[i], name, size) == 0) return 1;
    return 0;
}

/* Whether the member at p has the expected name. */
static inline int is_expected(const struct state *s, const struct expected *e, const byte *p) {
#ifdef __SSE2__
    if (s->block_end - p >= 32) {
        __m128i first = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p),
                                       _mm_loadu_si128((const __m128i *)e->text));
        __m128i second = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 16)),
                                        _mm_loadu_si128((const __m128i *)(e->text + 16)));
        unsigned same = (unsigned)_mm_movemask_epi8(first) | (unsigned)_mm_movemask_epi8(second) << 16;
        return e->size && (same & e->mask) == e->mask;
    }
#endif
    return e->size && (size_t)(s->block_end - p) >= e->size && memcmp(p, e->text, e->size) == 0;
}

static void expect(struct expected *e, const byte *name, size_t size, enum role role) {
    e->size = 0;
    if (size + 3 > sizeof e->text) return;
    e->size = size + 3;
    e->role = role;
    memcpy(e->text, name - 1, e->size);
#ifdef __SSE2__
    e->mask = (unsigned)((1ULL << e->size) - 1);
#endif
}

/* What a line tells; LEAVE: not to be told here. */
enum verdict { TAKE, LEAVE };

struct told {
    struct span time, level, messages[3];
    int time_leads, level_leads; /* they stand before the first array or object */
};

/* Remembers what a name tells; 0 when that is not sure, as another one told it before. */
static int tell(const struct plan *plan, struct span *kept, int *kept_leads, struct span found, int leading) {
    if (kept->at != NULL) return !plan->whole && *kept_leads;
    *kept = found;
    *kept_leads = leading;
    return 1;
}

static enum verdict read_line(struct state *s, struct record *r, struct told *t) {
    const struct plan *plan = s->plan;
    const byte *p = r->line.at, *end = p + r->line.size;
    uint64_t is_object = 0; /* a bit for each depth */
    int depth = 0, leading = 1, members = 0, escaped, leads = 1;
    enum role role = NONE;

    if (*p != '{') return LEAVE;
    t->time.at = t->level.at = t->messages[0].at = t->messages[1].at = t->messages[2].at = NULL;
    t->time_leads = t->level_leads = 0;
    s->keys_count = 0;

open_object:
    if (++depth > DEPTH) return LEAVE;
    is_object |= 1ULL << depth;
    s->bases[depth] = s->keys_count;
    s->blooms[depth] = 0;
    p = skip(p + 1);
    if (*p == '}') goto close;

key:
    if (*p != '"') return LEAVE;
    {
        const byte *name = p + 1;
        size_t size;
        struct expected *expected = depth == 1 && members < EXPECTED ? &s->expected[members] : NULL;
        if (expected != NULL && is_expected(s, expected, p)) {
            size = expected->size - 3;
            role = expected->role;
            p += expected->size;
        } else {
            p = string_end(name, s->block_end, &escaped);
            if (p == NULL || escaped) return LEAVE;
            size = (size_t)(p - name);
            if (depth == 1) role = role_of(name, size);
            p = skip(p + 1);
            if (*p != ':') return LEAVE;
            p++;
            if (expected != NULL && p == name + size + 2) expect(expected, name, size, role);
        }
        if (plan->unique && !is_new(s, depth, name, size)) return LEAVE;
        if (depth == 1) {
            members++;
            if (plan->unique && is_reserved(s->reserved, name, size)) return LEAVE;
            if (plan->rest) {
                int told = (role == IS_TIME && size == 4) || (role == IS_LEVEL && size == 5);
                if (told && !leads) return LEAVE;
                if (!told && leads) {
                    leads = 0;
                    r->rest = name - 1;
                }
            }
        }
    }
    p = skip(p);

value:
    {
        const byte *start = p;
        int plain = 1, is_null = 0;
        switch (*p) {
        case '"':
            p = string_end(p + 1, s->block_end, &escaped);
            if (p == NULL) return LEAVE;
            p++;
            break;
        case '{':
        case '[':
            if (depth == 1) {
                leading = 0;
                if ((plan->level && (role == IS_LEVEL || role == IS_LOG)) || (role == IS_TIME && plan->time))
                    return LEAVE;
                if (role >= IS_MSG) {
                    /* No message, but the name is there. */
                    if (t->messages[role - IS_MSG].at != NULL) return LEAVE;
                    t->messages[role - IS_MSG] = (struct span){start, 1};
                }
                role = NONE;
            }
            if (*p == '{') goto open_object;
            if (++depth > DEPTH) return LEAVE;
            is_object &= ~(1ULL << depth);
            p = skip(p + 1);
            if (*p == ']') goto close;
            goto value;
        case 't':
            if (strncmp((const char *)p, "true", 4) != 0) return LEAVE;
            p += 4;
            break;
        case 'f':
            if (strncmp((const char *)p, "false", 5) != 0) return LEAVE;
            p += 5;
            break;
        case 'n':
            if (strncmp((const char *)p, "null", 4) != 0) return LEAVE;
            p += 4;
            is_null = 1;
            break;
        default:
            p = number_end(p, &plain);
            if (p == NULL || (plan->unique && !plain)) return LEAVE;
        }
        if (depth == 1 && role != NONE) {
            if (is_null && plan->rest && leads) return LEAVE;
            struct span found = {start, (size_t)(p - start)};
            switch (role) {
            case IS_TIME:
                if (plan->time && !is_null && !tell(plan, &t->time, &t->time_leads, found, leading)) return LEAVE;
                break;
            case IS_LEVEL:
                if (plan->level && !is_null && !tell(plan, &t->level, &t->level_leads, found, leading)) return LEAVE;
                break;
            case IS_LOG: /* of a leading member that is no object nothing is told */
                if (plan->level && !is_null && plan->whole) return LEAVE;
                break;
            default:
                if (!plan->message) break;
                if (t->messages[role - IS_MSG].at != NULL) return LEAVE;
                t->messages[role - IS_MSG] = found;
            }
            if (!plan->whole && t->time_leads + t->level_leads == plan->time + plan->level)
                return members > ENOUGH ? LEAVE : TAKE;
        }
    }

after:
    p = skip(p);
    if (*p == ',') {
        p = skip(p + 1);
        if (is_object >> depth & 1) goto key;
        goto value;
    }
close:
    if (*p != (is_object >> depth & 1 ? '}' : ']')) return LEAVE;
    if (is_object >> depth & 1) s->keys_count = s->bases[depth];
    p++;
    if (--depth > 0) goto after;
    if (p != end) return LEAVE;
    /* Nothing would stand behind the comma. */
    if ((plan->rest && leads) || (plan->body && !members)) return LEAVE;
    return TAKE;
}

/* What a mapping has for a text, asked for once; 0 when it has nothing, -1 on an error of the mapping's own. */
static int look_up(struct state *s, struct known *known, int *count, PyObject *mapping, struct span text,
                   struct span *made) {
    for (int i = 0; i < *count; i++)
        if (known[i].size == text.size && memcmp(known[i].text, text.at, text.size) == 0) {
            *made = known[i].made;
            return made->at != NULL;
        }
    PyObject *key = PyBytes_FromStringAndSize((const char *)text.at, (Py_ssize_t)text.size);
    if (key == NULL) return -1;
    PyObject *value = PyObject_GetItem(mapping, key);
    Py_DECREF(key);
    if (value == NULL) return -1;
    *made = (struct span){NULL, 0};
    if (PyBytes_Check(value)) *made = (struct span){(const byte *)PyBytes_AsString(value), (size_t)PyBytes_Size(value)};
    int failed = PyList_Append(s->kept, value);
    Py_DECREF(value);
    if (failed) return -1;
    if (text.size <= sizeof known->text) {
        struct known *room = &known[*count < TEXTS ? (*count)++ : TEXTS - 1];
        memcpy(room->text, text.at, text.size);
        room->size = text.size;
        room->made = *made;
    }
    return made->at != NULL;
}

/* ---- lines as JSON strings ---- */

/* What stands behind the backslash for what has a short form in JSON, 0 for what has none. */
static char short_form(byte c) {
    switch (c) {
    case '"': case '\\': return (char)c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

static size_t escaped_size(byte c) { return short_form(c) ? 2 : c < 0x20 ? 6 : 1; }

/* The bytes that the line takes as a string; 0 when it is no UTF-8. */
static size_t string_size(const struct state *s, struct span line) {
    const byte *p = line.at, *end = p + line.size;
    size_t size = line.size + 2;
    while ((p = plain_end(p, s->block_end)) < end) {
        if (*p >= 0x80) {
            p = character(p);
            if (p == NULL) return 0;
        } else {
            size += escaped_size(*p++) - 1;
        }
    }
    return size;
}

static char *put_string(char *at, struct span line, const byte *block_end) {
    const byte *p = line.at, *end = p + line.size;
    *at++ = '"';
    while (p < end) {
        const byte *stop = plain_end(p, block_end);
        while (stop < end && *stop >= 0x80) stop++;
        if (stop > end) stop = end;
        memcpy(at, p, (size_t)(stop - p));
        at += stop - p;
        p = stop;
        if (p == end || escaped_size(*p) == 1) continue;
        byte c = *p++;
        *at++ = '\\';
        if (short_form(c)) {
            *at++ = short_form(c);
        } else {
            memcpy(at, "u00", 3);
            at[3] = (char)('0' + (c >> 4));
            at[4] = "0123456789abcdef"[c & 15];
            at += 5;
        }
    }
    *at++ = '"';
    return at;
}

/* ---- documents ---- */

/* What is needed of an object. */
static int tell_object(struct state *s, struct record *r) {
    const struct plan *plan = s->plan;
    struct told t;
    if (read_line(s, r, &t) == LEAVE) return 0;
    if (plan->time && t.time.at != NULL) {
        struct moment m;
        const byte *at = t.time.at, *end = at + t.time.size;
        int good = *at == '"' ? read_text(&m, at + 1, end - 1, &s->last) : read_number(&m, at, end);
        if (!good || !plausible(&m, plan->observed)) return 0;
        if (plan->syslog_time) put_syslog_stamp(r, &m);
        else put_stamp(r, &m);
    }
    if (plan->level) {
        struct span text = t.level.at == NULL ? (struct span){(const byte *)"", 0} : t.level;
        if (text.size > 64) return 0;
        int found = look_up(s, s->levels, &s->levels_count, plan->levels, text, &r->middle);
        if (found <= 0) return found;
    }
    if (plan->message)
        for (int i = 0; i < 3 && r->message.at == NULL; i++)
            if (t.messages[i].at != NULL && *t.messages[i].at == '"') r->message = t.messages[i];
    return 1;
}

/* What is needed of a line of text. */
static int tell_text(struct state *s, struct record *r) {
    const struct plan *plan = s->texts;
    if (!is_text(r->line)) return 0;
    if (plan->line && !plan->octets && memchr(r->line.at, '\n', r->line.size) != NULL) return 0;
    if (plan->time) {
        struct moment m;
        enum finding found = find_time(r->line, &m, &s->last, plan->observed);
        if (found == UNSURE || (found == FOUND && !plausible(&m, plan->observed))) return 0;
        if (found == FOUND && plan->syslog_time) {
            m.written = NULL; /* text has six digits, however it was written */
            put_syslog_stamp(r, &m);
        } else if (found == FOUND) {
            put_stamp(r, &m);
        }
    }
    if (plan->level) {
        byte quoted[LONGEST + 2];
        struct span name, text = {quoted, 0};
        enum finding found = find_severity(r->line, &name);
        if (found == UNSURE) return 0;
        if (found == FOUND) {
            quoted[0] = quoted[name.size + 1] = '"';
            memcpy(quoted + 1, name.at, name.size);
            text.size = name.size + 2;
        }
        int known = look_up(s, s->levels, &s->levels_count, plan->levels, text, &r->middle);
        if (known <= 0) return known;
    }
    return 1;
}

/* 1: the document can be written; 0: it is left; -1: an error. */
static int prepare(struct state *s, struct record *r, int64_t offset) {
    r->stamp_size = r->syslog_size = 0;
    r->message = (struct span){NULL, 0};
    const struct plan *plan = r->plan = *r->line.at == '{' || s->texts == NULL ? s->plan : s->texts;
    int told = plan == s->plan ? tell_object(s, r) : tell_text(s, r);
    if (told <= 0) return told;
    if (plan->string && r->message.at == NULL) {
        r->text_size = string_size(s, r->line);
        if (!r->text_size) return 0;
    }
    char digits[24];
    int used = 0;
    uint64_t left = (uint64_t)offset;
    do digits[used++] = (char)('0' + left % 10); while (left /= 10);
    r->offset_size = (byte)used;
    for (int i = 0; i < used; i++) r->offset[i] = digits[used - 1 - i];

    r->size = plan->literal;
    for (int i = 0; i < plan->count; i++) {
        const struct piece *piece = &plan->pieces[i];
        switch (piece->kind) {
        case LITERAL: break;
        case LINE: r->size += r->line.size; break;
        case BODY: r->size += r->line.size - 1; break;
        case REST: r->size += (size_t)(r->line.at + r->line.size - r->rest); break;
        case OFFSET: r->size += r->offset_size; break;
        case TIME: r->size += r->stamp_size ? r->stamp_size : piece->size; break;
        case SYSLOG_TIME: r->size += r->syslog_size ? r->syslog_size : piece->size; break;
        case LEVEL: r->size += r->middle.size; break;
        case MESSAGE:
            if (r->message.at != NULL) r->size += piece->size + r->message.size;
            else if (plan->string) r->size += r->text_size;
            break;
        case BY_TIME: {
            struct span stamp = {(const byte *)r->stamp, plan->by_time_width};
            if (!r->stamp_size) stamp.at = (const byte *)piece->text;
            int found = look_up(s, s->times, &s->times_count, plan->by_time, stamp, &r->by_time);
            if (found <= 0) return found;
            r->size += r->by_time.size;
        }
        }
    }
    return plan->limit && r->size > plan->limit ? 0 : 1;
}

static int digits_in(size_t value) {
    int digits = 1;
    while (value /= 10) digits++;
    return digits;
}

static char *put(char *at, const void *text, size_t size) {
    memcpy(at, text, size);
    return at + size;
}

static PyObject *written(const struct state *s, const struct record *records, int count) {
    const int octets = s->plan->octets;
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += records[i].size + (octets ? (size_t)digits_in(records[i].size) + 1 : 0);
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (made == NULL) return NULL;
    char *at = PyBytes_AsString(made);
    for (int i = 0; i < count; i++) {
        const struct record *r = &records[i];
        const struct plan *plan = r->plan;
        if (octets) {
            at = put_digits(at, r->size, digits_in(r->size));
            *at++ = ' ';
        }
        for (int j = 0; j < plan->count; j++) {
            const struct piece *piece = &plan->pieces[j];
            switch (piece->kind) {
            case LITERAL: at = put(at, piece->text, piece->size); break;
            case LINE: at = put(at, r->line.at, r->line.size); break;
            case BODY: at = put(at, r->line.at + 1, r->line.size - 1); break;
            case REST: at = put(at, r->rest, (size_t)(r->line.at + r->line.size - r->rest)); break;
            case OFFSET: at = put(at, r->offset, r->offset_size); break;
            case TIME:
                at = r->stamp_size ? put(at, r->stamp, r->stamp_size) : put(at, piece->text, piece->size);
                break;
            case SYSLOG_TIME:
                at = r->syslog_size ? put(at, r->syslog, r->syslog_size) : put(at, piece->text, piece->size);
                break;
            case LEVEL: at = put(at, r->middle.at, r->middle.size); break;
            case MESSAGE:
                if (r->message.at != NULL) {
                    at = put(at, piece->text, piece->size);
                    at = put(at, r->message.at, r->message.size);
                } else if (plan->string) {
                    at = put_string(at, r->line, s->block_end);
                }
                break;
            case BY_TIME: at = put(at, r->by_time.at, r->by_time.size); break;
            }
        }
    }
    return made;
}

/* ---- what Python says ---- */

static int read_piece(struct plan *plan, PyObject *given) {
    if (plan->count == PIECES) {
        PyErr_SetString(PyExc_ValueError, "too many pieces");
        return -1;
    }
    struct piece *piece = &plan->pieces[plan->count++];
    *piece = (struct piece){LITERAL, "", 0};
    if (PyBytes_Check(given)) {
        piece->text = PyBytes_AsString(given);
        piece->size = (size_t)PyBytes_Size(given);
        plan->literal += piece->size;
        return 0;
    }
    int kind = 0;
    PyObject *first = NULL, *second = NULL, **mapping = NULL;
    if (PyLong_Check(given)) {
        kind = (int)PyLong_AsLong(given);
    } else if (!PyTuple_Check(given) || !PyArg_ParseTuple(given, "iO|O", &kind, &first, &second)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a piece is bytes, a number or a tuple");
        return -1;
    }
    if (PyErr_Occurred()) return -1;
    piece->kind = (enum kind)kind;
    if (kind == TIME || kind == SYSLOG_TIME || kind == MESSAGE || kind == BY_TIME) {
        PyObject *text = kind == BY_TIME ? second : first;
        if (text == NULL || !(PyBytes_Check(text) || (kind == MESSAGE && text == Py_None))) {
            PyErr_SetString(PyExc_TypeError, "a piece lacks its text");
            return -1;
        }
        if (text == Py_None) {
            plan->string = 1;
        } else {
            piece->text = PyBytes_AsString(text);
            piece->size = (size_t)PyBytes_Size(text);
        }
    }
    switch (kind) {
    case OFFSET: break;
    case LINE: plan->line = 1; break;
    case BODY: plan->body = 1; break;
    case REST: plan->rest = 1; break;
    case TIME: plan->time = 1; break;
    case SYSLOG_TIME: plan->time = plan->syslog_time = 1; break;
    case MESSAGE: plan->message = 1; break;
    case LEVEL:
        plan->level = 1;
        mapping = &plan->levels;
        break;
    case BY_TIME:
        plan->time = 1;
        mapping = &plan->by_time;
        plan->by_time_width = piece->size; /* of as much of a time as its text has */
        break;
    default:
        PyErr_Format(PyExc_ValueError, "there is no piece %d", kind);
        return -1;
    }
    if (mapping != NULL && first == NULL) {
        PyErr_SetString(PyExc_TypeError, "a piece lacks its mapping");
        return -1;
    }
    if (mapping != NULL && *mapping != NULL) {
        PyErr_SetString(PyExc_ValueError, "severity and beginning of the time are looked up in one mapping each");
        return -1;
    }
    if (mapping != NULL) *mapping = first;
    if (plan->by_time && (plan->syslog_time || plan->by_time_width > 19)) {
        PyErr_SetString(PyExc_ValueError, "times of 19 characters at most, and not of syslog, can be looked up");
        return -1;
    }
    return 0;
}

/* Pieces of documents; for lines of text when ``of`` is the plan for objects. */
static int read_pieces(struct plan *plan, PyObject *pieces, const struct plan *of) {
    Py_ssize_t count = PyTuple_Size(pieces);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *piece = PyTuple_GetItem(pieces, i);
        if (piece == NULL || read_piece(plan, piece)) return -1;
    }
    const char *wrong = NULL;
    if (of == NULL) {
        if (!plan->whole && (plan->unique || plan->message || plan->body || plan->rest))
            wrong = "of the beginning of a line only time and severity can be known";
    } else if (plan->body || plan->rest) {
        wrong = "text has no members";
    } else if ((plan->levels && of->levels && plan->levels != of->levels) ||
               (plan->by_time && of->by_time &&
                (plan->by_time != of->by_time || plan->by_time_width != of->by_time_width))) {
        wrong = "objects and text are looked up in the same mappings";
    }
    if (wrong != NULL) PyErr_SetString(PyExc_ValueError, wrong);
    return wrong == NULL ? 0 : -1;
}

static int read_reserved(struct reserved *reserved, PyObject *names) {
    Py_ssize_t count = PyTuple_Size(names);
    if (count < 0) return -1;
    if (count > RESERVED) {
        PyErr_SetString(PyExc_ValueError, "too many reserved names");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        char *text;
        Py_ssize_t size;
        if (name == NULL || PyBytes_AsStringAndSize(name, &text, &size) < 0) return -1;
        reserved->text[i] = text;
        reserved->size[i] = (size_t)size;
    }
    reserved->count = (int)count;
    return 0;
}

/* Appends what was prepared, as one piece of bytes. */
static int flush(const struct state *s, PyObject *parts, const struct record *records, int *count) {
    if (*count == 0) return 0;
    PyObject *made = written(s, records, *count);
    *count = 0;
    if (made == NULL) return -1;
    int failed = PyList_Append(parts, made);
    Py_DECREF(made);
    return failed;
}

#define NOT_WORTH_IT 1

/* 0; -1 on an error; NOT_WORTH_IT when nearly all lines are left, so that the others may be written with them. */
static int run(struct state *s, const byte *block, int64_t first, Py_ssize_t lines, PyObject *positions, int leave_last,
               PyObject *parts, struct record *records) {
    const byte *at = block;
    int count = 0;
    size_t size = 0;
    Py_ssize_t left_count = 0, next = 0, chosen = positions == Py_None ? lines : PySequence_Size(positions), wanted = -1;
    if (chosen < 0) return -1;
    for (Py_ssize_t line = 0; line < lines; line++) {
        const byte *end = at == NULL ? NULL : memchr(at, s->separator, (size_t)(s->block_end - at));
        if (at == NULL || (end == NULL) != (line == lines - 1)) {
            PyErr_Format(PyExc_ValueError, "the block does not hold %zd records", lines);
            return -1;
        }
        if (end == NULL) end = s->block_end;
        if (positions != Py_None && wanted < line && next < chosen) {
            PyObject *position = PySequence_GetItem(positions, next);
            if (position == NULL) return -1;
            wanted = PyLong_AsSsize_t(position);
            Py_DECREF(position);
            if (wanted == -1 && PyErr_Occurred()) return -1;
            if (wanted < line || wanted >= lines) {
                PyErr_SetString(PyExc_ValueError, "positions have to ascend and to be in the block");
                return -1;
            }
        }
        if (positions == Py_None || wanted == line) {
            struct record *r = &records[count];
            r->line = (struct span){at, (size_t)(end - at)};
            int good = leave_last && next == chosen - 1 ? 0 : prepare(s, r, first + (at - block));
            if (good < 0) return -1;
            if (good) {
                count++;
                size += r->size;
                if ((count == RECORDS || size >= TOGETHER)) {
                    size = 0;
                    if (flush(s, parts, records, &count)) return -1;
                }
            } else {
                if (flush(s, parts, records, &count)) return -1;
                size = 0;
                if (++left_count >= 64 && left_count * 8 > (next + 1) * 7) return NOT_WORTH_IT;
                PyObject *left = Py_BuildValue("nnn", next, at - block, end - block);
                if (left == NULL) return -1;
                int failed = PyList_Append(parts, left);
                Py_DECREF(left);
                if (failed) return -1;
            }
            next++;
        }
        at = end == s->block_end ? NULL : end + 1;
    }
    return flush(s, parts, records, &count);
}

PyDoc_STRVAR(write_doc,
"write(block, first, lines, observed_ns, positions, pieces, *, reserved=(), whole=True, unique=False,\n"
"      octets=False, limit=0, leave_last=False, texts=None, separator=10)\n--\n\n"
"Documents around the lines of a block; see lines.pyi.");

static PyObject *write_lines(PyObject *module, PyObject *args, PyObject *named) {
    static char *names[] = {"block", "first", "lines", "observed_ns", "positions", "pieces", "reserved", "whole",
                            "unique", "octets", "limit", "leave_last", "texts", "separator", NULL};
    char *block;
    Py_ssize_t size, lines, limit = 0;
    long long first, observed;
    PyObject *given, *positions, *pieces, *reserved_names = NULL, *texts = Py_None;
    struct plan plan = {.whole = 1};
    int leave_last = 0, separator = '\n';
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, named, "SLnLOO!|$O!pppnpOi", names, &given, &first, &lines, &observed,
                                     &positions, &PyTuple_Type, &pieces, &PyTuple_Type, &reserved_names, &plan.whole,
                                     &plan.unique, &plan.octets, &limit, &leave_last, &texts, &separator))
        return NULL;
    if (separator < 0 || separator >= ' ' || separator == '\t') {
        PyErr_SetString(PyExc_ValueError, "a control character other than a tab divides lines");
        return NULL;
    }
    if (texts != Py_None && !PyTuple_Check(texts)) {
        PyErr_SetString(PyExc_TypeError, "texts is a tuple of pieces, or None");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(given, &block, &size) < 0) return NULL;
    if (first < 0 || lines < 1 || limit < 0) {
        PyErr_SetString(PyExc_ValueError, "offsets and limits are not negative, and there is a line at least");
        return NULL;
    }
    plan.limit = (size_t)limit;
    plan.observed = observed;
    struct reserved reserved = {.count = 0};
    if (reserved_names != NULL && read_reserved(&reserved, reserved_names)) return NULL;
    struct plan text_plan = plan;
    if (read_pieces(&plan, pieces, NULL)) return NULL;
    if (texts != Py_None && read_pieces(&text_plan, texts, &plan)) return NULL;
    struct state *state = calloc(1, sizeof *state);
    struct record *records = malloc(RECORDS * sizeof *records);
    PyObject *parts = PyList_New(0), *kept = PyList_New(0);
    int failed = -1;
    if (state == NULL || records == NULL) {
        PyErr_NoMemory();
    } else if (parts != NULL && kept != NULL) {
        state->plan = &plan;
        state->texts = texts == Py_None ? NULL : &text_plan;
        state->reserved = &reserved;
        state->block_end = (const byte *)block + size;
        state->separator = (byte)separator;
        state->kept = kept;
        failed = run(state, (const byte *)block, first, lines, positions, leave_last, parts, records);
    }
    free(state);
    free(records);
    Py_XDECREF(kept);
    if (failed) Py_CLEAR(parts);
    if (failed == NOT_WORTH_IT && !PyErr_Occurred()) Py_RETURN_NONE;
    return parts;
}

static PyMethodDef methods[] = {
    {"write", (PyCFunction)(void (*)(void))write_lines, METH_VARARGS | METH_KEYWORDS, write_doc},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module) {
    static const struct {
        const char *name;
        int value;
    } kinds[] = {{"LINE", LINE}, {"BODY", BODY}, {"REST", REST}, {"OFFSET", OFFSET}, {"TIME", TIME}, {"SYSLOG_TIME", SYSLOG_TIME},
                 {"LEVEL", LEVEL}, {"MESSAGE", MESSAGE}, {"BY_TIME", BY_TIME}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (PyModule_AddIntConstant(module, kinds[i].name, kinds[i].value)) return -1;
    PyObject *names = PyDict_New();
    if (names == NULL) return -1;
    static const char *const ROLES[] = {"", "time", "level", "log", "msg", "message", "text"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        PyObject *role = PyUnicode_FromString(ROLES[NAMES[i].role]);
        if (role == NULL || PyDict_SetItemString(names, NAMES[i].text, role)) {
            Py_XDECREF(role);
            Py_DECREF(names);
            return -1;
        }
        Py_DECREF(role);
    }
    int failed = PyModule_AddObjectRef(module, "NAMES", names);
    Py_DECREF(names);
    if (failed) return -1;
    const Py_ssize_t count = sizeof SEVERITIES / sizeof *SEVERITIES;
    PyObject *severities = PyTuple_New(count);
    if (severities == NULL) return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *severity = PyUnicode_FromString(SEVERITIES[i]);
        if (severity == NULL || PyTuple_SetItem(severities, i, severity)) {
            Py_DECREF(severities);
            return -1;
        }
    }
    failed = PyModule_AddObjectRef(module, "SEVERITIES", severities);
    Py_DECREF(severities);
    return failed;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "logyard.native.lines", "Documents around the lines of a block.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_lines(void) { return PyModuleDef_Init(&definition); }
